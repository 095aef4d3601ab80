"""Texts of rules: those of a deployment, and those that come with a version. What they mean only
`monitoring` knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelyard.catalog.queries import deployments, watch_alerts
from modelyard.catalog.queries.watch_alerts import RulesRow
from modelyard.errors import NotFound
from modelyard.registry import files
from modelyard.registry.access.notes import write_note
from modelyard.registry.watching.seeing import watched

if TYPE_CHECKING:
    import sqlalchemy as sa

    from modelyard.registry.house import House
    from modelyard.registry.watching.seeing import Watched

__all__ = ["FILE", "Ruled", "drop", "kept", "of_version", "put", "ruled"]

FILE = "monitoring.yaml"
"""At the top of a version: rules that come with it."""
_LARGEST = 64 << 10


@dataclass(frozen=True, slots=True)
class Ruled:
    """A deployment that is watched, and what says how."""

    id: int
    name: str
    model: str
    """The stable version's."""
    number: int
    text: RulesRow | None
    """The deployment's own rules."""


def ruled(house: House) -> list[Ruled]:
    """All deployments that are served, whoever asks."""
    with house.catalog.fresh() as connection:
        living = deployments.living(connection)
        texts = watch_alerts.rules_of_all(connection)
        stable: dict[int, tuple[str, int]] = {}
        for share in deployments.wished(connection):
            number = share.number if share.paused else share.now
            stable.setdefault(share.deployment_id, (share.model, number))
    return [
        Ruled(row.id, row.name, *stable[row.id], texts.get(row.id))
        for row in living
        if row.id in stable
    ]


def of_version(house: House, model: str, number: int) -> str | None:
    """The text of `monitoring.yaml` in a version; None if it has none, or is not there any more.

    Raises whatever keeps it from being read now: the store may be away.
    """
    try:
        found = files.contents(house, model, number)
    except NotFound:
        return None
    if FILE not in found.tree:
        return None
    with files.open_file(house, found, FILE) as stream:
        data = stream.read(_LARGEST + 1)
    return data.decode("utf-8", "replace")


def kept(house: House, watched_id: int) -> RulesRow | None:
    """A deployment's own rules."""
    with house.catalog.fresh() as connection:
        return watch_alerts.rules(connection, watched_id)


def put(house: House, name: str, text: str) -> Watched:
    """Give a deployment rules of its own. NotFound: `no-deployment`. Denied: `not-allowed`."""
    found = watched(house, name, change=True)

    def work(connection: sa.Connection) -> None:
        now = house.catalog.now(connection)
        watch_alerts.put_rules(connection, RulesRow(found.id, text, now, house.author[:200]))
        _note(house, connection, found, "set")

    house.catalog.write(work)
    return found


def drop(house: House, name: str) -> Watched:
    """Take them away again."""
    found = watched(house, name, change=True)

    def work(connection: sa.Connection) -> None:
        if watch_alerts.drop_rules(connection, found.id):
            _note(house, connection, found, "default")

    house.catalog.write(work)
    return found


def _note(house: House, connection: sa.Connection, found: Watched, what: str) -> None:
    model = found.serves[0].model_id if found.serves else 0
    write_note(house, connection, "rules", {"deployment": found.name, "what": what}, model=model)
