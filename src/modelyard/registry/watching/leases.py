"""Work that one of several servers is to do: whoever has the lease."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.catalog.queries import watch

if TYPE_CHECKING:
    import sqlalchemy as sa

    from modelyard.registry.house import House

__all__ = ["take"]


def take(house: House, name: str, server: str, seconds: float) -> bool:
    """Have a lease for so long from now on, by the database's clock; False: somebody else has it.

    Whoever has it takes it again before it ends.
    """

    def work(connection: sa.Connection) -> bool:
        now = house.catalog.now(connection)
        if watch.lease_of(connection, name) is None:
            watch.add_lease(connection, name)
        until = now + int(seconds * 1e6)
        return watch.take_lease(connection, name, server[:100], now, until)

    return house.catalog.write_soft(work)
