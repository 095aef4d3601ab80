"""Statements about alerts, the rules they come from, silences, and channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from modelyard.catalog.queries.dialects import put
from modelyard.catalog.schema import (
    deployment,
    watch_alert,
    watch_channel,
    watch_rules,
    watch_silence,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "AlertRow", "ChannelRow", "RulesRow", "SilenceRow", "add_alert", "add_channel", "add_silence",
    "alert", "alerts", "change_alert", "channel", "channels", "drop_channel", "drop_of", "drop_old",
    "drop_rules", "drop_silence", "end_alert", "open_alert", "open_alerts", "put_rules", "rules",
    "rules_of_all", "silences", "to_tell",
]  # fmt: skip


class AlertRow(NamedTuple):
    """A row of `watch_alert`, and its deployment's name."""

    id: int
    deployment_id: int
    rule: str
    subject: str
    since: int
    until: int
    seen: int
    told: int
    body: str
    name: str | None


class RulesRow(NamedTuple):
    """A row of `watch_rules`."""

    deployment_id: int
    text: str
    changed: int
    who: str


class SilenceRow(NamedTuple):
    """A row of `watch_silence`, and its deployment's name."""

    id: int
    deployment_id: int
    rule: str
    until: int
    who: str
    reason: str
    name: str | None


class ChannelRow(NamedTuple):
    """A row of `watch_channel`."""

    id: int
    name: str
    kind: str
    pattern: str
    severity: str
    body: str
    created: int
    who: str


_ALERTS = (
    sa.select(*(watch_alert.c[name] for name in AlertRow._fields[:-1]), deployment.c.name)
    .select_from(watch_alert)
    .outerjoin(deployment, deployment.c.id == watch_alert.c.deployment_id)
)
_OPEN = _ALERTS.where(watch_alert.c.until == 0).order_by(watch_alert.c.id)
_TO_TELL = _ALERTS.where(
    sa.or_(
        sa.and_(watch_alert.c.until == 0, watch_alert.c.told < sa.bindparam("repeat")),
        sa.and_(
            watch_alert.c.until > watch_alert.c.told, watch_alert.c.until > sa.bindparam("ago")
        ),
    )
).order_by(watch_alert.c.id)
_RULES = sa.select(*(watch_rules.c[name] for name in RulesRow._fields))
_SILENCES = (
    sa.select(*(watch_silence.c[name] for name in SilenceRow._fields[:-1]), deployment.c.name)
    .select_from(watch_silence)
    .outerjoin(deployment, deployment.c.id == watch_silence.c.deployment_id)
    .where(watch_silence.c.until > sa.bindparam("now"))
    .order_by(watch_silence.c.until, watch_silence.c.id)
)
_CHANNELS = sa.select(*(watch_channel.c[name] for name in ChannelRow._fields))


# -- alerts --------------------------------------------------------------------------------------


def alerts(
    connection: sa.Connection,
    *,
    of: Iterable[int] | None = None,
    firing: bool = False,
    below: int | None = None,
    limit: int = 100,
) -> list[AlertRow]:
    """Newest first; of these deployments, or of all."""
    query = _ALERTS.order_by(watch_alert.c.id.desc()).limit(limit)
    if of is not None:
        query = query.where(watch_alert.c.deployment_id.in_(list(of)))
    if firing:
        query = query.where(watch_alert.c.until == 0)
    if below is not None:
        query = query.where(watch_alert.c.id < below)
    return [AlertRow._make(row) for row in connection.execute(query)]


def alert(connection: sa.Connection, key: int) -> AlertRow | None:
    row = connection.execute(_ALERTS.where(watch_alert.c.id == key)).first()
    return None if row is None else AlertRow._make(row)


def open_alerts(connection: sa.Connection) -> list[AlertRow]:
    """All that fire, oldest first."""
    return [AlertRow._make(row) for row in connection.execute(_OPEN)]


def open_alert(
    connection: sa.Connection, deployment_id: int, rule: str, subject: str
) -> AlertRow | None:
    """The one of this rule that fires for this subject."""
    row = connection.execute(
        _ALERTS.where(
            watch_alert.c.deployment_id == deployment_id, watch_alert.c.rule == rule,
            watch_alert.c.subject == subject, watch_alert.c.until == 0,
        )
    ).first()  # fmt: skip
    return None if row is None else AlertRow._make(row)


def to_tell(connection: sa.Connection, *, repeat: int, ago: int) -> list[AlertRow]:
    """Those that people should hear of: they fire and were not told since `repeat`, or are over
    since a time after `ago` and after they were told."""
    found = connection.execute(_TO_TELL, {"repeat": repeat, "ago": ago})
    return [AlertRow._make(row) for row in found]


def add_alert(connection: sa.Connection, **values: object) -> int:
    """Its id. Unique: one that fires for each deployment, rule and subject."""
    key = connection.execute(sa.insert(watch_alert), values).inserted_primary_key
    return int(key[0]) if key else 0


def change_alert(connection: sa.Connection, key: int, **values: object) -> None:
    """One that fires, or is over."""
    connection.execute(sa.update(watch_alert).where(watch_alert.c.id == key).values(**values))


def end_alert(
    connection: sa.Connection, key: int, *, seen_before: int, until: int, body: str
) -> bool:
    """End one that fires, unless somebody saw since that it does; whether it ended now."""
    query = sa.update(watch_alert).where(
        watch_alert.c.id == key, watch_alert.c.until == 0, watch_alert.c.seen <= seen_before
    )
    return connection.execute(query.values(until=until, body=body)).rowcount > 0


def drop_old(connection: sa.Connection, before: int) -> int:
    """Forget alerts that were over, and silences that ended, before a time."""
    query = sa.delete(watch_alert).where(watch_alert.c.until > 0, watch_alert.c.until < before)
    gone = connection.execute(query).rowcount
    connection.execute(sa.delete(watch_silence).where(watch_silence.c.until < before))
    return gone


def drop_of(connection: sa.Connection, deployment_id: int, *, firing: bool) -> None:
    """Drop rules, silences and alerts of a deployment; those that fire only if that is said."""
    query = sa.delete(watch_alert).where(watch_alert.c.deployment_id == deployment_id)
    connection.execute(query if firing else query.where(watch_alert.c.until > 0))
    for table in (watch_rules, watch_silence):
        connection.execute(sa.delete(table).where(table.c.deployment_id == deployment_id))


# -- rules ---------------------------------------------------------------------------------------


def rules(connection: sa.Connection, deployment_id: int) -> RulesRow | None:
    row = connection.execute(_RULES.where(watch_rules.c.deployment_id == deployment_id)).first()
    return None if row is None else RulesRow._make(row)


def rules_of_all(connection: sa.Connection) -> dict[int, RulesRow]:
    """By deployment."""
    return {row.deployment_id: RulesRow._make(row) for row in connection.execute(_RULES)}


def put_rules(connection: sa.Connection, row: RulesRow) -> None:
    put(connection, watch_rules, [row._asdict()])


def drop_rules(connection: sa.Connection, deployment_id: int) -> bool:
    """Whether there were any."""
    query = sa.delete(watch_rules).where(watch_rules.c.deployment_id == deployment_id)
    return connection.execute(query).rowcount > 0


# -- silences ------------------------------------------------------------------------------------


def silences(connection: sa.Connection, now: int) -> list[SilenceRow]:
    """Those that hold now; the first to end first."""
    return [SilenceRow._make(row) for row in connection.execute(_SILENCES, {"now": now})]


def add_silence(connection: sa.Connection, **values: object) -> int:
    key = connection.execute(sa.insert(watch_silence), values).inserted_primary_key
    return int(key[0]) if key else 0


def drop_silence(connection: sa.Connection, key: int) -> bool:
    """Whether it was there."""
    query = sa.delete(watch_silence).where(watch_silence.c.id == key)
    return connection.execute(query).rowcount > 0


# -- channels ------------------------------------------------------------------------------------


def channels(connection: sa.Connection) -> list[ChannelRow]:
    """By name."""
    found = connection.execute(_CHANNELS.order_by(watch_channel.c.name))
    return [ChannelRow._make(row) for row in found]


def channel(connection: sa.Connection, name: str) -> ChannelRow | None:
    row = connection.execute(_CHANNELS.where(watch_channel.c.name == name)).first()
    return None if row is None else ChannelRow._make(row)


def add_channel(connection: sa.Connection, values: Mapping[str, object]) -> int:
    key = connection.execute(sa.insert(watch_channel), dict(values)).inserted_primary_key
    return int(key[0]) if key else 0


def drop_channel(connection: sa.Connection, name: str) -> bool:
    """Whether it was there."""
    return (
        connection.execute(sa.delete(watch_channel).where(watch_channel.c.name == name)).rowcount
        > 0
    )
