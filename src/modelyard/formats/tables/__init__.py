"""Rows of data files: CSV, Parquet, Arrow, JSON lines, NPZ and NPY, as a `Table`.

Nothing in a file is executed: an array of Python objects, which only pickle could read, is refused.
What a file says of its size is checked against the memory that may be used before any is taken.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from modelyard.errors import InvalidInput, NotFound
from modelyard.formats.tables.checks import bad_data, guarded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from modelyard.core.table import Table

__all__ = ["read_arrow", "read_table"]

_BY_HEAD: Final = (
    (b"PAR1", "parquet"), (b"ARROW1", "arrow"), (b"\xff\xff\xff\xff", "arrow"),
    (b"\x93NUMPY", "npy"), (b"PK\x03\x04", "npz"),
)  # fmt: skip
_BY_NAME: Final = {
    ".csv": "csv", ".tsv": "csv", ".tab": "csv", ".txt": "csv",
    ".jsonl": "json", ".ndjson": "json", ".json": "json",
}  # fmt: skip
_KNOWN: Final = "CSV, TSV (.gz too), Parquet, Arrow, JSON lines, NPZ or NPY"


def read_table(
    path: Path,
    *,
    columns: Sequence[str] | None = None,
    limit: int | None = None,
    memory: int | None = None,
) -> Table:
    """The rows of one file.

    Whole numbers with gaps become float64 with NaN, decimals float64, times datetime64 (UTC where
    the file has a zone), text object arrays of `str` and None, categories their text, nested
    lists of one length arrays with more axes.

    Args:
        columns: Names of those to read, in this order; all by default.
        limit: How many rows to read at most.
        memory: Bytes that it may take; three quarters of the machine's by default.

    Raises:
        NotFound: `no-data`: there is no such file.
        InvalidInput: `bad-data`: it is damaged, ragged, too large, of another kind, or not UTF-8;
            `no-column`: it lacks one of `columns`.
        Unsupported: `no-extra`: it needs pyarrow.
    """
    path = Path(path)
    if not path.exists():
        raise NotFound("no-data", f"no file {path}", hint="give the path of a file with rows")
    if not path.is_file():
        raise InvalidInput("bad-data", f"{path} is no file", hint=f"give one file: {_KNOWN}")
    if memory is None:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4 * 3
    with guarded(path):
        return _reader(path)(path, columns, limit, memory)


def read_arrow(data: bytes, *, memory: int) -> Table:
    """The rows of an Arrow stream or file that came as bytes, as `read_table` gives them."""
    with guarded(Path("the Arrow data")):
        from modelyard.formats.tables import arrow

        return arrow.read_ipc_bytes(data, memory, "the Arrow data")


def _reader(path: Path) -> Callable[[Path, Sequence[str] | None, int | None, int], Table]:
    """By content first, then by name."""
    with path.open("rb") as file:
        head = file.read(8)
    if not head:
        raise bad_data(f"{path.name} is empty")
    kind = next((kind for magic, kind in _BY_HEAD if head.startswith(magic)), None)
    kind = kind or _BY_NAME.get(_suffix(path))
    if kind in ("npy", "npz"):
        from modelyard.formats.tables import arrays

        return arrays.read
    if kind == "csv":
        from modelyard.formats.tables import text

        return text.read
    if kind is None:
        raise bad_data(f"{path.name} is no data that can be read", hint=f"give {_KNOWN}")
    from modelyard.formats.tables import arrow

    return {"parquet": arrow.read_parquet, "arrow": arrow.read_ipc, "json": arrow.read_json}[kind]


def _suffix(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes[-1:] == [".gz"]:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""
