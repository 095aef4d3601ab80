"""What people are told: one notice for all alerts of a deployment that are news together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import msgspec

from modelyard.core.channels import SEVERITIES

if TYPE_CHECKING:
    from modelyard.core.monitoring import Alert, Severity

__all__ = ["Notice"]

_NAMED: Final = 10
"""Alerts that are told in words; of the rest, how many there are."""
_SHOWN: Final = 4
"""Parts of the evidence that are told in words."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Alerts of one deployment, that fire or are over."""

    id: str
    """The same when it is sent again."""
    deployment: str
    alerts: tuple[Alert, ...]
    base: str
    """The server's address, without a slash at its end; empty if it is not known."""

    @property
    def link(self) -> str:
        """The page of the deployment."""
        if not self.deployment:
            return f"{self.base}/alerts"
        return f"{self.base}/deployments/{quote(self.deployment)}/monitoring"

    @property
    def firing(self) -> tuple[Alert, ...]:
        return tuple(alert for alert in self.alerts if alert.state == "firing")

    @property
    def is_firing(self) -> bool:
        return bool(self.firing)

    @property
    def severity(self) -> Severity:
        """The worst of what fires; of the rest if nothing does."""
        return max((a.severity for a in self.firing or self.alerts), key=SEVERITIES.index)

    @property
    def title(self) -> str:
        """One line."""
        where = self.deployment or "the yard"
        if not self.is_firing:
            names = ", ".join(dict.fromkeys(alert.rule for alert in self.alerts))
            return _cut(f"[over] {where}: {names}", 120)
        first, count = self._ordered()[0], len(self.firing)
        more = f" and {count - 1} more" if count > 1 else ""
        return _cut(f"[{self.severity}] {where}: {first.words}{more}", 160)

    def lines(self) -> list[tuple[Alert, str, str]]:
        """Of each alert: itself, what it says, and its evidence in words; worst first."""
        return [(alert, _says(alert), _evidence(alert)) for alert in self._ordered()[:_NAMED]]

    @property
    def more(self) -> int:
        """Alerts that `lines` does not name."""
        return max(len(self.alerts) - _NAMED, 0)

    def plain(self) -> dict[str, Any]:
        """As JSON tells it, with all evidence."""
        return {
            "deployment": self.deployment,
            "state": "firing" if self.is_firing else "resolved",
            "severity": self.severity,
            "title": self.title,
            "link": self.link,
            "alerts": [
                {**msgspec.to_builtins(alert), "link": f"{self.base}/alerts#alert-{alert.id}"}
                for alert in self.alerts
            ],
        }

    def _ordered(self) -> list[Alert]:
        return sorted(
            self.alerts,
            key=lambda a: (a.state != "firing", -SEVERITIES.index(a.severity), a.id),
        )


def _says(alert: Alert) -> str:
    state = "over" if alert.state == "resolved" else alert.severity
    version = f" (version {alert.number})" if alert.number is not None else ""
    return f"[{state}] {alert.words or alert.rule}{version}"


def _evidence(alert: Alert) -> str:
    told = []
    for name, value in alert.evidence.items():
        if value in (None, "", (), [], {}) or name == "signal":
            continue
        told.append(f"{name.replace('_', ' ')} {_worded(value)}")
    return _cut(", ".join(told[:_SHOWN]), 300)


def _worded(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return " ".join(f"{key}={_worded(each)}" for key, each in list(value.items())[:_SHOWN])
    if isinstance(value, list | tuple):
        return "; ".join(_worded(each) for each in value[:_SHOWN])
    return _cut(str(value), 80)


def _cut(text: str, most: int) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= most else f"{plain[: most - 3]}..."
