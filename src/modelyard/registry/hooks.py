"""Webhooks of a yard: made, changed, looked at. A server delivers (`server.hooks`).

Maintainers of a pattern look after its webhooks, admins after those of `*`. A webhook is told what
its owner may read: who made it, or gave it its URL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from modelyard.catalog.queries import deliveries, hooks
from modelyard.core.access import Role, at_least
from modelyard.core.events import wanted
from modelyard.core.hooks import Delivery, DeliveryState, Hook, MadeHook, new_secret
from modelyard.errors import Conflict, InvalidInput, NotFound
from modelyard.registry.access import note
from modelyard.registry.access.rights import acting, need
from modelyard.registry.events import settled
from modelyard.registry.lookup import moment

if TYPE_CHECKING:
    import sqlalchemy as sa

    from modelyard.catalog.queries.deliveries import DeliveryRow
    from modelyard.catalog.queries.hooks import HookRow
    from modelyard.core.hooks import HookChange, NewHook
    from modelyard.registry.house import House

__all__ = [
    "add_hook", "all_hooks", "change_hook", "check_url", "deliveries_of", "find_hook",
    "hook_row", "redeliver", "remove_hook",
]  # fmt: skip

_LONGEST = 2000
_MOST = 100
"""Webhooks of one account."""


def add_hook(house: House, new: NewHook) -> MadeHook:
    """Make a webhook, which is told of what happens from now on.

    Raises:
        InvalidInput: `bad-hook-url`, `bad-event-kind`, `bad-pattern`.
        Denied: `not-allowed`.
    """
    check_url(new.url)
    asked = wanted(new.events, new.pattern)
    need(house, asked.pattern, _role(asked.pattern))
    secret, seen = new_secret(), settled(house)

    def work(connection: sa.Connection) -> int:
        mine = [row for row in hooks.all_of(connection) if row.account_id == house.caller.id]
        if len(mine) >= _MOST:
            raise Conflict(
                "too-many-hooks", f"there are {len(mine)} webhooks of yours already",
                hint="yard webhook list, yard webhook remove ID",
            )  # fmt: skip
        values = {
            "url": new.url, "secret": secret, "events": " ".join(sorted(asked.kinds)),
            "pattern": asked.pattern, "account_id": house.caller.id, "active": True, "seen": seen,
            "created": house.catalog.now(connection),
        }  # fmt: skip
        return hooks.add(connection, values)

    hook = find_hook(house, house.catalog.write(work))
    note(house, "hook-made", {"hook": hook.id, "url": _bare(hook.url), "pattern": hook.pattern})
    return MadeHook(hook, secret)


def all_hooks(house: House) -> list[Hook]:
    with house.catalog.fresh() as connection:
        rows = hooks.all_of(connection)
    return [_hook(row) for row in rows if _may(house, row)]


def find_hook(house: House, key: int) -> Hook:
    """NotFound: `no-hook`."""
    return _hook(hook_row(house, key))


def hook_row(house: House, key: int) -> HookRow:
    """With its secret. NotFound: `no-hook`, also for one that the caller may not look after."""
    with house.catalog.fresh() as connection:
        row = hooks.by_id(connection, key)
    if row is None or not _may(house, row):
        raise no_hook(key)
    return row


def _may(house: House, row: HookRow) -> bool:
    return at_least(acting(house).role_over(row.pattern), _role(row.pattern))


def _role(pattern: str) -> Role:
    return "admin" if pattern == "*" else "maintainer"


def change_hook(house: House, key: int, change: HookChange) -> Hook:
    """One that is made active again hears of what happens from then on."""
    find_hook(house, key)
    values: dict[str, object] = {}
    owner = {}
    if change.url is not None:
        check_url(change.url)
        values["url"], owner = change.url, {"account_id": house.caller.id}
    if change.events is not None:
        values["events"] = " ".join(sorted(wanted(change.events).kinds))
    seen = settled(house)

    def work(connection: sa.Connection) -> None:
        found = hooks.lock(connection, key)
        if found is None:
            raise no_hook(key)
        told = {**values, **owner}
        if change.active is not None and change.active != found[1]:
            told["active"] = change.active
            if change.active:
                told["seen"] = max(seen, found[0])
            else:
                deliveries.give_up(connection, key, "the webhook was switched off")
        if told:
            hooks.change(connection, key, **told)

    house.catalog.write(work)
    told = {"url": _bare(change.url)} if change.url is not None else {}
    note(house, "hook-changed", {"hook": key, **values, "active": change.active, **told})
    return find_hook(house, key)


def remove_hook(house: House, key: int) -> Hook:
    """NotFound: `no-hook`."""
    found = find_hook(house, key)

    def work(connection: sa.Connection) -> None:
        deliveries.drop_of(connection, key)
        hooks.drop(connection, key)

    house.catalog.write(work)
    note(house, "hook-removed", {"hook": key, "url": _bare(found.url)})
    return found


def deliveries_of(house: House, key: int, limit: int, before: int = 1 << 62) -> list[Delivery]:
    """What was sent to a hook, or is to be; newest first. NotFound: `no-hook`."""
    find_hook(house, key)
    with house.catalog.fresh() as connection:
        rows = deliveries.of_hook(connection, key, limit, before)
    return [_delivery(row) for row in rows]


def redeliver(house: House, key: int, delivery: int) -> Delivery:
    """Send an event again, as if it were new. NotFound: `no-hook`, `no-delivery`."""
    find_hook(house, key)

    def work(connection: sa.Connection) -> DeliveryRow:
        hooks.lock(connection, key)
        row = deliveries.by_id(connection, delivery)
        if row is None or row.hook_id != key:
            raise NotFound("no-delivery", f"the webhook {key} has no delivery {delivery}")
        if row.state in ("done", "failed"):
            now = house.catalog.now(connection)
            again = {"state": "waiting", "attempts": 0, "due": now, "created": now, "error": ""}
            deliveries.change(connection, delivery, status=None, **again)
        return deliveries.by_id(connection, delivery) or row

    return _delivery(house.catalog.write(work))


def check_url(url: str) -> None:
    """InvalidInput: `bad-hook-url`. Where it leads is looked at whenever something is sent."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _bad("this is no URL") from None
    if len(url) > _LONGEST or not url.isascii() or not url.isprintable() or " " in url:
        raise _bad("the URL is too long, or has characters that none may have")
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise _bad("a webhook's URL begins with https://HOST or http://HOST")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise _bad("a webhook's URL has no user, password or #part")


def _bare(url: str) -> str:
    """Without its query, which may hold a secret."""
    return url.partition("?")[0]


def no_hook(key: int) -> NotFound:
    return NotFound("no-hook", f"there is no webhook {key}", hint="yard webhook list")


def _bad(text: str) -> InvalidInput:
    return InvalidInput("bad-hook-url", text, hint="such as https://ci.example.org/hooks/models")


def _hook(row: HookRow) -> Hook:
    return Hook(
        id=row.id, url=row.url, events=tuple(row.events.split()), pattern=row.pattern,
        active=bool(row.active), owner=row.owner, created=moment(row.created),
    )  # fmt: skip


def _delivery(row: DeliveryRow) -> Delivery:
    return Delivery(
        id=row.id, event=row.event, state=cast("DeliveryState", row.state), attempts=row.attempts,
        due=moment(row.due), status=row.status, error=row.error, created=moment(row.created),
    )  # fmt: skip
