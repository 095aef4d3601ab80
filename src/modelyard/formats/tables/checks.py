"""What every reader of data refuses, and how it says so."""

from __future__ import annotations

import gzip
import io
from collections import Counter
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, BinaryIO

from modelyard.core.table import Table
from modelyard.errors import InvalidInput, ModelyardError, Unsupported
from modelyard.formats.reading import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy as np

__all__ = [
    "Bounded", "arrow_module", "bad_data", "check_names", "check_size", "chosen", "guarded",
    "not_utf8", "opened",
]  # fmt: skip


def bad_data(message: str, *, hint: str | None = None) -> InvalidInput:
    return InvalidInput("bad-data", message, hint=hint)


@contextmanager
def guarded(path: Path) -> Iterator[None]:
    """Whatever a library says of a bad file becomes InvalidInput `bad-data`."""
    try:
        yield
    except ModelyardError:
        raise
    except UnicodeDecodeError:
        raise not_utf8(path.name) from None
    except MemoryError:
        raise bad_data(f"{path.name} needs more memory than there is") from None
    except Exception as error:  # of pyarrow, numpy, zipfile, zlib, csv
        said = printable(str(error).partition("\n")[0], 300)
        raise bad_data(f"{path.name} can't be read: {said}") from None


def not_utf8(name: str, encoding: str = "latin1") -> InvalidInput:
    return bad_data(
        f"{name} is not UTF-8", hint=f"convert it: iconv -f {encoding} -t utf-8 {name} > new.csv"
    )


def check_names(names: Sequence[str], where: str) -> None:
    """Names must be there once each."""
    if not names:
        raise bad_data(f"{where} has no columns")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        shown = ", ".join(repr(printable(name, 60)) for name in twice[:10])
        raise bad_data(f"{where} has columns of the same name: {shown}")


def check_size(size: int, memory: int, where: str) -> None:
    """Refuse before it is allocated."""
    if size > memory:
        raise bad_data(
            f"{where} would take {size / 1e9:.1f} GB of memory, and may take {memory / 1e9:.1f}",
            hint="read some of its columns or rows, or split the file",
        )


def chosen(
    arrays: dict[str, np.ndarray[Any, Any]], columns: Sequence[str] | None, limit: int | None
) -> Table:
    """Some columns and the first rows."""
    table = Table(arrays)
    if columns is not None:
        table = table.select(columns)
    return table if limit is None else table.take(slice(limit))


def arrow_module(name: str) -> Any:
    """A module of pyarrow on first use. Unsupported: `no-extra`."""
    try:
        return import_module(name)
    except ImportError:
        raise Unsupported(
            "no-extra", "reading this data needs pyarrow", hint="pip install 'modelyard[data]'"
        ) from None


def opened(path: Path, memory: int) -> BinaryIO:
    """The file, unpacked if it is gzip, and never longer than the memory."""
    with path.open("rb") as begun:
        packed = begun.read(2) == b"\x1f\x8b"
    if not packed:
        check_size(path.stat().st_size, memory, path.name)
    file = path.open("rb")
    if not packed:
        return file
    return io.BufferedReader(Bounded(file, memory, path.name), 1 << 20)


class Bounded(io.RawIOBase):
    """A gzip file unpacked, and refused when it turns out to be longer than it may be."""

    def __init__(self, packed: BinaryIO, limit: int, where: str) -> None:
        self._packed = packed
        self._inner = gzip.GzipFile(fileobj=packed)
        self._limit = limit
        self._where = where

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._inner.seek(offset, whence)

    def readinto(self, buffer: Any) -> int:
        count = self._inner.readinto(buffer)
        check_size(self._inner.tell(), self._limit, self._where)
        return count

    def close(self) -> None:
        self._inner.close()
        self._packed.close()
        super().close()
