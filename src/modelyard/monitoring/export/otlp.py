"""OpenTelemetry: requests as traces, counters as metrics, sent to a collector (extra `otel`).

Everything is sent by one thread, from a queue that is bounded: what a collector that is away does
not take is dropped and counted, and no request waits for it.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from modelyard.errors import Unsupported
from modelyard.monitoring.export.otlp_metrics import metrics_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from modelyard.monitoring.export.otlp_settings import OtlpSettings

__all__ = ["Otlp", "Part", "Traced"]

_log = logging.getLogger("modelyard.monitoring")
_QUEUE: Final = 4096
_AT_ONCE: Final = 512
_EVERY: Final = 1.0
_PATIENCE: Final = 5.0
"""Seconds that a collector may take."""

Part = tuple[str, int, int]
"""What a part of a request was, from when to when: nanoseconds since 1970."""


class Traced:
    """One request that is to be a trace, or a part of its caller's."""

    __slots__ = (
        "attributes",
        "begun",
        "ended",
        "error",
        "name",
        "parent",
        "parts",
        "span",
        "trace",
    )

    def __init__(
        self, name: str, begun: int, ended: int, parts: Iterable[Part],
        attributes: Mapping[str, str | int], *, error: str | None = None,
        trace: str | None = None, span: str | None = None, parent: str | None = None,
    ) -> None:  # fmt: skip
        """
        Args:
            begun: Nanoseconds since 1970.
            error: The kind of what went wrong.
            trace: Of the caller, 32 hex digits; with it `span`, ours, and `parent`, the caller's.
        """
        self.name, self.begun, self.ended = name, begun, ended
        self.parts, self.attributes, self.error = tuple(parts), attributes, error
        self.trace, self.span, self.parent = trace, span, parent


class Otlp:
    """Sends until it is closed.

    Unsupported: `no-extra`.
    """

    def __init__(
        self, settings: OtlpSettings, *, instance: str, version: str, text: Callable[[], str]
    ) -> None:
        """
        Args:
            instance: Which process of the service this is.
            text: What it counted, as Prometheus' text.
        """
        try:
            from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.util.instrumentation import InstrumentationScope
        except ImportError:
            raise Unsupported(
                "no-extra", "OpenTelemetry is not installed", hint="pip install 'modelyard[otel]'"
            ) from None
        headers = dict(settings.headers)
        self._spans: Any = OTLPSpanExporter(
            f"{settings.endpoint}/v1/traces", headers=headers, timeout=_PATIENCE
        )
        self._metrics: Any = OTLPMetricExporter(
            f"{settings.endpoint}/v1/metrics", headers=headers, timeout=_PATIENCE
        )
        self._resource = Resource(
            {"service.name": settings.service, "service.version": version,
             "service.instance.id": instance}
        )  # fmt: skip
        self._scope = InstrumentationScope("modelyard", version)
        self._text = text
        self._seconds = settings.seconds
        self._began = time.time_ns()
        self._queue: deque[Traced] = deque()
        self.dropped = 0
        """Requests that the collector did not take."""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="otlp", daemon=True)

    def start(self) -> None:
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # we count instead
        self._thread.start()

    def add(self, traced: Traced) -> None:
        """Send it soon. Any thread may call it, and none waits."""
        if len(self._queue) >= _QUEUE:
            self.dropped += 1
        else:
            self._queue.append(traced)

    def close(self) -> None:
        """Send what is left, for some seconds at most."""
        self._over.set()
        self._thread.join(2 * _PATIENCE)
        self._spans.shutdown()
        self._metrics.shutdown()

    def _work(self) -> None:
        told = time.monotonic()
        while not self._over.wait(_EVERY):
            self._try(self._send_spans)
            if time.monotonic() - told >= self._seconds:
                told = time.monotonic()
                self._try(self._send_metrics)
        self._try(self._send_spans)
        self._try(self._send_metrics)

    def _try(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception:
            _log.exception("OpenTelemetry")

    def _send_spans(self) -> None:
        from opentelemetry.sdk.trace.export import SpanExportResult

        while self._queue:
            some = [self._queue.popleft() for _ in range(min(len(self._queue), _AT_ONCE))]
            spans = [span for one in some for span in self._spans_of(one)]
            if self._spans.export(spans) is not SpanExportResult.SUCCESS:
                self.dropped += len(some)
                return

    def _send_metrics(self) -> None:
        data = metrics_of(
            self._text(), began=self._began, now=time.time_ns(), resource=self._resource,
            scope=self._scope,
        )  # fmt: skip
        self._metrics.export(data)

    def _spans_of(self, one: Traced) -> Iterable[Any]:
        from opentelemetry.sdk.trace import ReadableSpan
        from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

        trace = int(one.trace or secrets.token_hex(16), 16)

        def context(span: str | None, *, remote: bool = False) -> Any:
            number = int(span or secrets.token_hex(8), 16)
            return SpanContext(trace, number, remote, TraceFlags(TraceFlags.SAMPLED))

        own = context(one.span)
        failed = Status(StatusCode.ERROR, one.error) if one.error else Status(StatusCode.UNSET)
        yield ReadableSpan(
            one.name, own, context(one.parent, remote=True) if one.parent else None,
            self._resource, attributes=one.attributes, kind=SpanKind.SERVER, status=failed,
            start_time=one.begun, end_time=one.ended, instrumentation_scope=self._scope,
        )  # fmt: skip
        for name, begun, ended in one.parts:
            yield ReadableSpan(
                name, context(None), own, self._resource, kind=SpanKind.INTERNAL,
                start_time=begun, end_time=ended, instrumentation_scope=self._scope,
            )  # fmt: skip
