"""How git and git-lfs come in: who asks, the body in bounds, errors in words that git shows."""

from __future__ import annotations

import hashlib
import json
import math
import tempfile
import zlib
from typing import IO, TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from modelyard.errors import InvalidInput, ModelyardError
from modelyard.server.auth import again, let_in
from modelyard.server.intake import Bounds
from modelyard.server.problems import answer_to, status_of
from modelyard.server.routing import on_model, plain

if TYPE_CHECKING:
    from fastapi import APIRouter

    from modelyard.server.routing import Needs

__all__ = ["LFS", "Body", "git_route"]

LFS = "application/vnd.git-lfs+json"
_IN_MEMORY = 4 << 20
_STEP = 1 << 20
_INFLATED = 256 << 20
"""The most that a compressed body may become; git compresses what it asks, git-lfs nothing."""

Handler = "Callable[[Ask, str, Body], Response]"


class Body:
    """A request's body, in memory or in a file that nobody else sees."""

    def __init__(self, folder: Any) -> None:
        self.file: IO[bytes] = tempfile.SpooledTemporaryFile(  # noqa: SIM115 - closed by `close`
            _IN_MEMORY, dir=folder
        )
        self.size = 0
        self.sha256 = hashlib.sha256()

    def write(self, piece: bytes) -> None:
        self.file.write(piece)
        self.size += len(piece)
        self.sha256.update(piece)

    def read(self) -> bytes:
        self.file.seek(0)
        return self.file.read()

    def close(self) -> None:
        self.file.close()


def git_route(
    router: APIRouter, method: str, path: str, needs: Needs, handler: Any, *, body: int = 1 << 20
) -> None:
    """Serve `/{ns}/{name}.git` + path, and `/{name}.git` + path.

    Args:
        handler: Called in a thread with the ask, the model's name now, and the body.
        body: The most bytes that are taken, inflated ones too.
    """

    async def endpoint(request: Request) -> Response:
        intake = request.scope.get("intake")
        if intake is not None:
            intake.take("/{model}.git" + path, Bounds(body, math.inf))
        parts = [request.path_params.get("ns"), request.path_params["name"]]
        model = "/".join(plain(part) for part in parts if part is not None)
        taken: Body | None = None
        try:
            pushes = request.query_params.get("service") == "git-receive-pack"
            role = on_model("writer") if pushes and path == "/info/refs" else needs
            ask, name = await run_in_threadpool(let_in, request, role, model)
            taken = await _taken(request, body, ask.server.house.root)
            ask = await run_in_threadpool(again, ask)
            answer: Response = await run_in_threadpool(handler, ask, name or model, taken)
            return answer
        except ClientDisconnect:
            refused = getattr(intake, "refused", None)
            return _problem(request, refused or InvalidInput("bad-request", "the body is cut"))
        except Exception as error:  # the door: every error becomes an answer here
            return _problem(request, error)
        finally:
            if taken is not None:
                taken.close()

    endpoint.needs = needs  # type: ignore[attr-defined]
    for prefix in ("/{ns}/{name}.git", "/{name}.git"):
        router.add_route(prefix + path, endpoint, [method], include_in_schema=False)


async def _taken(request: Request, limit: int, folder: Any) -> Body:
    """The body, inflated if it is gzip. InvalidInput: `too-large`, `bad-request`."""
    body = Body(folder)
    encoding = request.headers.get("content-encoding", "identity")
    if encoding not in ("identity", "gzip", "x-gzip") or (
        encoding != "identity" and limit > _INFLATED  # a small body would fill the disk
    ):
        raise InvalidInput("wrong-media-type", "a body is plain or gzip")
    inflater = None if encoding == "identity" else zlib.decompressobj(31)
    waiting = bytearray()
    try:
        async for piece in request.stream():
            waiting += piece if inflater is None else _inflated(inflater, piece, limit - body.size)
            if body.size + len(waiting) > limit:
                raise InvalidInput("too-large", f"the body has more than {limit:,} bytes")
            if len(waiting) >= _STEP:
                await run_in_threadpool(body.write, bytes(waiting))
                waiting.clear()
        if inflater is not None and body.size + len(waiting) and not inflater.eof:
            raise InvalidInput("bad-request", "the body is cut")
        body.write(bytes(waiting))
    except BaseException:
        body.close()
        raise
    return body


def _inflated(inflater: Any, piece: bytes, room: int) -> bytes:
    try:
        out: bytes = inflater.decompress(piece, max(room, 0) + 1)
    except zlib.error:
        raise InvalidInput("bad-request", "the body can't be inflated") from None
    return out


def _problem(request: Request, error: Exception) -> Response:
    """Words for people: git shows plain text, git-lfs a message in JSON."""
    number = request.scope.get("request_id")
    answer = answer_to(error, number)
    message = "this should not have happened; the server's log tells more"
    status, headers = answer.status_code, {"cache-control": "no-store"}
    if isinstance(error, ModelyardError):
        status = 410 if error.kind == "purged" else status_of(error)
        message = f"{error.message}: {error.hint}" if error.hint else error.message
    for name in ("retry-after",):
        if name in answer.headers:
            headers[name] = answer.headers[name]
    if status == 401:
        headers["www-authenticate"] = 'Basic realm="modelyard"'
        headers["lfs-authenticate"] = 'Basic realm="modelyard"'
    if "/info/lfs/" in request.url.path:
        told = json.dumps({"message": message, "request_id": number})
        return Response(told, status, headers, LFS)
    return Response(message + "\n", status, headers, "text/plain; charset=utf-8")
