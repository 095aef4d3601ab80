"""Where OpenTelemetry's data goes: nowhere, unless somebody says so."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import unquote, urlsplit

from modelyard.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["OtlpSettings"]

_SHARE: Final = 0.01
_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OtlpSettings:
    """A collector that takes OTLP over HTTP, and what it is sent."""

    endpoint: str
    """Such as `http://collector:4318`; `/v1/traces` and `/v1/metrics` are put behind it."""
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    """Sent along, such as a token: never shown."""
    service: str = "modelyard"
    share: float = _SHARE
    """Of the requests without a trace of their caller; requests that fail, and those that their
    caller traces, are sent always."""
    seconds: float = _SECONDS
    """Between metrics."""

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Self | None:
        """From OpenTelemetry's own variables; None where no endpoint is named.

        `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_SERVICE_NAME`,
        `OTEL_TRACES_SAMPLER_ARG` (0.01 if not set), `OTEL_METRIC_EXPORT_INTERVAL` (milliseconds),
        `OTEL_SDK_DISABLED`.

        InvalidInput: `bad-setting`.
        """
        endpoint = environment.get("OTEL_EXPORTER_OTLP_ENDPOINT", "").strip()
        if not endpoint or environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
            return None
        parts = urlsplit(endpoint)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InvalidInput(
                "bad-setting", "OTEL_EXPORTER_OTLP_ENDPOINT is no address of a collector",
                hint="OTLP over HTTP, such as http://collector:4318",
            )  # fmt: skip
        share = _number(environment, "OTEL_TRACES_SAMPLER_ARG", _SHARE)
        seconds = _number(environment, "OTEL_METRIC_EXPORT_INTERVAL", _SECONDS * 1000) / 1000
        if not 0 <= share <= 1 or seconds <= 0:
            raise InvalidInput(
                "bad-setting",
                "OTEL_TRACES_SAMPLER_ARG is a share, OTEL_METRIC_EXPORT_INTERVAL milliseconds",
            )
        return cls(
            endpoint=endpoint.rstrip("/"), share=share, seconds=seconds,
            headers=_headers(environment.get("OTEL_EXPORTER_OTLP_HEADERS", "")),
            service=environment.get("OTEL_SERVICE_NAME") or "modelyard",
        )  # fmt: skip


def _number(environment: Mapping[str, str], name: str, default: float) -> float:
    told = environment.get(name, "").strip()
    try:
        return float(told) if told else default
    except ValueError:
        raise InvalidInput("bad-setting", f"{name} is no number") from None


def _headers(told: str) -> dict[str, str]:
    """`key=value,key2=value2`, as URLs are quoted."""
    pairs = (one.partition("=") for one in told.split(",") if "=" in one)
    return {unquote(name.strip()): unquote(value.strip()) for name, _, value in pairs}
