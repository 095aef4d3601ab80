"""Large files by git-lfs: which of them a model has, and taking those that come for a push."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from modelyard.catalog.index import register
from modelyard.catalog.queries import arrivals, blobs, chunks, models
from modelyard.core.digest import Digest
from modelyard.core.merge import REGULAR
from modelyard.core.names import MAIN, ModelName, RefName
from modelyard.errors import InvalidInput, ModelyardError, NotFound, Unavailable
from modelyard.formats import inspect
from modelyard.history.gitobject import BLOB, GitObject
from modelyard.history.pointers import pointer
from modelyard.registry.base import Base, find_base
from modelyard.registry.blobs import NewBlob, ParentFiles, store_file
from modelyard.registry.collect import LocalFile
from modelyard.registry.journal import ContentGone
from modelyard.store.ingest import Ingest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import IO

    import sqlalchemy as sa

    from modelyard.catalog.queries.blobs import BlobRow
    from modelyard.registry.house import House
    from modelyard.store.writer import Session

__all__ = ["arrive", "found", "missing_error"]

_TRIES = 3


def found(house: House, model: str, digests: Iterable[bytes]) -> Mapping[bytes, BlobRow]:
    """Those files that living versions of the model have, or that the caller has sent for it.

    What other models have is not looked at: to know a name is not to have the file.
    """
    wanted = set(digests)
    with house.catalog.fresh() as connection:
        row = models.by_name(connection, model)
        rows = arrivals.of_caller(connection, model, house.caller.id, wanted)
        if row is not None:
            rows |= arrivals.of_model(connection, row.id, wanted - set(rows))
    return rows


def missing_error(house: House, model: str, digest: bytes, size: int) -> NotFound:
    """Why a file is not there: `purged` if the model had it once, else `no-file`."""
    with house.catalog.fresh() as connection:
        row = models.by_name(connection, model)
        if row is not None and 0 <= size < 1 << 63:
            sha = GitObject.of(BLOB, pointer(Digest(digest), size)).sha
            if blobs.bundles(connection, row.id, [sha]):
                return NotFound(
                    "purged", "the versions that had this file were deleted",
                    hint="yard restore may bring one back, while it is not purged",
                )  # fmt: skip
    return NotFound("no-file", f"{model} has no file {digest.hex()[:12]}")


def arrive(house: House, model: str, digest: bytes, file: IO[bytes], branch: str) -> None:
    """Store a file that was sent whole; it is kept two days for the push it belongs to.

    Args:
        file: An open file of the disk, whose SHA-256 was checked.
        branch: Where the push goes, if the client told: its files are what this one is like.

    Raises:
        InvalidInput: it is malformed, as `yard commit` would say.
    """
    for _ in range(_TRIES):
        session = house.session()
        try:
            return _arrive(house, session, model, digest, file, _base(house, model, branch))
        except ContentGone:
            continue
        finally:
            session.close()
    raise Unavailable("store-changed", "gc ran meanwhile", hint="push again")


def _arrive(
    house: House, session: Session, model: str, digest: bytes, file: IO[bytes], base: Base
) -> None:
    ingest = Ingest(session, house.reader, house.pool)
    place = f"/dev/fd/{file.fileno()}"
    status = os.fstat(file.fileno())
    local = LocalFile(_like(file, status.st_size, base), place, REGULAR, status)
    parent = ParentFiles(house, base.blobs)
    stored = store_file(house, ingest, local, parent, external=(), scan=True)
    if (stored.sha256.raw if isinstance(stored, NewBlob) else stored.sha256) != digest:
        raise InvalidInput("wrong-digest", "the file changed while it was stored")
    session.prepare()

    def work(connection: sa.Connection) -> None:
        now = house.catalog.now(connection)
        if chunks.lease_count(connection, session.id, now) < len(session.grown):
            raise ContentGone
        register(connection, session.sync(), now)
        chunks.close_session(connection, session.id)
        if chunks.live_count(connection, session.reused) != len(session.reused):
            raise ContentGone
        key = _put(connection, stored)
        arrivals.add(connection, model, digest, house.caller.id, key, now)

    house.catalog.write(work)
    session.registered()


def _put(connection: sa.Connection, stored: BlobRow | NewBlob) -> int:
    """The row of a blob that is there, or comes to be."""
    if not isinstance(stored, NewBlob):
        if stored.id not in blobs.by_id(connection, [stored.id]):
            raise ContentGone
        return stored.id
    names = [stored.content, *([stored.inspection] if stored.inspection else [])]
    ids = chunks.ids_of(connection, names)
    if len(ids) < len(set(names)):
        raise ContentGone
    return blobs.insert(
        connection,
        sha256=stored.sha256.raw, size=stored.size, format=stored.format,
        content_id=ids[stored.content], is_recipe=stored.is_recipe,
        inspection_id=ids[stored.inspection] if stored.inspection else None,
    )  # fmt: skip


def _base(house: House, model: str, branch: str) -> Base:
    """The files that the new one is likely to be a next version of."""
    try:
        name = RefName.parse(branch.removeprefix("refs/heads/") or MAIN)
        return find_base(house, ModelName.parse(model), name, None)
    except ModelyardError:
        return Base(None, branch_exists=False)


def _like(file: IO[bytes], size: int, base: Base) -> str:
    """LFS tells no path: that of the file of the same format whose size is nearest."""
    kind = inspect(file, "", scan=False).format  # type: ignore[arg-type]
    alike = [(abs(row.size - size), path) for path, row in base.blobs.items() if row.format == kind]
    return min(alike)[1] if alike else ""
