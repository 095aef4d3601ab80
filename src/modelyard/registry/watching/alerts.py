"""Alerts in the catalog: fired once whoever sees it, ended when nobody sees it any more, listed."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from modelyard.catalog.queries import audit, deployments, models, watch_alerts
from modelyard.core.decoding import decode_json
from modelyard.core.monitoring import Alert
from modelyard.registry.access.rights import acting
from modelyard.registry.lookup import moment
from modelyard.registry.watching.seeing import (
    Sight,
    bare,
    may_read,
    models_since,
    sight,
    sights,
)
from modelyard.registry.watching.silences import Hush, hushes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import sqlalchemy as sa

    from modelyard.catalog.queries.watch_alerts import AlertRow
    from modelyard.registry.house import House

__all__ = [
    "FIRED", "KEPT", "RESOLVED", "Changes", "Firing", "Key", "apply", "due", "firing", "forget",
    "listed", "mark_told", "one",
]  # fmt: skip

FIRED, RESOLVED = "alert-fired", "alert-resolved"
"""What lines of the audit log call it, and with them events."""
KEPT = 90 * 86_400
"""Seconds for which alerts that are over are kept."""
_PAGE = 200
_MICRO = 1_000_000
_LATELY = 60 * _MICRO
"""What fast facts are made of is no older."""


class Key(NamedTuple):
    """One fires for each."""

    deployment_id: int
    rule: str
    subject: str


@dataclass(frozen=True, slots=True)
class Firing:
    """An alert that fires or fired, with what only the catalog knows. Times are seconds."""

    key: Key
    alert: Alert
    seen: float
    """When a server saw last that it fires."""
    told: float
    """When people were told last; 0: not yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What one look at all rules found."""

    fire: Sequence[tuple[Key, Alert]] = ()
    """Those that fire; they are new, or are seen once more."""
    end: Sequence[tuple[Firing, Alert]] = ()
    """Those that are over, as they are to be remembered."""
    seen_before: float = 0.0
    """What was seen after this time by another server does not end."""


def firing(house: House) -> dict[Key, Firing]:
    """All alerts that fire, of all deployments, whoever asks."""
    with house.catalog.fresh() as connection:
        rows = watch_alerts.open_alerts(connection)
    return {found.key: found for found in map(_firing, rows)}


def apply(house: House, now: float, changes: Changes) -> tuple[list[Alert], list[Alert]]:
    """Write what was found; gives what fires since now, and what is over since now.

    Each change is made by one server only, and is a line of the audit log.

    Args:
        now: Seconds since 1970.
    """
    if not changes.fire and not changes.end:
        return [], []
    micros = int(now * _MICRO)

    def work(connection: sa.Connection) -> tuple[list[Alert], list[Alert]]:
        fired, ended = [], []
        for key, alert in changes.fire:
            row = watch_alerts.open_alert(connection, *key)
            if row is not None:
                since = _alert(row).since
                kept = replace(alert, id=row.id, since=since)
                about = _about(connection, key, alert, micros)
                watch_alerts.change_alert(
                    connection,
                    row.id,
                    seen=max(micros, row.seen),
                    body=_body(kept, about),
                )
                continue
            about = _about(connection, key, alert, micros)
            number = watch_alerts.add_alert(
                connection, deployment_id=key.deployment_id, rule=key.rule, subject=key.subject,
                since=micros, until=0, seen=micros, told=0,
                body=_body(alert, about),
            )  # fmt: skip
            fired.append(replace(alert, id=number))
            _note(house, connection, FIRED, key, fired[-1])
        for old, alert in changes.end:
            was = watch_alerts.alert(connection, old.alert.id)
            about = () if was is None else decode_json(was.body, _Of).models
            if watch_alerts.end_alert(
                connection, old.alert.id, seen_before=int(changes.seen_before * _MICRO),
                until=micros, body=_body(alert, about),
            ):  # fmt: skip
                ended.append(replace(alert, id=old.alert.id))
                _note(house, connection, RESOLVED, old.key, ended[-1])
        return fired, ended

    return house.catalog.write_alone(work)


def listed(
    house: House, name: str | None = None, *, is_firing: bool = False, before: int | None = None
) -> Iterator[Alert]:
    """Alerts of a deployment, or of all that the caller may see, newest first.

    Those about a model that is hidden from the caller are left out. Who asked is left to who may
    change the deployment.

    Args:
        before: Only ids below this one.

    NotFound: `no-deployment`.
    """
    seen = sights(house) if name is None else sight(house, name)
    if name is None and acting(house).reads_all:
        seen = {0: Sight("", True), **seen}  # what is of no deployment
    below = before
    while True:
        with house.catalog.fresh() as connection:
            rows = watch_alerts.alerts(
                connection, of=seen, firing=is_firing, below=below, limit=_PAGE
            )
        quiet = hushes(house)
        of = [decode_json(row.body, _Of).models for row in rows]
        may = may_read(house, (key for keys in of for key in keys))
        for row, keys in zip(rows, of, strict=True):
            if may(keys):
                found = _shown(row, quiet)
                yield found if seen[row.deployment_id].whole else _bare(found)
        if len(rows) < _PAGE:
            return
        below = rows[-1].id


def one(house: House, key: int) -> Alert | None:
    """An alert, whoever asks."""
    with house.catalog.fresh() as connection:
        row = watch_alerts.alert(connection, key)
    return None if row is None else _shown(row, hushes(house))


def due(house: House, now: float, *, repeat: float, ago: float) -> list[Firing]:
    """Alerts that people should hear of: they fire and were not told for `repeat` seconds, or are
    over since less than `ago` seconds and were not told since. `silenced` is right in them."""
    with house.catalog.fresh() as connection:
        rows = watch_alerts.to_tell(
            connection, repeat=int((now - repeat) * _MICRO), ago=int((now - ago) * _MICRO)
        )
    if not rows:
        return []
    quiet = hushes(house)
    return [replace(_firing(row), alert=_shown(row, quiet)) for row in rows]


def mark_told(house: House, keys: Iterable[int], when: float) -> None:
    """Note that people were told, or need not be."""
    wanted = list(keys)

    def work(connection: sa.Connection) -> None:
        for key in wanted:
            watch_alerts.change_alert(connection, key, told=int(when * _MICRO))

    if wanted:
        house.catalog.write_soft(work)


def forget(house: House, now: float) -> int:
    """Drop what was over long ago; gives how many alerts went."""
    before = int((now - KEPT) * _MICRO)
    return house.catalog.write_soft(lambda connection: watch_alerts.drop_old(connection, before))


@dataclass(frozen=True, slots=True)
class _Of:
    """Beside an alert in its body."""

    models: tuple[int, ...] = ()
    """What it is about: whoever may read all of these is told."""


def _body(alert: Alert, models: tuple[int, ...]) -> str:
    return msgspec.json.encode({**msgspec.to_builtins(alert), "models": models}).decode()


def _about(connection: sa.Connection, key: Key, alert: Alert, now: int) -> tuple[int, ...]:
    """Ids of models that an alert is about; those that were served just now if it is of none."""
    if not key.deployment_id:
        return ()
    model = models.by_name(connection, alert.model) if alert.model else None
    if model is not None:
        return (model.id,)
    return models_since(connection, key.deployment_id, now - _LATELY)


def _bare(alert: Alert) -> Alert:
    """For who may not see what was asked, nor by whom."""
    client = alert.evidence.get("client")
    evidence, words = bare(alert.evidence, alert.words, client)
    return replace(alert, evidence=evidence, words=words)


def _alert(row: AlertRow) -> Alert:
    return replace(
        decode_json(row.body, Alert), id=row.id, deployment=row.name or "", rule=row.rule,
        subject=row.subject, since=moment(row.since),
        until=moment(row.until) if row.until else None,
        state="resolved" if row.until else "firing",
    )  # fmt: skip


def _shown(row: AlertRow, quiet: Sequence[Hush]) -> Alert:
    found = _alert(row)
    hushed = any(hush.takes(row.deployment_id, row.rule) for hush in quiet)
    return replace(found, silenced=hushed and found.state == "firing")


def _firing(row: AlertRow) -> Firing:
    key = Key(row.deployment_id, row.rule, row.subject)
    return Firing(key, _alert(row), row.seen / _MICRO, row.told / _MICRO)


def _note(
    house: House, connection: sa.Connection, action: str, key: Key, alert: Alert
) -> None:  # fmt: skip
    """A line of the audit log, under the model that the deployment serves first of all."""
    shares = deployments.shares(connection, key.deployment_id) if key.deployment_id else []
    detail: dict[str, Any] = {
        "alert": alert.id, "deployment": alert.deployment, "rule": alert.rule,
        "severity": alert.severity, "source": alert.source,
    }  # fmt: skip
    model = min(shares, key=lambda share: share.place).model_id if shares else 0
    audit.add(
        connection,
        audit.AuditRow(
            house.catalog.now(connection), action, -model, "monitoring",
            detail=json.dumps(detail, ensure_ascii=False, sort_keys=True),
        ),
    )  # fmt: skip
