"""Data that a version was trained on or is measured with, named by its digest.

`data/wine@3` is a committed dataset, anything else a path; `data/wine@3:test.csv` is one file of a
dataset with several. The digest of one file is its SHA-256, so a file and the dataset it was
committed to are the same data. Of several files it is the SHA-256 of a list of paths and digests.
"""

from __future__ import annotations

import hashlib
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelyard.core.listing import listed
from modelyard.core.names import ModelRevision
from modelyard.core.table import Table
from modelyard.errors import Denied, InvalidInput, ModelyardError, NotFound, Unavailable
from modelyard.registry.files import checkout, digest_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from modelyard.core.access import Caller
    from modelyard.registry.desk import Desk
    from modelyard.registry.files import Contents

__all__ = ["DataName", "FoundData", "find_data", "may_read_dataset", "name_data", "name_dataset"]

_WORDS = (".md", ".txt", ".rst")
_ROLE = "train"


@dataclass(frozen=True, slots=True)
class DataName:
    """Which data: said for people, and exactly."""

    name: str
    """`data/wine@3`, or the name of a file."""
    digest: str
    """SHA-256 in hex."""
    is_committed: bool = False
    """Whether the name is that of a version."""

    def __str__(self) -> str:
        return f"{self.name} sha256:{self.digest}"


@dataclass(frozen=True, slots=True)
class FoundData:
    """Data with its file at hand."""

    data: DataName
    path: Path
    """One file; read it only, inside of the `with` block."""

    @property
    def name(self) -> str:
        return self.data.name

    @property
    def digest(self) -> str:
        return self.data.digest


@contextmanager
def find_data(desk: Desk, data: str | Path) -> Iterator[FoundData]:
    """The one file of some data.

    Raises:
        NotFound: `no-data`: neither a path nor a dataset of this yard.
        InvalidInput: `several-files`: the hint says how to name one of them.
    """
    path, text = _place(data), str(data)
    if path.exists():
        if path.is_dir():
            raise _several(text, [place.name for place in path.iterdir()], f"{text}/FILE")
        yield FoundData(_named(desk, path), path)
        return
    found, wanted = _dataset(desk, text)
    if len(wanted) > 1:
        raise _several(found.title, wanted, f"{found.title}:FILE")
    with tempfile.TemporaryDirectory(prefix="yard-data-") as folder:
        dest = Path(folder)
        checkout(desk, found, dest, wanted, lambda _: None)
        yield FoundData(_named_version(found, wanted), dest / wanted[0])


def name_data(desk: Desk, data: object) -> dict[str, DataName]:
    """What `data=` means, by role; `train` if no role is said.

    Args:
        data: A path, `MODEL@REV`, an array or a frame; or several of them by role.
    """
    given: Mapping[str, object] = data if isinstance(data, dict) else {_ROLE: data}
    return {str(role): _named(desk, value) for role, value in given.items()}


def may_read_dataset(caller: Caller, text: str) -> bool:
    """Whether somebody may know of the dataset that a text names."""
    return caller.may(text.partition(":")[0].partition("@")[0], "reader")


def name_dataset(desk: Desk, text: str) -> DataName:
    """`data/wine@3`, and never a path. NotFound: `no-data`."""
    return _named_version(*_dataset(desk, text))


def _several(name: str, files: list[str], how: str) -> InvalidInput:
    shown = listed(sorted(files), 8)
    return InvalidInput("several-files", f"{name} has {shown}", hint=f"name one of them: {how}")


def _named(desk: Desk, value: object) -> DataName:
    if isinstance(value, DataName):
        return value
    if not isinstance(value, str | Path):
        return DataName(type(value).__name__, _digest_of_values(value))
    path = _place(value)
    if path.exists():
        return DataName(path.name, _digest_of_path(path))
    found, wanted = _dataset(desk, str(value))
    return _named_version(found, wanted)


def _place(data: str | Path) -> Path:
    return Path(data).expanduser()


def _dataset(desk: Desk, text: str) -> tuple[Contents, list[str]]:
    """The version, and which of its files are the data."""
    target, _, file = text.partition(":")
    try:
        parsed = ModelRevision.parse(target)
        revision = None if parsed.revision is None else str(parsed.revision)
        found = desk.contents(parsed.model.text, revision)
    except ModelyardError as error:
        if isinstance(error, NotFound) and "@" in target:
            raise
        raise NotFound(
            "no-data", f"{text[:200]} is no file here, and no dataset of this yard",
            hint="yard commit data/NAME FILE --kind dataset keeps one",
        ) from None  # fmt: skip
    if file:
        if file not in found.tree:
            raise NotFound("no-file", f"{found.title} has no file {file}")
        return found, [file]
    wanted = sorted(path for path in found.tree if not path.endswith(_WORDS)) or sorted(found.tree)
    return found, wanted


def _named_version(found: Contents, wanted: list[str]) -> DataName:
    others = [path for path in found.tree if path not in wanted and not path.endswith(_WORDS)]
    name = f"{found.title}:{wanted[0]}" if others else found.title
    return DataName(name, _digest_of_contents(found, wanted), is_committed=True)


def _digest_of_contents(found: Contents, wanted: list[str]) -> str:
    return _joined((path, found.tree[path].digest.hex) for path in wanted)


def _digest_of_path(path: Path) -> str:
    try:
        if path.is_file():
            return digest_of(path).hex
        files = sorted(place for place in path.rglob("*") if place.is_file())
        return _joined((f.relative_to(path).as_posix(), digest_of(f).hex) for f in files)
    except PermissionError:
        raise Denied("no-permission", f"{path} can't be read") from None
    except OSError as error:
        raise Unavailable("source-io", f"{path}: {error.strerror}") from error


def _joined(digests: Iterable[tuple[str, str]]) -> str:
    found = list(digests)
    if len(found) == 1:
        return found[0][1]
    return hashlib.sha256(
        "".join(f"{digest}  {path}\n" for path, digest in found).encode()
    ).hexdigest()


def _digest_of_values(value: Any) -> str:
    """Of an array, a frame or a table: names, dtypes, shapes and values of its columns."""
    import numpy as np

    if isinstance(value, tuple | list) and any(hasattr(part, "shape") for part in value):
        return _joined((str(i), _digest_of_values(part)) for i, part in enumerate(value))
    try:
        table = Table.of(value)
    except (ValueError, TypeError) as error:
        raise InvalidInput(
            "bad-data", f"a {type(value).__name__} can't be named by its content: {error}",
            hint="give a path, a committed dataset, a frame or an array",
        ) from None  # fmt: skip
    hashed = hashlib.sha256()
    for name, column in table.columns.items():
        hashed.update(f"{name} {column.dtype.str} {column.shape}\n".encode())
        if column.dtype.kind == "O":
            hashed.update(repr(column.tolist()).encode())
        else:
            hashed.update(np.ascontiguousarray(column).reshape(-1).view(np.uint8).data)
    return hashed.hexdigest()
