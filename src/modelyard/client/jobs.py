"""Long work on a server: asked for, watched by its events, and its result."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from modelyard.client.failures import strange
from modelyard.core.decoding import converted, decode_json
from modelyard.core.version import Progress
from modelyard.core.wire import Problem, decode, error_of
from modelyard.errors import ModelyardError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from modelyard.client.connection import Connection

__all__ = ["run_job"]

T = TypeVar("T")

_WAIT, _WATCHED_WAIT = 30, 1
_LONGEST_LINE = 64 << 20
_PAUSE = 1.0


class _Begun(msgspec.Struct):
    id: str | int


class _Job(msgspec.Struct):
    state: str
    result: Any = None
    problem: Any = None


def run_job(
    connection: Connection,
    method: str,
    path: Sequence[str | int],
    cls: type[T],
    *,
    body: object = None,
    query: Mapping[str, Any] | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> T:
    """Have something done that may take long, and give what comes of it."""
    wait = _WATCHED_WAIT if progress else _WAIT
    prefer = {"prefer": f"respond-async, wait={wait}"}
    reply = connection.request(method, path, query=query, body=body, headers=prefer)
    if reply.status != 202:
        return reply.as_(cls)
    job = reply.as_(_Begun).id
    while True:
        try:
            for event, data in _events(connection, job):
                if event == "done":
                    return decode(data, cls)
                if event == "failed":
                    raise error_of(data, _status(data))
                if event == "progress" and progress is not None:
                    progress(decode(data, Progress))
        except Unavailable as error:
            if error.kind != "unreachable":
                raise
        done, value = _look(connection, job, cls)
        if done and value is not None:
            return value
        time.sleep(_PAUSE)


def _look(connection: Connection, job: str | int, cls: type[T]) -> tuple[bool, T | None]:
    """How a job is, if its events have ended before it did."""
    found = connection.get(("jobs", job), _Job)
    if found.state == "done":
        return True, converted(found.result, cls)
    if found.problem is not None:
        raise _error(found.problem)
    if found.state in ("failed", "cancelled", "lost"):
        raise strange(connection.address, f"the job {job} {found.state}, and does not say why")
    return False, None


def _error(problem: object) -> ModelyardError:
    content = msgspec.json.encode(problem)
    return error_of(content, _status(content))


def _status(data: bytes) -> int:
    try:
        return decode_json(data, Problem).status
    except msgspec.MsgspecError:
        return 500


def _events(connection: Connection, job: str | int) -> Iterator[tuple[str, bytes]]:
    """Server-sent events, one after the other."""
    headers = {"accept": "text/event-stream"}
    with connection.stream(("jobs", job, "events"), headers=headers) as response:
        event, data = "message", bytearray()
        for line in _lines(connection, response):
            if not line:
                if data:
                    yield event, bytes(data)
                event, data = "message", bytearray()
            elif line.startswith(b"event:"):
                event = line[6:].strip().decode("ascii", "replace")
            elif line.startswith(b"data:"):
                data += (b"\n" if data else b"") + line[5:].removeprefix(b" ")


def _lines(connection: Connection, response: Any) -> Iterator[bytes]:
    rest = b""
    for piece in connection.pieces(response):
        rest += piece
        if len(rest) > _LONGEST_LINE:
            raise strange(connection.address, "an event without end")
        *lines, rest = rest.split(b"\n")
        for line in lines:
            yield line.removesuffix(b"\r")
