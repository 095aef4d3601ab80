"""Alerts of an Alertmanager, which come by its webhook, into the same inbox as ours.

They are told to nobody again: whoever set up the Alertmanager said whom it tells.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from modelyard.core.monitoring import Alert
from modelyard.errors import InvalidInput
from modelyard.registry.watching import alerts
from modelyard.registry.watching.alerts import Changes, Key
from modelyard.registry.watching.rules import ruled

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from modelyard.core.monitoring import Severity
    from modelyard.registry.house import House

__all__ = ["SOURCE", "Received", "receive"]

SOURCE: Final = "alertmanager"
_MOST: Final = 1000
"""Alerts of one request."""
_WORDS: Final = 500
_LABELS: Final = 30
_OURS: Final = frozenset({"alertname", "deployment", "severity", "job", "instance", "model",
                          "version", "prometheus", "monitor"})  # fmt: skip
"""Labels that do not tell an alert from others of its rule."""
_SEVERITIES: Final[Mapping[str, Severity]] = {
    "critical": "critical", "page": "critical", "error": "critical", "info": "info",
    "none": "info",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Received:
    """What became of a request of an Alertmanager."""

    fired: int
    """That are new."""
    resolved: int
    """That are over since."""
    known: int
    """That changed nothing."""


def receive(house: House, found: Iterable[Mapping[str, Any]]) -> Received:
    """Take alerts as Alertmanager's webhook (version 4) sends them. Idempotent.

    Args:
        found: The list `alerts` of the request: each has `status`, `labels`, `annotations`.

    Raises:
        InvalidInput: `bad-alerts`.
    """
    given = list(found)
    if len(given) > _MOST:
        raise InvalidInput("bad-alerts", f"{len(given)} alerts are more than {_MOST}")
    now = datetime.now(UTC)
    ids = {each.name: each.id for each in ruled(house)}
    firing = alerts.firing(house)
    fire: dict[Key, Alert] = {}
    over: set[Key] = set()
    for each in given:
        key, alert = _read(each, ids, now)
        there, other = firing.get(key), _beside(key)
        if other in firing or (there is not None and there.alert.source != SOURCE):
            key = other
            alert = replace(alert, subject=other.subject)
        if alert.state == "firing":
            fire[key] = alert
        elif key in firing:
            over.add(key)
    end = [(firing[key], _over(firing[key].alert, now)) for key in over - fire.keys()]
    moment = now.timestamp()
    changes = Changes(fire=list(fire.items()), end=end, seen_before=moment)
    fired, ended = alerts.apply(house, moment, changes)
    return Received(len(fired), len(ended), len(given) - len(fired) - len(ended))


def _read(given: Mapping[str, Any], ids: Mapping[str, int], now: datetime) -> tuple[Key, Alert]:
    labels, notes = _texts(given, "labels"), _texts(given, "annotations")
    rule = labels.get("alertname", "")
    if not rule or given.get("status") not in ("firing", "resolved"):
        raise InvalidInput(
            "bad-alerts", "an alert has no status or no alertname",
            hint="these are requests of Alertmanager's webhook_configs",
        )  # fmt: skip
    name = labels.get("deployment", "")
    subject = ", ".join(f"{k}={v}" for k, v in sorted(labels.items()) if k not in _OURS)
    words = notes.get("summary") or notes.get("description") or rule
    source = given.get("generatorURL")
    evidence: dict[str, Any] = {"labels": labels, "annotations": notes}
    if isinstance(source, str) and source.startswith(("http://", "https://")):
        evidence["query"] = source[:_WORDS]
    version = labels.get("version", "")
    key = Key(ids.get(name, 0), _cut(rule, 100), _cut(subject, 200))
    alert = Alert(
        id=0, deployment=name if name in ids else "", rule=key.rule, subject=key.subject,
        severity=_SEVERITIES.get(labels.get("severity", ""), "warning"), state=given["status"],
        since=now, until=None, value=None, threshold=None, words=_cut(words, _WORDS),
        number=int(version) if version.isascii() and version.isdigit() else None, source=SOURCE,
        evidence=evidence,
    )  # fmt: skip
    return key, alert


def _beside(key: Key) -> Key:
    """Where one of our own alerts has the same name."""
    return key._replace(subject=_cut(key.subject, 180) + f" ({SOURCE})")


def _texts(given: Mapping[str, Any], name: str) -> dict[str, str]:
    found = given.get(name) or {}
    if not isinstance(found, dict):
        raise InvalidInput("bad-alerts", f"an alert's {name} are no mapping")
    return {str(key)[:100]: str(value)[:_WORDS] for key, value in list(found.items())[:_LABELS]}


def _over(alert: Alert, now: datetime) -> Alert:
    return replace(alert, state="resolved", until=now)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."
