"""Channels of a yard: made, listed, removed by admins. `monitoring.alerts` tells people there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from modelyard.catalog.queries import watch_alerts
from modelyard.core.channels import Channel, MadeChannel, Reach, check_channel, shown
from modelyard.core.hooks import new_secret
from modelyard.errors import Conflict, NotFound
from modelyard.registry.access import note
from modelyard.registry.access.rights import need
from modelyard.registry.lookup import moment

if TYPE_CHECKING:
    import sqlalchemy as sa

    from modelyard.catalog.queries.watch_alerts import ChannelRow
    from modelyard.core.channels import NewChannel
    from modelyard.registry.house import House

__all__ = ["add", "listed", "reach", "reaches", "remove"]

_MOST = 100


def add(house: House, new: NewChannel) -> MadeChannel:
    """Make a channel. What is sent to a webhook is signed with a secret that is made now.

    Raises:
        InvalidInput: `bad-channel`.
        Conflict: `channel-exists`, `too-many-channels`.
        Denied: `not-allowed`: it takes an admin.
    """
    need(house, "*", "admin")
    check_channel(new)
    made = new_secret() if new.kind == "webhook" else None
    body = {
        "address": new.address, "secret": made or new.secret, "relay": new.relay,
        "sender": new.sender,
    }  # fmt: skip

    def work(connection: sa.Connection) -> ChannelRow | None:
        if watch_alerts.channel(connection, new.name) is not None:
            raise Conflict(
                "channel-exists", f"a channel is named {new.name}",
                hint=f"yard channel delete {new.name}",
            )  # fmt: skip
        if len(watch_alerts.channels(connection)) >= _MOST:
            raise Conflict("too-many-channels", f"there are {_MOST} channels already")
        values = {
            "name": new.name, "kind": new.kind, "pattern": new.pattern, "severity": new.severity,
            "body": json.dumps(body), "created": house.catalog.now(connection),
            "who": house.author[:200],
        }  # fmt: skip
        watch_alerts.add_channel(connection, values)
        return watch_alerts.channel(connection, new.name)

    row = house.catalog.write_alone(work)
    assert row is not None
    note(house, "channel-made", {"channel": new.name, "kind": new.kind, "pattern": new.pattern})
    return MadeChannel(_channel(row), made)


def listed(house: House) -> list[Channel]:
    """All, by name. Denied: `not-allowed`: it takes an admin."""
    need(house, "*", "admin")
    with house.catalog.fresh() as connection:
        return [_channel(row) for row in watch_alerts.channels(connection)]


def remove(house: House, name: str) -> Channel:
    """NotFound: `no-channel`. Denied: `not-allowed`."""
    need(house, "*", "admin")

    def work(connection: sa.Connection) -> ChannelRow | None:
        row = watch_alerts.channel(connection, name)
        watch_alerts.drop_channel(connection, name)
        return row

    row = house.catalog.write_alone(work)
    if row is None:
        raise _unknown(name)
    note(house, "channel-removed", {"channel": name})
    return _channel(row)


def reach(house: House, name: str) -> Reach:
    """What sending to one takes. NotFound: `no-channel`. Denied: `not-allowed`."""
    need(house, "*", "admin")
    with house.catalog.fresh() as connection:
        row = watch_alerts.channel(connection, name)
    if row is None:
        raise _unknown(name)
    return _reach(row)


def reaches(house: House) -> list[Reach]:
    """All, whoever asks: for who sends."""
    with house.catalog.fresh() as connection:
        return [_reach(row) for row in watch_alerts.channels(connection)]


def _channel(row: ChannelRow) -> Channel:
    kind = cast("Any", row.kind)
    return Channel(
        name=row.name, kind=kind, address=shown(kind, json.loads(row.body)["address"]),
        pattern=row.pattern, severity=cast("Any", row.severity), created=moment(row.created),
        who=row.who,
    )  # fmt: skip


def _reach(row: ChannelRow) -> Reach:
    return Reach(
        name=row.name, kind=cast("Any", row.kind), pattern=row.pattern,
        severity=cast("Any", row.severity), **json.loads(row.body),
    )  # fmt: skip


def _unknown(name: str) -> NotFound:
    return NotFound(
        "no-channel", f"no channel is named {name[:80]}", hint="yard channel lists them"
    )
