"""`Idempotency-Key`: a write that is sent again is answered as it was the first time.

A client that got no answer sends the same request with the same key, and nothing is done twice.
Answers are kept for a day; those that say "try again" (5xx, 429) are not. That a request began is
durable when what it does is, in the same log before it: no disk is waited for twice.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import threading
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from modelyard.catalog.queries import repeats
from modelyard.catalog.queries.repeats import RepeatRow
from modelyard.errors import Conflict, InvalidInput, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelyard.server.state import Ask

__all__ = ["repeated"]

_METHODS = ("POST", "PUT", "PATCH", "DELETE")
_LARGEST = 1 << 20
"""Bytes of an answer that is kept."""
_DAY = 86_400_000_000
_GIVEN_UP = 15 * 60_000_000
"""Microseconds after which a request that never ended is taken for one of a dead server."""
_SOON = (0.0, 0.03, 0.1)
"""Seconds in which another process writes down what it answered just now."""
_SKEW = 60_000_000
"""Clocks of the lines of a request may differ by so much."""
_HEADERS = ("content-type", "location", "etag")
_SWEEP_SECONDS = 600.0

_swept = 0.0
_sweeping = threading.Lock()


class _Known(Exception):
    """A request with this key began before."""

    def __init__(self, mine: RepeatRow, known: RepeatRow) -> None:
        self.mine, self.known = mine, known


def repeated(
    ask: Ask, work: Callable[[], Response], *, secret: bool = False, rides: bool = False
) -> Response:
    """The answer of `work`, or the one that was given to the same key before.

    Args:
        secret: Nothing that was answered is kept.
        rides: That it began is written with the first that `work` writes, which must be all that
            has an effect; if it was done before, what it did up to there was for nothing.

    InvalidInput: `bad-key`, `key-reused`. Conflict: `under-way`, `outcome-unknown`, and
    `shown-once` if the answer had a secret, which is not kept.
    """
    key = ask.request.headers.get("idempotency-key")
    if key is None or ask.request.method not in _METHODS or ask.caller.account is None:
        return work()
    if not 1 <= len(key) <= 200 or not key.isascii() or not key.isprintable():
        raise InvalidInput("bad-key", "an Idempotency-Key has 1 to 200 printable characters")
    number = ask.request.scope.get("request_id") or ""
    told = {"request": number, "process": _process()}
    row = RepeatRow(ask.caller.id, key, _digest(ask), 0, json.dumps(told), b"", 0)
    if rides:
        return _riding(ask, row, work, secret)
    return _once(ask, row, work, secret)


def _riding(ask: Ask, row: RepeatRow, work: Callable[[], Response], secret: bool) -> Response:
    catalog = ask.server.house.catalog
    begun: RepeatRow | None = None

    def first(connection: Any) -> None:
        nonlocal begun
        mine, known = _begin(ask, connection, row)
        if known is not None:
            raise _Known(mine, known)
        begun = mine

    try:
        _look(ask, row)
        with catalog.preceded(first):
            answer = _worked(ask, work)
        if begun is None:  # there was nothing to do, perhaps since it was done meanwhile
            _look(ask, row)
            return answer
        return _kept(ask, begun, answer, secret)
    except _Known as error:
        mine, known = error.mine, error.known
    before = _before(ask, mine, known)
    if before is not None:
        return before
    for gone in (known, mine):  # too old, or taken over
        catalog.write_soft(lambda connection, gone=gone: repeats.drop(connection, gone))  # type: ignore[misc]
    raise Unavailable(  # its body was read already
        "try-again", "a request with this key was never ended", hint="send it again"
    )


def _look(ask: Ask, row: RepeatRow) -> None:
    """_Known if there is a request with this key."""
    catalog = ask.server.house.catalog
    with catalog.fresh() as connection:
        known = repeats.get(connection, row)
        if known is not None:
            raise _Known(row._replace(created=catalog.now(connection)), known)


def _once(ask: Ask, row: RepeatRow, work: Callable[[], Response], secret: bool) -> Response:
    catalog = ask.server.house.catalog
    row, known = catalog.write_soft(lambda connection: _begin(ask, connection, row))
    if known is not None and known.created < row.created - _DAY:
        catalog.write_soft(lambda connection: repeats.drop(connection, known))
        return _once(ask, row, work, secret)
    before = None if known is None else _before(ask, row, known)
    return before or _kept(ask, row, _worked(ask, work), secret)


def _begin(ask: Ask, connection: Any, row: RepeatRow) -> tuple[RepeatRow, RepeatRow | None]:
    """Note that a request begins; and the one that has its key, if there is one."""
    now = ask.server.house.catalog.now(connection)
    _sweep(connection, now)
    mine = row._replace(created=now)
    return mine, repeats.begin(connection, mine)


def _before(ask: Ask, row: RepeatRow, known: RepeatRow) -> Response | None:
    """What was answered to the same key; None if it is to be done in its place."""
    if known.created < row.created - _DAY:
        return None
    if known.digest != row.digest:
        raise InvalidInput(
            "key-reused", "this Idempotency-Key was sent with another request",
            hint="make a new key for each request that is not the same",
        )  # fmt: skip
    known = known if known.status else _newest(ask, known)
    if known.status:
        return _again(known)
    _take_over(ask, row, known)
    return None


def _worked(ask: Ask, work: Callable[[], Response]) -> Response:
    """What `work` answers, its errors too."""
    try:
        return work()
    except _Known:
        raise
    except Exception as error:
        from modelyard.server.problems import answer_to

        return answer_to(error, ask.request.scope.get("request_id"))


def _kept(ask: Ask, row: RepeatRow, answer: Response, secret: bool) -> Response:
    """The answer, which is kept for who sends the same again."""
    catalog = ask.server.house.catalog
    body = getattr(answer, "body", None)
    if body is None or len(body) > _LARGEST or answer.status_code >= 500 or _passing(answer):
        catalog.write_soft(lambda connection: repeats.drop(connection, row))
        return answer
    headers = {name: answer.headers[name] for name in _HEADERS if name in answer.headers}
    if secret and answer.status_code < 400:
        body, headers = b"", {"secret": "yes"}
    kept = row._replace(status=answer.status_code, headers=json.dumps(headers), body=bytes(body))
    ask.server.answers.keep(kept)
    return answer


def _newest(ask: Ask, known: RepeatRow) -> RepeatRow:
    """A request that was not answered yet when the catalog was asked."""
    found = ask.server.answers.find(known)
    is_ours = json.loads(known.headers).get("process") == _process()
    for wait in (0.0,) if is_ours else _SOON:
        if found is not None and found.status:
            break
        time.sleep(wait)
        with ask.server.house.catalog.fresh() as connection:
            found = repeats.get(connection, known)
    return found or known


def _passing(answer: Response) -> bool:
    """Whether the same request may well be answered otherwise in a moment."""
    return answer.status_code in (401, 408, 429)


def _again(known: RepeatRow) -> Response:
    headers = json.loads(known.headers)
    if "secret" in headers:
        raise Conflict(
            "shown-once", "this was done, and its answer had a secret that is shown only once",
            hint="take it back and make another",
        )  # fmt: skip
    headers["idempotent-replay"] = "true"
    return Response(known.body, known.status, headers)


def _take_over(ask: Ask, row: RepeatRow, known: RepeatRow) -> None:
    """Begin again what a server never ended, unless it had an effect already."""
    catalog = ask.server.house.catalog
    told = json.loads(known.headers)
    lives = not _is_dead(told.get("process", ""))
    if lives and known.created > row.created - _GIVEN_UP:
        raise Conflict(
            "under-way", "the first request with this key is not answered yet",
            hint="ask again in a moment with the same key",
        )  # fmt: skip
    with catalog.fresh() as connection:
        if repeats.had_effect(connection, told.get("request", ""), known.created - _SKEW):
            raise Conflict(
                "outcome-unknown", "the first request with this key took effect, but its answer"
                " was lost", hint="look at the model's log before you try again",
            )  # fmt: skip
    if not catalog.write_soft(lambda connection: repeats.take_over(connection, row, known.created)):
        raise Conflict("under-way", "the request is under way again", hint="ask again in a moment")


@cache
def _process() -> str:
    """Names this process, also when its number is given to another one."""
    return f"{socket.gethostname()} {os.getpid()} {_born(os.getpid())}"


def _is_dead(process: str) -> bool:
    """Whether a process of this machine has ended; of another machine nobody knows."""
    host, _, rest = process.partition(" ")
    number, _, born = rest.partition(" ")
    return host == socket.gethostname() and number.isdigit() and _born(int(number)) != born


def _born(number: int) -> str:
    """When a process began, by the system's own count; empty if there is none."""
    try:
        text = Path(f"/proc/{number}/stat").read_text()
    except OSError:
        return ""
    return text.rpartition(")")[2].split()[19]


def _digest(ask: Ask) -> bytes:
    """Of what was asked. A raw body is read later, so only its length counts."""
    request = ask.request
    scope = request.scope
    hasher = hashlib.sha256()
    for part in (
        scope["method"], scope["path"], scope["query_string"].decode("latin-1"),
        request.headers.get("content-type", "").partition(";")[0],
    ):  # fmt: skip
        hasher.update(f"{len(part)}:{part}".encode())
    body = getattr(request, "_body", None)
    hasher.update(request.headers.get("content-length", "").encode() if body is None else body)
    return hasher.digest()


def _sweep(connection: Any, now: int) -> None:
    global _swept
    with _sweeping:
        if time.monotonic() - _swept < _SWEEP_SECONDS:
            return
        _swept = time.monotonic()
    repeats.drop_old(connection, now - _DAY)
