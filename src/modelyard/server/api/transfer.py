"""Bytes of versions in bulk: layouts and ranges to read, chunks and commits to write."""

from __future__ import annotations

import base64
import math
import re
from typing import Annotated, Any

import msgspec
from fastapi import Query
from starlette.responses import Response

from modelyard.catalog.queries.readable import sees_all
from modelyard.core.transferring import (
    COMMIT_TYPE,
    PACKED_TYPE,
    PART_LIMIT,
    Contents,
    ContentsBlob,
    ContentsFile,
    Question,
    decode_packed,
    encode_packed,
)
from modelyard.core.version import Committed
from modelyard.errors import InvalidInput
from modelyard.registry.direct import direct
from modelyard.registry.files import contents as contents_of
from modelyard.registry.layout import Layouts
from modelyard.registry.lookup import find_model, find_version, refs_of
from modelyard.registry.receiving import Receiving, missing, receive_commit, receive_part
from modelyard.server.api.inputs import revision_in
from modelyard.server.auth import again
from modelyard.server.routing import Answer, Routes, on_model
from modelyard.server.state import Ask, Server
from modelyard.server.streams import Pieces, body_of

__all__ = ["routes"]

routes = Routes("transfer")

_SLACK = 1 << 20
"""Frames' heads and the header of a commit, beside what they carry."""
_QUESTION = 64 << 20
_RANGE = re.compile(r"bytes=(\d{1,18})-(\d{1,18})\Z")
_BYTES: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}


class _Transfers:
    """What the requests of one process share."""

    def __init__(self) -> None:
        self.layouts = Layouts()
        self.receiving = Receiving()

    def start(self) -> None:
        """Nothing runs by itself."""

    def stop(self) -> None:
        """Nothing runs by itself."""


def _of(server: Server) -> _Transfers:
    found: _Transfers = server.parts.setdefault("transfer", _Transfers())
    return found


def _packed(value: object) -> Response:
    return Response(encode_packed(value), media_type=PACKED_TYPE)


def _takes(kind: str) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {kind: _BYTES}}}


def _gives(status: int, kind: str, words: str) -> dict[int | str, dict[str, Any]]:
    return {status: {"description": words, "content": {kind: _BYTES}}}


@routes.get("/models/{model}/versions/{revision}/contents", needs=on_model("reader"),
            answers=Contents)  # fmt: skip
def get_contents(ask: Ask, model: str, revision: str) -> Contents:
    """The files of a version: small texts themselves, of all others what is known of them."""
    house = ask.house
    found = contents_of(house, model, revision_in(revision))
    with house.catalog.read() as connection:
        refs = refs_of(connection, [found.model.id]).get(found.model.id, ())
    number = found.version.number
    stored = {e.digest.raw: found.blob(e) for e in found.all_files.values() if e.inline is None}
    files = [
        ContentsFile(
            path=path, mode=entry.mode, sha256=entry.digest.hex, size=entry.size,
            inline=None if entry.inline is None else base64.b64encode(entry.inline).decode(),
        )
        for path, entry in sorted(found.all_files.items())
    ]  # fmt: skip
    return Contents(
        model=found.model.name, number=number, commit=found.version.commit_id.hex(),
        size=found.version.size,
        branches=[ref.name for ref in refs if ref.kind == "branch" and ref.number == number],
        files=files,
        blobs=[
            ContentsBlob(
                sha256=row.sha256.hex(), size=row.size, format=row.format, is_recipe=row.is_recipe
            )
            for row in stored.values()
        ],
    )  # fmt: skip


@routes.get("/models/{model}/versions/{revision}/layout", needs=on_model("reader"),
            responses=_gives(200, PACKED_TYPE, "The layout (docs/spec/transfer-1.md)"))  # fmt: skip
def get_layout(ask: Ask, model: str, revision: str) -> Response:
    """Where the chunks of a version lie in its encoded stream."""
    house = ask.house
    version = _version(ask, model, revision)
    laid = _of(ask.server).layouts.get(house, version, plain=not sees_all(ask.caller))
    told = laid.layout
    if ask.server.settings.direct:
        told = msgspec.structs.replace(told, direct=direct(house, laid))
    answer = _packed(told)
    answer.headers["etag"] = f'"{laid.layout.etag}"'
    return answer


@routes.get(
    "/models/{model}/versions/{revision}/encoded", needs=on_model("reader"), seconds=math.inf,
    responses=_gives(206, "application/octet-stream", "The bytes that Range names"),
    extra={"parameters": [
        {"name": "Range", "in": "header", "required": True, "schema": {"type": "string"},
         "example": "bytes=0-1048575"},
        {"name": "If-Match", "in": "header", "required": True, "schema": {"type": "string"}},
    ]},
)  # fmt: skip
def get_encoded(ask: Ask, model: str, revision: str) -> Response:
    """A range of a version's encoded stream; 412 `stale` if its layout is another one now."""
    house, headers = ask.house, ask.request.headers
    wanted = _RANGE.match(headers.get("range", ""))
    if wanted is None:
        raise InvalidInput("bad-range", "Range: bytes=FIRST-LAST says which bytes")
    start, end = int(wanted[1]), int(wanted[2]) + 1
    layouts = _of(ask.server).layouts
    version = _version(ask, model, revision)
    etag = headers.get("if-match", "").strip('"')
    plain = not sees_all(ask.caller)
    pieces, size = layouts.read(house, version, etag, start, end, plain=plain)
    said = {
        "content-range": f"bytes {start}-{end - 1}/{size}", "content-length": str(end - start),
        "etag": f'"{etag}"', "cache-control": "no-store",
    }  # fmt: skip
    return Pieces(pieces, 206, said, "application/octet-stream")


def _version(ask: Ask, model: str, revision: str) -> int:
    """The row of a living version."""
    with ask.house.catalog.read() as connection:
        return find_version(connection, find_model(connection, model), revision_in(revision)).id


@routes.post("/models/{model}/chunks/missing", needs=on_model("writer"), largest_body=_QUESTION,
             responses=_gives(200, PACKED_TYPE, "Which are wanted (docs/spec/transfer-1.md)"),
             extra=_takes(PACKED_TYPE))  # fmt: skip
def find_missing_chunks(ask: Ask, model: str) -> Response:
    """Which chunks the server wants to be sent before a commit names them."""
    asked = decode_packed(body_of(ask.request, _QUESTION), Question)
    ask = again(ask)
    return _packed(missing(ask.house, _of(ask.server).receiving, model, asked))


@routes.post("/models/{model}/chunks", needs=on_model("writer"), largest_body=PART_LIMIT + _SLACK,
             seconds=600, responses=_gives(200, PACKED_TYPE, "A receipt"),
             extra=_takes("application/octet-stream"))  # fmt: skip
def send_chunks(
    ask: Ask,
    model: str,
    *,
    session: Annotated[str, Query(pattern=r"^[0-9a-f]{32}$")],
    part: Annotated[int, Query(ge=0, le=1 << 40)] = 0,
    branch: Annotated[str | None, Query(max_length=200)] = None,
    parent: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """Store one part of an upload; its chunks are durable when the answer comes."""
    body = body_of(ask.request, PART_LIMIT + _SLACK)
    ask = again(ask)
    receiving = _of(ask.server).receiving
    stored = receive_part(
        ask.house, receiving, model, session, body, part=part, branch=branch, parent=parent
    )
    return _packed(stored)


@routes.post("/models/{model}/commits", needs=on_model("writer"), status=201, answers=Committed,
             rides=True, largest_body=PART_LIMIT + _SLACK, seconds=math.inf,
             responses={200: {"description": "There is nothing new.", "model": Committed}},
             extra=_takes(COMMIT_TYPE))  # fmt: skip
def commit_chunks(ask: Ask, model: str) -> Answer:
    """The next version of a model, of small files that ride along and of chunks that were sent."""
    body = body_of(ask.request, PART_LIMIT + _SLACK)
    ask = again(ask)
    done = receive_commit(ask.house, _of(ask.server).receiving, model, body)
    return Answer(done, 201 if done.created else 200)
