"""Who may ask: everybody on this machine, or who has an account that may read the model.

Every request is looked through, so a gate remembers who somebody was and what they might: for one
second, and asks anew before that is over. While the catalog does not answer, who was known goes on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING

from modelyard.core.access import at_least
from modelyard.errors import Denied, NotFound, Unavailable
from modelyard.serving.interface import Client

if TYPE_CHECKING:
    from modelyard.core.access import Caller, Role
    from modelyard.registry.house import House
    from modelyard.serving.interface import Line

__all__ = ["AccountsGate", "OpenGate"]

Headers = Mapping[bytes, bytes]
Guessing = Callable[[str, str | None], AbstractContextManager[None]]
_Key = tuple[bytes | None, bytes | None, str | None]

_FRESH, _LONGEST = 0.5, 1.0
"""Seconds after which it is asked anew who somebody is; and for which nobody is asked for sure."""
_OUTAGE = 300.0
"""Seconds for which callers go on that were known when the catalog stopped answering."""
_MOST = 20_000
"""Callers that are remembered."""


class OpenGate:
    """Lets everybody in: for this machine only."""

    _client = Client("local", "local")

    def known(self, headers: Headers, address: str | None, line: Line | None) -> Client:
        return self._client

    async def look(self, headers: Headers, address: str | None, line: Line | None) -> Client:
        return self._client

    def reads(self, headers: Headers, address: str | None, line: Line) -> bool:
        return True

    async def may(self, headers: Headers, address: str | None, line: Line, role: Role) -> None:
        """Everybody may."""


@dataclass(slots=True, eq=False)
class _Known:
    """Somebody who was let in."""

    caller: Caller
    client: Client
    seen: float
    """When the catalog said so (monotonic)."""
    until: float
    password: str = ""
    """What tells that the password that was shown is still the right one."""
    lines: dict[str, Line] = field(default_factory=dict)
    """That they may ask, by name."""
    asking: asyncio.Task[_Known] | None = None


class AccountsGate:
    """Who has a token, a password or a session of an account that may read the models.

    Args:
        guessing: Counts wrong passwords and tokens, by what was shown and the address.
        per_minute: Requests of one account, and of one address that is not signed in.
    """

    def __init__(
        self,
        house: House,
        *,
        guessing: Guessing = lambda shown, address: nullcontext(),
        per_minute: tuple[int, int] = (6_000_000, 6_000),
    ) -> None:
        self._house = house
        self._guessing = guessing
        self._most, self._most_strangers = per_minute
        self._callers: dict[_Key, _Known] = {}
        self._asking: dict[_Key, asyncio.Task[_Known]] = {}
        self._counts: dict[str | tuple[str, str], int] = {}
        self._minute = 0.0

    def known(self, headers: Headers, address: str | None, line: Line | None) -> Client | None:
        shown, cookie = headers.get(b"authorization"), headers.get(b"cookie")
        key = (shown, cookie if shown is None else None, address)
        found = self._callers.get(key)
        if found is None:
            return None
        now = time.monotonic()
        if now > found.until:
            return None
        if now - found.seen > _FRESH and found.asking is None:
            found.asking = self._ask(key)
        return self._let_in(found, line, now)

    async def look(self, headers: Headers, address: str | None, line: Line | None) -> Client:
        found = await self._look(headers, address)
        return self._let_in(found, line, time.monotonic())

    def reads(self, headers: Headers, address: str | None, line: Line) -> bool:
        shown, cookie = headers.get(b"authorization"), headers.get(b"cookie")
        found = self._callers.get((shown, cookie if shown is None else None, address))
        return found is not None and _reads(found.caller, line)

    async def may(self, headers: Headers, address: str | None, line: Line, role: Role) -> None:
        caller = (await self._look(headers, address)).caller
        for share in line.spec.shares:
            if not caller.may(share.model, role):
                raise Denied(
                    "not-allowed",
                    f"{share.model}: this takes the role {role}, and yours is "
                    f"{caller.role(share.model)}",
                    hint="an admin of the model gives roles: yard role give",
                )  # fmt: skip

    # -- who it is -------------------------------------------------------------------------------

    async def _look(self, headers: Headers, address: str | None) -> _Known:
        shown, cookie = headers.get(b"authorization"), headers.get(b"cookie")
        key = (shown, cookie if shown is None else None, address)
        task = self._asking.get(key) or self._ask(key)
        return await asyncio.shield(task)

    def _ask(self, key: _Key) -> asyncio.Task[_Known]:
        """Ask the catalog, once however many wait for it."""
        task = asyncio.get_running_loop().create_task(self._asked(key))
        self._asking[key] = task
        task.add_done_callback(lambda done: self._answered(key, done))
        return task

    async def _asked(self, key: _Key) -> _Known:
        before = self._callers.get(key)
        try:
            caller, password = await asyncio.to_thread(self._signed_in, key, before)
        except Unavailable as error:
            now = time.monotonic()
            if error.kind == "too-many-requests" or before is None or now - before.seen > _OUTAGE:
                raise
            before.until, before.asking = now + _LONGEST, None
            return before
        except BaseException:
            self._callers.pop(key, None)
            raise
        now = time.monotonic()
        if caller.account is None:
            client = Client(f"address:{caller.address}", caller.address or "unknown")
        else:
            client = Client(f"account:{caller.account.id}", caller.account.name)
        if len(self._callers) >= _MOST:
            self._callers.clear()
        found = self._callers[key] = _Known(caller, client, now, now + _LONGEST, password)
        return found

    def _answered(self, key: _Key, task: asyncio.Task[_Known]) -> None:
        self._asking.pop(key, None)
        if not task.cancelled():
            task.exception()  # whoever waited was told; there may be nobody

    def _signed_in(self, key: _Key, before: _Known | None) -> tuple[Caller, str]:
        """Who it is, and what tells whether their password stays right.

        Denied: `bad-token`, `wrong-password`.
        """
        from modelyard.registry.access import signed_in_by
        from modelyard.registry.access.door import by_password_again, password_seen

        authorization, cookie, address = key
        if before is not None and before.password and before.caller.name:
            again = by_password_again(
                self._house, before.caller.name, before.password, address=address
            )
            if again is not None:
                return again, before.password
        headers = {"authorization": authorization.decode("latin-1")} if authorization else {}
        cookies = {} if cookie is None else _cookies(cookie)
        shown = headers.get("authorization", "")
        with self._guessing(shown, address):
            caller = signed_in_by(self._house, headers, cookies, address=address)
        if caller.name is None or caller.token is not None or not shown:
            return caller, ""
        return caller, password_seen(self._house, caller.name)

    # -- what they may ---------------------------------------------------------------------------

    def _let_in(self, found: _Known, line: Line | None, now: float) -> Client:
        if line is None:
            self._check_reads(found.caller)
        elif found.lines.get(line.name) is not line:
            self._check(found.caller, line)
            found.lines[line.name] = line
        self._count(found, line, now)
        return found.client

    def _check_reads(self, caller: Caller) -> None:
        if not any(at_least(grant.role, "reader") for grant in caller.grants):
            raise _refused(caller, "")

    def _check(self, caller: Caller, line: Line) -> None:
        if not _reads(caller, line):
            raise _refused(caller, line.name)

    def _count(self, found: _Known, line: Line | None, now: float) -> None:
        """Unavailable: `too-many-requests`."""
        if now >= self._minute:
            self._counts.clear()
            self._minute = now + 60.0
        client, counts = found.client, self._counts
        count = counts[client.id] = counts.get(client.id, 0) + 1
        most = self._most_strangers if found.caller.account is None else self._most
        if line is not None and (own := line.spec.limits.per_minute) is not None:
            key = (client.id, line.name)
            here = counts[key] = counts.get(key, 0) + 1
            if here > own:
                raise _TooMany(self._minute - now)
        if count > most:
            raise _TooMany(self._minute - now)


def _cookies(header: bytes) -> dict[str, str]:
    try:
        parsed = SimpleCookie(header.decode("latin-1"))
    except CookieError:
        return {}
    return {name: morsel.value for name, morsel in parsed.items()}


def _reads(caller: Caller, line: Line) -> bool:
    return all(caller.may(share.model, "reader") for share in line.spec.shares)


class _TooMany(Unavailable):
    """Come again in so many seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds = max(1.0, seconds)
        super().__init__(
            "too-many-requests", "too many requests",
            hint=f"go on in {self.seconds:.0f} s, and more slowly",
        )  # fmt: skip


def _refused(caller: Caller, name: str) -> Denied | NotFound:
    """A deployment that somebody may not read is answered like one that is not there."""
    if caller.account is None:
        return Denied("not-signed-in", "say who you are", hint="yard login URL")
    if not name:
        return Denied("not-allowed", "this takes the role reader for some model")
    return NotFound(
        "no-deployment", f"Request for unknown model: '{name[:80]}' is not found",
        hint="POST /v2/repository/index lists what is served",
    )  # fmt: skip
