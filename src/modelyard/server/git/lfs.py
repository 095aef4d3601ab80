"""The routes of git-lfs: which files are there, and files up and down (basic transfer).

Every address that is given out is one of this server, for which the caller shows who they are as
for any other.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import msgspec
from starlette.responses import Response, StreamingResponse

from modelyard.core.decoding import decode_json
from modelyard.errors import InvalidInput, NotFound
from modelyard.registry.access import known_name
from modelyard.registry.blobs import open_blob
from modelyard.registry.git.large import arrive, found, missing_error
from modelyard.server.git.door import LFS, git_route
from modelyard.server.routing import on_model

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import APIRouter

    from modelyard.catalog.queries.blobs import BlobRow
    from modelyard.registry.house import House
    from modelyard.server.git.door import Body
    from modelyard.server.state import Ask

__all__ = ["add_routes"]

_LARGEST_FILE = 1 << 40
_MOST_OBJECTS = 10_000
_PIECE = 4 << 20
_OID = re.compile(r"[0-9a-f]{64}\Z")
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})\Z")


def add_routes(router: APIRouter) -> None:
    reader, writer = on_model("reader"), on_model("writer")
    git_route(router, "POST", "/info/lfs/objects/batch", reader, _batch, body=8 << 20)
    git_route(router, "GET", "/info/lfs/objects/{oid}", reader, _download)
    git_route(router, "PUT", "/info/lfs/objects/{oid}", writer, _upload, body=_LARGEST_FILE)
    git_route(router, "POST", "/info/lfs/verify", reader, _verify)
    git_route(router, "POST", "/info/lfs/locks/verify", writer, _locks)


class _Object(msgspec.Struct):
    oid: str
    size: int


class _Ref(msgspec.Struct):
    name: str = ""


class _Wanted(msgspec.Struct):
    operation: str
    objects: list[_Object]
    ref: _Ref | None = None
    hash_algo: str = "sha256"


def _batch(ask: Ask, model: str, body: Body) -> Response:
    wanted = _read(body, _Wanted)
    if wanted.operation not in ("upload", "download") or wanted.hash_algo != "sha256":
        raise InvalidInput("bad-batch", "only upload and download, by sha256, are known here")
    if len(wanted.objects) > _MOST_OBJECTS:
        raise InvalidInput("bad-batch", f"more than {_MOST_OBJECTS:,} files at once")
    if wanted.operation == "upload" and ask.server.settings.accounts:
        model = known_name(ask.server.house, ask.caller, model, "writer")
    names = [bytes.fromhex(o.oid) for o in wanted.objects if _OID.match(o.oid)]
    there = found(ask.house, model, names)
    branch = wanted.ref.name if wanted.ref else ""
    take = _upload_of if wanted.operation == "upload" else _download_of
    told = [take(ask, model, one, there, branch) for one in wanted.objects]
    return _answer({"transfer": "basic", "objects": told, "hash_algo": "sha256"})


def _download_of(ask: Ask, model: str, one: _Object, there: Any, _: str) -> dict[str, Any]:
    told: dict[str, Any] = {"oid": one.oid, "size": one.size}
    if _OID.match(one.oid) is None:
        return told | {"error": {"code": 422, "message": "this is no SHA-256"}}
    row = there.get(bytes.fromhex(one.oid))
    if row is None:
        error = missing_error(ask.house, model, bytes.fromhex(one.oid), one.size)
        code = 410 if error.kind == "purged" else 404
        return told | {"error": {"code": code, "message": error.message}}
    action = {"href": _href(ask, model, f"objects/{one.oid}"), "header": _header(ask)}
    return told | {"size": row.size, "authenticated": True, "actions": {"download": action}}


def _upload_of(ask: Ask, model: str, one: _Object, there: Any, branch: str) -> dict[str, Any]:
    told: dict[str, Any] = {"oid": one.oid, "size": one.size}
    if _OID.match(one.oid) is None or not 0 < one.size < _LARGEST_FILE:
        return told | {"error": {"code": 422, "message": "this is no SHA-256, or no size"}}
    row = there.get(bytes.fromhex(one.oid))
    if row is not None and row.size == one.size:
        return told
    query = "?" + urlencode({"branch": branch}) if branch else ""
    actions = {
        "upload": {
            "href": _href(ask, model, f"objects/{one.oid}{query}"), "header": _header(ask)
        },
        "verify": {"href": _href(ask, model, "verify"), "header": _header(ask)},
    }  # fmt: skip
    return told | {"authenticated": True, "actions": actions}


def _download(ask: Ask, model: str, _: Body) -> Response:
    digest = _digest(ask)
    row = found(ask.house, model, [digest]).get(digest)
    if row is None:
        raise missing_error(ask.house, model, digest, -1)
    start, end, status = _range(ask.request.headers.get("range"), row.size)
    headers = {
        "accept-ranges": "bytes", "content-length": str(end - start), "etag": f'"{digest.hex()}"',
        "cache-control": "private, no-cache", "content-disposition": "attachment",
    }  # fmt: skip
    if status == 206:
        headers["content-range"] = f"bytes {start}-{end - 1}/{row.size}"
    if status == 416:
        return Response(b"", 416, {"content-range": f"bytes */{row.size}"})
    pieces = _pieces(ask.house, row, start, end)
    return StreamingResponse(pieces, status, headers, "application/octet-stream")


def _pieces(house: House, row: BlobRow, start: int, end: int) -> Iterator[bytes]:
    reader = open_blob(house, row)
    for at in range(start, end, _PIECE):
        yield reader.read(at, min(at + _PIECE, end)).tobytes()


def _upload(ask: Ask, model: str, body: Body) -> Response:
    digest = _digest(ask)
    if body.sha256.digest() != digest:
        raise InvalidInput(
            "wrong-digest", f"what came is not {digest.hex()[:12]}", hint="push again"
        )
    if not body.size:
        raise InvalidInput("empty-file", "an empty file is kept by git itself")
    body.file.flush()
    body.file.seek(0)
    arrive(ask.house, model, digest, body.file, ask.request.query_params.get("branch", ""))
    return _answer({})


def _verify(ask: Ask, model: str, body: Body) -> Response:
    one = _read(body, _Object)
    row = found(ask.house, model, [bytes.fromhex(one.oid)] if _OID.match(one.oid) else [])
    if not row or next(iter(row.values())).size != one.size:
        raise NotFound("no-file", f"{one.oid[:12]} is not here")
    return _answer({})


def _locks(ask: Ask, model: str, body: Body) -> Response:
    """git-lfs asks on every push; with this answer it goes on in silence."""
    raise NotFound("no-locks", "files are not locked here: branches move by compare-and-swap")


# -- small things --------------------------------------------------------------------------------


def _read(body: Body, kind: type[Any]) -> Any:
    try:
        return decode_json(body.read(), kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidInput("invalid-request", str(error)[:200]) from None


def _answer(value: Any) -> Response:
    return Response(msgspec.json.encode(value), 200, {"cache-control": "no-store"}, LFS)


def _digest(ask: Ask) -> bytes:
    text = ask.request.path_params["oid"]
    if _OID.match(text) is None:
        raise InvalidInput("bad-oid", "this is no SHA-256")
    return bytes.fromhex(text)


def _href(ask: Ask, model: str, rest: str) -> str:
    scope = ask.request.scope
    host = scope.get("host") or ask.request.headers.get("host", "")
    prefix = ask.server.settings.prefix
    return f"{scope['scheme']}://{host}{prefix}/{quote(model)}.git/info/lfs/{rest}"


def _header(ask: Ask) -> dict[str, str]:
    """The caller's own, so that git-lfs need not ask for it again."""
    given = ask.request.headers.get("authorization")
    return {"Authorization": given} if given else {}


def _range(header: str | None, size: int) -> tuple[int, int, int]:
    """(start, end, status)."""
    match = _RANGE.match(header or "")
    if match is None or not (match[1] or match[2]):
        return 0, size, 200
    if not match[1]:
        return max(size - int(match[2]), 0), size, 206
    start, end = int(match[1]), min(int(match[2]) + 1 if match[2] else size, size)
    return (start, end, 206) if start < end else (0, 0, 416)
