"""What another yard's catalog says is not believed: it may be a stranger's, or damaged."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from typing import TYPE_CHECKING

import sqlalchemy as sa

from modelyard.core.names import ModelName, RefName, parse_label
from modelyard.errors import Corrupt, InvalidInput
from modelyard.store.extract import BlobReader
from modelyard.store.ingest import decode_recipe

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from modelyard.catalog.queries.blobs import BlobRow
    from modelyard.catalog.queries.versions import VersionRow
    from modelyard.registry.house import House
    from modelyard.registry.transfer.plan import Plan
    from modelyard.store.writer import Session

__all__ = ["check_blobs", "check_plan", "told_of"]

_PIECE = 64 << 20
_LAST_TIME = 253402300799_000_000
"""The end of the year 9999, in microseconds since 1970."""
_LAST_NUMBER = 1 << 31
_LONGEST = 1 << 20
_ODD = (
    TypeError, ValueError, KeyError, IndexError, AttributeError, OverflowError, RecursionError,
    MemoryError, sa.exc.StatementError,
)  # fmt: skip


@contextmanager
def told_of(source: House) -> Iterator[None]:
    """Rows that make no sense are the source's fault. Corrupt: `source-damaged`."""
    try:
        yield
    except InvalidInput as error:
        if error.kind not in ("bad-model-name", "bad-ref-name", "reserved-ref-name", "bad-label"):
            raise
        raise _bad(source, error.message) from None
    except _ODD as error:
        raise _bad(source, "a row in its catalog makes no sense") from error


def check_plan(source: House, plan: Plan) -> None:
    """Whether names, numbers and times are such as a yard has. Corrupt: `source-damaged`."""
    with told_of(source):
        model = plan.model
        for name in (model.name, *plan.old_names):
            ModelName.parse(name)
        numbers = {version.number for version in plan.versions}
        good = (
            model.kind in ("model", "dataset")
            and _is_text(model.description, _LONGEST)
            and _is_time(model.created)
            and 0 < model.next_number <= _LAST_NUMBER
            and all(_is_version(version, numbers) for version in plan.versions)
            and all(
                _is_time(report.created)
                and _is_text(report.who, 200)
                and _is_text(report.kind + report.suite + report.digest, 200)
                for report in plan.reports.values()
            )
        )
        if not good:
            raise _bad(source, f"a row of {model.name} makes no sense")
        for name, (kind, _) in plan.refs.items():
            RefName.parse(name)
            if kind not in ("branch", "tag", "alias"):
                raise _bad(source, f"{name} is no kind of ref")
        for marks in plan.labels.values():
            for key, value in marks.items():
                if parse_label(f"{key}={value}") != (key, value):
                    raise _bad(source, "a label in its catalog is none")


def check_blobs(source: House, target: House, session: Session, rows: Sequence[BlobRow]) -> None:
    """Whether each file is what its SHA-256 says. Corrupt: `source-damaged`.

    Chunks are checked one by one, yet only this tells that a list of them is the file that the
    target will take for known when it is committed there. They are read from the target if that is
    the nearer.
    """
    near = source
    if target.backend.facts.is_local and not source.backend.facts.is_local:
        session.flush()
        near = target
    with told_of(source):
        heads = source.index.rows({row.content_id for row in rows})
        for row in rows:
            head = heads[row.content_id]
            names = [(head.hash, head.size)]
            if row.is_recipe:
                names = list(decode_recipe(source.reader.record(head)))
            blob, digest, at = BlobReader(near.reader, names), hashlib.sha256(), 0
            while at < blob.size:
                piece = blob.read(at, at + _PIECE)
                digest.update(piece.data)
                at += len(piece)
            if digest.digest() != row.sha256 or blob.size != row.size or len(row.format) > 24:
                raise _bad(source, f"file {row.sha256.hex()[:16]} is another than its name says")


def _is_version(row: VersionRow, numbers: set[int]) -> bool:
    RefName.parse(row.branch)
    return (
        0 < row.number < _LAST_NUMBER
        and len(row.commit_id) == 20
        and all(parent in numbers and 0 < parent < row.number for parent in row.parent_numbers)
        and _is_time(row.created)
        and _is_time(row.deleted)
        and 0 <= row.new_bytes < 1 << 62
        and _is_text(row.formats, 200)
        and _is_text(row.framework, 200)
    )


def _is_time(value: object) -> bool:
    return isinstance(value, int) and 0 <= value <= _LAST_TIME


def _is_text(value: object, limit: int) -> bool:
    return isinstance(value, str) and len(value) <= limit and "\x1b" not in value


def _bad(source: House, what: str) -> Corrupt:
    return Corrupt(
        "source-damaged", f"{source.root} can't be copied from: {what}",
        hint="nothing of this was taken; yard verify there tells more",
    )  # fmt: skip
