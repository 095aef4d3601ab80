"""What is computed so far, beside the output: an Arrow stream that only grows, and how far it is.

`OUT.partial` holds the answers, `OUT.progress` says of which rows they are and how many bytes of
them are safe on the disk. Whatever lies behind that was cut off by a crash, and is computed again.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

import msgspec

from modelyard.errors import Conflict, InvalidInput
from modelyard.formats.tables.checks import arrow_module

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

__all__ = ["Identity", "Spool", "is_begun"]

_EVERY: Final = 1.0
"""Seconds between two times that all is made safe."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Which answers to which rows: only the same go on where others ended."""

    model: str
    number: int
    commit: str
    source: str
    """Digest of the file that is read."""
    batch: int
    keep: tuple[str, ...] = ()
    engine: str = "embedded"


class _Progress(msgspec.Struct):
    identity: Identity
    rows: int = 0
    size: int = 0
    format: int = 1


def is_begun(target: Path) -> Identity | None:
    """Whose answers wait to go on beside an output."""
    found = _read(target)
    return None if found is None else found.identity


@dataclass(slots=True)
class Spool:
    """Answers on their way to `target`. Made by `open`."""

    target: Path
    identity: Identity
    _file: BinaryIO
    _done: tuple[int, int] = (0, 0)
    """Rows, and the bytes of their answers: set as one, so that no signal comes in between."""
    _schema: Any = None
    _safe: float = field(default_factory=time.monotonic)

    @property
    def rows(self) -> int:
        """Of the input, that are done."""
        return self._done[0]

    @classmethod
    @contextmanager
    def open(cls, target: Path, identity: Identity, *, resume: bool) -> Iterator[Self]:
        """Begin, or go on.

        Raises:
            Conflict: `other-run`: what was begun is of other rows, or another version; `in-use`:
                somebody writes there now.
        """
        place = _partial(target)
        with _opened(place) as file:
            begun = _read(target) if resume else None
            if begun is not None and begun.identity != identity:
                raise Conflict(
                    "other-run", f"what was begun in {place} is {_other(begun.identity, identity)}",
                    hint="leave --resume out to begin anew",
                )  # fmt: skip
            if begun is None or os.fstat(file.fileno()).st_size < begun.size:
                begun = _Progress(identity)
                _progress(target).unlink(missing_ok=True)  # it tells of bytes that go now
            file.truncate(begun.size)
            file.seek(begun.size)
            spool = cls(target, identity, file, (begun.rows, begun.size))
            if begun.size:
                arrow = arrow_module("pyarrow")
                with arrow.OSFile(str(place)) as written, arrow.ipc.open_stream(written) as reader:
                    spool._schema = reader.schema
            try:
                yield spool
            finally:
                if place.exists():
                    spool.keep()

    def add(self, table: Any, rows: int) -> None:
        """The answers to the next rows. InvalidInput: `bad-outputs`, if they are of other types."""
        arrow = arrow_module("pyarrow")
        if self._schema is None:
            self._schema = table.schema
            self._file.write(self._schema.serialize())
        elif not table.schema.equals(self._schema):
            table = self._alike(arrow, table)
        for batch in table.combine_chunks().to_batches():
            self._file.write(batch.serialize())
        self._done = (self.rows + rows, self._file.tell())
        if time.monotonic() - self._safe > _EVERY:
            self.keep()

    def _alike(self, arrow: Any, table: Any) -> Any:
        """Of the types of the first, where no value changes by it: gaps, and whole numbers."""
        odd = set(self._schema.names) ^ set(table.schema.names)
        columns = []
        for first in () if odd else self._schema:
            column = table.column(first.name)
            if column.null_count == len(column):
                column = arrow.nulls(len(column), first.type)
            elif arrow.types.is_integer(column.type) and arrow.types.is_floating(first.type):
                with suppress(arrow.ArrowInvalid):  # is refused below
                    column = column.cast(first.type)
            if column.type != first.type:
                odd.add(first.name)
            columns.append(column)
        if odd:
            shown = ", ".join(repr(name[:60]) for name in sorted(odd)[:6])
            raise InvalidInput(
                "bad-outputs",
                f"row {self.rows:,} on: {shown} is of another type or shape than before",
            )
        return arrow.table(columns, schema=self._schema)

    def keep(self) -> None:
        """Make safe what is there: the bytes, then the number of them."""
        self._file.flush()
        os.fsync(self._file.fileno())
        told = _Progress(self.identity, *self._done)  # half of a batch may lie behind it
        place = _progress(self.target)
        new = place.with_name(f"{place.name}.new")
        new.write_bytes(msgspec.json.encode(told))
        os.replace(new, place)
        self._safe = time.monotonic()

    @contextmanager
    def batches(self) -> Iterator[Any]:
        """All answers, for the output: a reader of `pyarrow.RecordBatch`es."""
        self._file.flush()
        arrow = arrow_module("pyarrow")
        with (
            arrow.OSFile(str(_partial(self.target))) as written,
            arrow.ipc.open_stream(written) as reader,
        ):
            yield reader

    def drop(self) -> None:
        """The output is written: nothing is left of it."""
        _progress(self.target).unlink(missing_ok=True)
        _partial(self.target).unlink(missing_ok=True)


@contextmanager
def _opened(place: Path) -> Iterator[BinaryIO]:
    descriptor = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    with os.fdopen(descriptor, "r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Conflict(
                "in-use",
                f"another run writes {place} now",
                hint="wait for it, or name another file",
            ) from None
        yield file


def _read(target: Path) -> _Progress | None:
    try:
        return msgspec.json.decode(_progress(target).read_bytes(), type=_Progress)
    except (OSError, msgspec.DecodeError):
        return None


def _other(begun: Identity, now: Identity) -> str:
    if begun.commit != now.commit:
        return f"by {begun.model}@{begun.number}, not {now.model}@{now.number}"
    if begun.source != now.source:
        return "of another file, or the file has changed"
    differing = [name for name, value in asdict(begun).items() if value != asdict(now)[name]]
    return f"with another {differing[0]}: {asdict(begun)[differing[0]]}"


def _partial(target: Path) -> Path:
    return target.with_name(f"{target.name}.partial")


def _progress(target: Path) -> Path:
    return target.with_name(f"{target.name}.progress")
