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

from modelyard.core.names import ModelRevision
from modelyard.errors import Denied, InvalidInput, ModelyardError, NotFound, Unavailable
from modelyard.registry.files import checkout, contents, digest_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from modelyard.registry.files import Contents
    from modelyard.registry.house import House

__all__ = ["DataName", "FoundData", "find_data", "name_data"]

_WORDS = (".md", ".txt", ".rst")
_ROLE = "train"


@dataclass(frozen=True, slots=True)
class DataName:
    """Which data: said for people, and exactly."""

    name: str
    """`data/wine@3`, or the name of a file."""
    digest: str
    """SHA-256 in hex."""

    def __str__(self) -> str:
        return f"{self.name} sha256:{self.digest}"

    @property
    def is_committed(self) -> bool:
        return "@" in self.name


@dataclass(frozen=True, slots=True)
class FoundData(DataName):
    """Data with its files at hand."""

    path: Path
    """A file, or a folder of several; read it only, inside of the `with` block."""


@contextmanager
def find_data(house: House, data: str | Path) -> Iterator[FoundData]:
    """The file or files of some data.

    Raises:
        NotFound: `no-data`: neither a path nor a dataset of this yard.
    """
    path, text = _place(data), str(data)
    if path.exists():
        yield FoundData(path.name, _digest_of_path(path), path)
        return
    found, wanted = _dataset(house, text)
    name = _name_of(found, wanted)
    with tempfile.TemporaryDirectory(prefix="yard-data-") as folder:
        dest = Path(folder)
        checkout(house, found, dest, wanted, lambda _: None, found.version.number)
        path = dest / wanted[0] if len(wanted) == 1 else dest
        yield FoundData(name, _digest_of_contents(found, wanted), path)


def name_data(house: House, data: object) -> dict[str, str]:
    """What the manifest keeps of `data=`: `{"train": "data/wine@3 sha256:..."}`.

    Args:
        data: A path, `MODEL@REV`, an array or a frame; or several of them by role.
    """
    given: Mapping[str, object] = data if isinstance(data, dict) else {_ROLE: data}
    return {role: str(_named(house, value)) for role, value in given.items()}


def _named(house: House, value: object) -> DataName:
    if not isinstance(value, str | Path):
        return DataName(type(value).__name__, _digest_of_values(value))
    path = _place(value)
    if path.exists():
        return DataName(path.name, _digest_of_path(path))
    found, wanted = _dataset(house, str(value))
    return DataName(_name_of(found, wanted), _digest_of_contents(found, wanted))


def _place(data: str | Path) -> Path:
    return Path(data).expanduser()


def _dataset(house: House, text: str) -> tuple[Contents, list[str]]:
    """The version, and which of its files are the data."""
    target, _, file = text.partition(":")
    try:
        parsed = ModelRevision.parse(target)
        revision = None if parsed.revision is None else str(parsed.revision)
        found = contents(house, parsed.model.text, revision)
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


def _name_of(found: Contents, wanted: list[str]) -> str:
    others = [path for path in found.tree if path not in wanted and not path.endswith(_WORDS)]
    return f"{found.title}:{wanted[0]}" if others else found.title


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

    if isinstance(value, tuple | list) and all(hasattr(part, "shape") for part in value):
        return _joined((str(i), _digest_of_values(part)) for i, part in enumerate(value))
    columns = getattr(value, "columns", None)
    if columns is None:
        named = {"": np.asarray(value)}
    else:
        named = {str(name): np.asarray(value.columns[name] if isinstance(columns, dict)
                                       else value[name]) for name in columns}  # fmt: skip
    hashed = hashlib.sha256()
    for name, column in named.items():
        hashed.update(f"{name} {column.dtype.str} {column.shape}\n".encode())
        if column.dtype.kind == "O":
            if not all(isinstance(v, str | int | float | bool | None) for v in column.flat):
                raise InvalidInput(
                    "bad-data", f"{type(value).__name__} can't be named by its content",
                    hint="give a path or a committed dataset",
                )  # fmt: skip
            hashed.update(repr(column.tolist()).encode())
        else:
            hashed.update(np.ascontiguousarray(column).data)
    return hashed.hexdigest()
