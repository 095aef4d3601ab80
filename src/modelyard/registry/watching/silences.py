"""Silences: nobody is told of some alerts for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from modelyard.catalog.queries import watch_alerts
from modelyard.core.monitoring import Silence
from modelyard.errors import InvalidInput, NotFound
from modelyard.registry.access import note
from modelyard.registry.access.rights import need
from modelyard.registry.deployments.reading import all_deployments
from modelyard.registry.lookup import moment
from modelyard.registry.watching.seeing import watched

if TYPE_CHECKING:
    import sqlalchemy as sa

    from modelyard.catalog.queries.watch_alerts import SilenceRow
    from modelyard.registry.house import House

__all__ = ["Hush", "add", "current", "hushes", "remove"]

_LONGEST = 30 * 86_400.0


class Hush(NamedTuple):
    """A silence as it is compared with alerts."""

    deployment_id: int
    """0: of all."""
    rule: str
    """Empty: all."""

    def takes(self, deployment_id: int, rule: str) -> bool:
        return self.deployment_id in (0, deployment_id) and self.rule in ("", rule)


def hushes(house: House) -> list[Hush]:
    """All that hold now, whoever asks."""
    with house.catalog.fresh() as connection:
        rows = watch_alerts.silences(connection, house.catalog.now(connection))
    return [Hush(row.deployment_id, row.rule) for row in rows]


def add(
    house: House, name: str, rule: str = "", *, seconds: float = 3600.0, reason: str = ""
) -> Silence:
    """Tell nobody of alerts of a rule (all if empty) of a deployment (all if empty) for a while.

    Raises:
        NotFound: `no-deployment`.
        InvalidInput: `bad-silence`.
        Denied: `not-allowed`; that of all deployments takes an admin.
    """
    if not 0 < seconds <= _LONGEST:
        raise InvalidInput("bad-silence", "a silence lasts more than 0 seconds and at most 30 days")
    if len(rule) > 100 or len(reason) > 500:
        raise InvalidInput("bad-silence", "the rule or the reason is too long")
    if name:
        key = watched(house, name, change=True).id
    else:
        need(house, "*", "admin")
        key = 0

    def work(connection: sa.Connection) -> tuple[int, int]:
        until = house.catalog.now(connection) + int(seconds * 1_000_000)
        made = watch_alerts.add_silence(
            connection, deployment_id=key, rule=rule, until=until, who=house.author[:200],
            reason=reason,
        )  # fmt: skip
        return made, until

    number, until = house.catalog.write(work)
    note(house, "silenced", {"deployment": name, "rule": rule, "seconds": seconds})
    return Silence(
        id=number, deployment=name, rule=rule, until=moment(until), who=house.author, reason=reason
    )


def current(house: House) -> tuple[Silence, ...]:
    """Those that hold now, of deployments that the caller may see."""
    seen = {each.name for each in all_deployments(house)}
    return tuple(
        Silence(
            id=row.id, deployment=row.name or "", rule=row.rule, until=moment(row.until),
            who=row.who, reason=row.reason,
        )
        for row in _rows(house)
        if not row.deployment_id or row.name in seen
    )  # fmt: skip


def remove(house: House, number: int) -> None:
    """End one. NotFound: `no-silence`. Denied: `not-allowed`."""
    row = next((row for row in _rows(house) if row.id == number), None)
    if row is None:
        raise _unknown(number)
    if not row.deployment_id:
        need(house, "*", "admin")
    elif row.name is not None:
        try:
            watched(house, row.name, change=True)
        except NotFound:
            raise _unknown(number) from None
    house.catalog.write(lambda connection: watch_alerts.drop_silence(connection, number))
    note(house, "unsilenced", {"deployment": row.name or "", "rule": row.rule})


def _rows(house: House) -> list[SilenceRow]:
    with house.catalog.fresh() as connection:
        return watch_alerts.silences(connection, house.catalog.now(connection))


def _unknown(number: int) -> NotFound:
    return NotFound("no-silence", f"there is no silence {number}", hint="yard silence lists them")
