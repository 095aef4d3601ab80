"""Downloads: bytes of any length, as many of them as were asked for, a piece at a time."""

from __future__ import annotations

import os
import re
import shutil
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from starlette.responses import Response, StreamingResponse

from modelyard.errors import InvalidInput
from modelyard.server.problems import answer_to

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from starlette.requests import Request

__all__ = ["BYTES", "download", "send_file"]

_PIECE = 4 << 20
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})\Z")

BYTES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The bytes.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    },
    206: {
        "description": "The bytes of the range.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    },
    304: {"description": "What the caller has is still right."},
    416: {
        "description": "There are no such bytes.",
        "content": {
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
        },
    },
}
"""What a download may answer, for the OpenAPI document."""


def download(
    request: Request,
    *,
    size: int,
    read: Callable[[int, int], bytes],
    name: str,
    etag: str | None = None,
    headers: dict[str, str] | None = None,
    end: Callable[[], None] = lambda: None,
) -> Response:
    """Stream a file, or the one range of it that was asked for. It is never shown by a browser.

    Args:
        read: Gives the bytes between two positions.
        etag: As it stands in a header, with its quotes.
        end: Called when nothing is read any more.
    """
    told = {
        "accept-ranges": "bytes", "x-content-type-options": "nosniff",
        "content-security-policy": "default-src 'none'; sandbox",
        "content-disposition": f"attachment; filename*=UTF-8''{quote(name.rpartition('/')[2])}",
        "cache-control": "private, no-cache", **(headers or {}),
    }  # fmt: skip
    if etag is not None:
        told["etag"] = etag
        if _has(request.headers.get("if-none-match", ""), etag):
            end()
            return Response(status_code=304, headers=told)
    try:
        start, stop = _range(request, size, etag)
    except InvalidInput as error:
        end()
        answer = answer_to(error, request.scope.get("request_id"), 416)
        answer.headers["content-range"] = f"bytes */{size}"
        return answer
    status = 200
    if (start, stop) != (0, size) or ("range" in request.headers and _asks(request, etag)):
        status, told["content-range"] = 206, f"bytes {start}-{stop - 1}/{size}"
    told["content-length"] = str(stop - start)
    try:
        first = read(start, min(start + _PIECE, stop))  # what fails now is still told as a problem
    except BaseException:
        end()
        raise
    return StreamingResponse(
        _pieces(read, first, start, stop, end), status, told, "application/octet-stream"
    )


def send_file(request: Request, file: Path, *, name: str, room: Path | None = None) -> Response:
    """Stream a file of this machine; the folder `room`, if one is named, goes afterwards."""
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)

    def end() -> None:
        os.close(descriptor)
        if room is not None:
            shutil.rmtree(room, ignore_errors=True)

    return download(
        request, size=os.fstat(descriptor).st_size, name=name, end=end,
        read=lambda start, stop: os.pread(descriptor, stop - start, start),
    )  # fmt: skip


def _pieces(
    read: Callable[[int, int], bytes], first: bytes, start: int, stop: int, end: Callable[[], None]
) -> Iterator[bytes]:
    try:
        at = start + len(first)
        yield first
        while at < stop:
            piece = read(at, min(at + _PIECE, stop))
            if not piece:
                return
            at += len(piece)
            yield piece
    finally:
        end()


def _asks(request: Request, etag: str | None) -> bool:
    """Whether a range is wanted, of just this content."""
    given = request.headers.get("if-range")
    wanted = _RANGE.match(request.headers.get("range", ""))
    return wanted is not None and wanted[0] != "bytes=-" and given in (None, etag)


def _range(request: Request, size: int, etag: str | None) -> tuple[int, int]:
    """All of it, unless one range is asked for. InvalidInput: `bad-range`."""
    found = _RANGE.match(request.headers.get("range", ""))
    if found is None or not _asks(request, etag):
        return 0, size
    if not found[1]:
        start, stop = max(size - int(found[2]), 0), size
    else:
        start, stop = int(found[1]), min(int(found[2]) + 1, size) if found[2] else size
    if start >= stop:
        raise InvalidInput("bad-range", f"there are {size} bytes, and none of these")
    return start, stop


def _has(given: str, etag: str) -> bool:
    tags = [tag.strip().removeprefix("W/") for tag in given.split(",")]
    return etag in tags or "*" in tags
