"""A commit that a client sends: checked like any other, and nothing of it believed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from modelyard.catalog.queries.readable import sees_all
from modelyard.core.manifest import Manifest
from modelyard.core.merge import SYMLINK, is_hidden
from modelyard.core.names import MAIN, ModelName, RefName
from modelyard.core.transferring import decode_commit, parse_frames
from modelyard.errors import Conflict, InvalidInput
from modelyard.registry.base import find_base
from modelyard.registry.commit import Request, checked_labels, commit_files
from modelyard.registry.receiving import sessions
from modelyard.registry.receiving.files import Cut, Room, Same, Whole
from modelyard.registry.receiving.known import checked, ingest_for
from modelyard.registry.receiving.receipts import proven

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelyard.core.transferring import GivenFile, Header
    from modelyard.core.version import Committed, Progress
    from modelyard.registry.base import Base
    from modelyard.registry.given import Given
    from modelyard.registry.house import House
    from modelyard.registry.receiving.state import Receiving
    from modelyard.store.ingest import Ingest
    from modelyard.store.writer import Session

__all__ = ["receive_commit"]


def receive_commit(
    house: House,
    receiving: Receiving,
    model: str,
    body: bytes | memoryview,
    report: Callable[[Progress], None] = lambda _: None,
) -> Committed:
    """The next version, out of what a client sent.

    Raises:
        Conflict: `chunks-missing`, and what a commit of local files raises.
        InvalidInput: `unreadable-body`, `bad-frames`, `wrong-chunk`, `bad-path`.
    """
    header, rest = decode_commit(body)
    frames = checked(list(parse_frames(rest)))
    request = _request(house, model, header)
    room = Room(
        house, receiving, {f.name: f for f in frames},
        {f.name: np.frombuffer(f.content, np.uint8) for f in frames},
    )  # fmt: skip
    new_bytes = 0
    if header.session is not None:
        upload = sessions.look(house, header.session, model)
        new_bytes = 0 if upload is None else upload.new_bytes
        room.session = header.session
        room.known = proven(house, header.session, house.caller.id, header.have)
    needs_base = not sees_all(house.caller) or any(f.inline is None for f in header.files)
    base = _base(house, request) if needs_base else None
    if base is not None:
        room.bases = receiving.chunks_of(house, base)
    files = _files(room, base, header)

    def ingest(session: Session) -> Ingest:
        session.new_bytes = new_bytes
        return ingest_for(house, session, _Either(room))

    committed = commit_files(house, request, files, report, ingest)
    if header.session is not None:
        sessions.finish(house, header.session)
        receiving.forget(header.session)
    return committed


class _Either:
    """The chunks that a caller may know of."""

    def __init__(self, room: Room) -> None:
        self._room = room

    def __contains__(self, name: object) -> bool:
        return name in self._room.bases or name in self._room.known


def _request(house: House, model: str, header: Header) -> Request:
    if header.kind not in ("model", "dataset"):
        raise InvalidInput("bad-kind", "a version is of a model or of a dataset")
    manifest = Manifest() if header.manifest is None else Manifest.decode(header.manifest)
    manifest.encode()  # within the limits that hold for everybody
    return Request(
        model=ModelName.parse(model), source=None, message=header.message, branch=header.branch,
        parent=header.parent, manifest=manifest, labels=checked_labels(header.labels),
        author=header.author or house.author, kind=header.kind,
        scan=True,  # what is found is kept of the bytes, for all who will ever commit the same
        keep=_kept(header.keep),
    )  # fmt: skip


def _kept(keep: str | list[str] | None) -> Callable[[str], bool] | None:
    if keep is None:
        return None
    if keep == "all":
        return lambda _: True
    if keep == "cards":
        return lambda path: path.endswith(".md")
    if isinstance(keep, str):
        raise InvalidInput("bad-keep", "keep is 'all', 'cards' or a list of paths")
    return frozenset(keep).__contains__


def _base(house: House, request: Request) -> Base:
    branch = RefName.parse(request.branch or MAIN)
    return find_base(house, request.model, branch, request.parent)


def _files(room: Room, base: Base | None, header: Header) -> list[Given]:
    if not header.files and header.keep is None:
        raise InvalidInput("nothing-to-commit", "a version has files")
    seen: set[str] = set()
    files: list[Given] = []
    for file in header.files:
        if is_hidden(file.path) or file.path in seen or not file.path:
            raise InvalidInput("bad-path", f"{file.path[:200]!r} can't be given, or is given twice")
        seen.add(file.path)
        files.append(_file(room, base, file))
    return sorted(files, key=lambda each: each.path)


def _file(room: Room, base: Base | None, file: GivenFile) -> Given:
    ways = [file.inline is not None, file.chunks is not None, file.same is not None]
    if sum(ways) != 1 or (file.mode == SYMLINK and file.inline is None):
        raise InvalidInput(
            "unreadable-body", f"{file.path}: one of inline, chunks and same says what it holds"
        )
    if file.inline is not None:
        return Whole(room, file.path, file.mode, file.inline)
    if file.chunks is not None:
        return Cut(room, file.path, file.mode, file.chunks)
    return _same(room, base, file)


def _same(room: Room, base: Base | None, file: GivenFile) -> Given:
    for path, entry in ({} if base is None else base.tree).items():
        if entry.digest.raw == file.same and not is_hidden(path) and entry.mode != SYMLINK:
            if entry.inline is not None:
                return Whole(room, file.path, file.mode, entry.inline)
            row = base.blobs.get(path) if base is not None else None
            if row is not None and row.sha256 == file.same:
                return Same(file.path, file.mode, row)
    raise Conflict(
        "chunks-missing", f"no file of the version that is built on is the same as {file.path}",
        hint="send it",
    )  # fmt: skip
