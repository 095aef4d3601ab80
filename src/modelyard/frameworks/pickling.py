"""Pickle and joblib files, loaded under two locks.

First the bytes are walked, and nothing that they name is imported: every global must be trusted by
name, also those that only build values, and what no name can describe needs `TRUST_ALL`. Then the
very bytes that were walked are unpickled by a loader that finds those globals and no others.
"""

from __future__ import annotations

import pickle
import tempfile
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from modelyard.core.extras import need
from modelyard.errors import InvalidInput, ModelyardError
from modelyard.formats.interface import Budget
from modelyard.formats.pickles.scan import Scan, scan
from modelyard.formats.pickles.source import FileSource, PackedSource, Spent, packing_of
from modelyard.formats.reading import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from modelyard.core.trust import Trust
    from modelyard.frameworks.interface import Files

__all__ = ["check", "dump_joblib", "dump_pickle", "load"]

_Pair = tuple[str, str]

_PROTOCOL = 5
_UNPACKED_IN_MEMORY = 64_000_000
_BLOCK = 1 << 20
_BUDGET = Budget(
    seconds=20.0, max_ops=20_000_000_000, max_nodes=20_000_000, max_output=8_000_000_000
)
"""More than an inspection may cost: whoever loads a file is about to spend that much on it."""
_READS_OTHER_FILES = frozenset({
    "joblib.numpy_pickle.NDArrayWrapper", "joblib.numpy_pickle.ZNDArrayWrapper",
    "joblib.numpy_pickle_compat.NDArrayWrapper", "joblib.numpy_pickle_compat.ZNDArrayWrapper",
})  # fmt: skip
"""Arrays as joblib before 0.10 kept them: in other files, which may hold pickles themselves."""


def dump_pickle(obj: object, place: Path) -> None:
    """Write a pickle of protocol 5. InvalidInput: `not-savable`."""
    _write(obj, place, lambda file: pickle.dump(obj, file, protocol=_PROTOCOL))


def dump_joblib(obj: object, place: Path) -> None:
    """Write a joblib file, not compressed: its arrays then share chunks with other versions.

    Raises:
        InvalidInput: `not-savable`.
    """
    joblib = need("joblib", "sklearn")
    _write(obj, place, lambda file: joblib.dump(obj, file, protocol=_PROTOCOL))


def load(files: Files, path: str, trust: Trust, *, extra: str = "sklearn") -> Any:
    """The object of a pickle or joblib file, packed or not; its name does not matter.

    Args:
        extra: The extra that brings the libraries whose classes the file is likely to name.

    Raises:
        Denied: `untrusted`, naming every global that is not trusted.
        InvalidInput: `not-loadable`: the file is damaged, or names what is not installed here.
    """
    with files.open(path) as file:
        if trust.everything:
            with _told(path, extra):
                return _load_all(file)
        with _told(path, extra), _unpacked(file, path, trust) as plain:
            found = scan(FileSource(plain), _BUDGET.begun())
            pairs = _trusted_pairs(path, found, trust)
            plain.seek(0)
            if found.is_joblib:
                return _joblib_unpickler(plain, pairs).load()
            return _Locked(plain, pairs).load()


def check(files: Files, path: str, trust: Trust) -> None:
    """Whether `load` would be allowed to load it; nothing is. Denied: `untrusted`."""
    if trust.everything:
        return
    with files.open(path) as file, _told(path, "sklearn"), _unpacked(file, path, trust) as plain:
        _trusted_pairs(path, scan(FileSource(plain), _BUDGET.begun()), trust)


# --- the first lock: what the bytes say -----------------------------------------------------


def _trusted_pairs(path: str, found: Scan, trust: Trust) -> frozenset[_Pair]:
    """Every global as (module, name), once all of them are trusted. Denied: `untrusted`."""
    machine = found.machine
    names = [name.name for name in machine.globals.values()]
    trust.require(path, map(printable, names))
    for hidden, reason in (
        (machine.computed, "computes a name to import"),
        (machine.computed_calls, "calls what it has built itself"),
        (machine.extensions, "imports a name by a number of the extension registry"),
        (machine.legacy_joblib, "has arrays whose bytes could be read as instructions"),
        (_READS_OTHER_FILES.intersection(names), "loads arrays from other files"),
        (found.incomplete, f"can't be understood to its end: {found.incomplete}"),
        (len(found.roots) > 1, f"holds {len(found.roots)} pickles, one behind the other"),
        (found.trailing, "goes on behind the end of the pickle"),
        (any(b"." in name for _, name in machine.globals), "reaches for a name inside a name"),
    ):
        if hidden:
            trust.require_all(path, reason)
    try:
        return frozenset((module.decode(), name.decode()) for module, name in machine.globals)
    except UnicodeDecodeError:
        raise _damaged(path, "a name in it is no text") from None


@contextmanager
def _unpacked(file: BinaryIO, path: str, trust: Trust) -> Iterator[BinaryIO]:
    """The bytes to walk and to load: the file itself, or what it unpacks to, once for both."""
    packing = packing_of(file.read(16))
    if packing is None:
        yield file
        return
    with tempfile.SpooledTemporaryFile(max_size=_UNPACKED_IN_MEMORY) as unpacked:
        try:
            source = PackedSource(file, packing, _BUDGET.begun())
            at = 0
            while block := source.read(at, _BLOCK):
                unpacked.write(block)
                at += len(block)
        except Spent as spent:
            trust.require_all(path, f"can't be unpacked ({packing}): {spent}")
        yield cast("BinaryIO", unpacked)


# --- the second lock: the loader ------------------------------------------------------------


class _Locked(pickle.Unpickler):
    """Finds what the walk has seen, and nothing else."""

    def __init__(self, file: BinaryIO, pairs: frozenset[_Pair]) -> None:
        super().__init__(file)
        self._pairs = pairs

    def find_class(self, module: str, name: str) -> Any:
        _check(module, name, self._pairs)
        return super().find_class(module, name)


def _joblib_unpickler(file: BinaryIO, pairs: frozenset[_Pair]) -> Any:
    """The same lock on joblib's loader. Never maps files into memory."""
    unpickler = _joblib_class()("", file, ensure_native_byte_order=True)
    unpickler.pairs = pairs
    return unpickler


@cache
def _joblib_class() -> Any:
    """Made here because its base is joblib's, which hands the lock on to pickles in arrays."""
    base = need("joblib.numpy_pickle", "sklearn").NumpyUnpickler

    class Locked(base):  # type: ignore[misc, valid-type]
        pairs: frozenset[_Pair] = frozenset()

        def find_class(self, module: str, name: str) -> Any:
            _check(module, name, self.pairs)
            return super().find_class(module, name)

    return Locked


def _check(module: str, name: str, pairs: frozenset[_Pair]) -> None:
    if (module, name) not in pairs:
        raise pickle.UnpicklingError(f"{module}.{name} was not there when the file was walked")


def _load_all(file: BinaryIO) -> Any:
    """What the libraries' own loaders do: everything that the file says."""
    joblib = need("joblib", "sklearn") if _may_be_joblib(file) else None
    file.seek(0)
    return pickle.load(file) if joblib is None else joblib.load(file)


def _may_be_joblib(file: BinaryIO) -> bool:
    """Joblib's loader reads plain pickles too, but ten times slower than Python's own."""
    if packing_of(file.read(16)) is not None:
        return True
    try:
        found = scan(FileSource(file), _BUDGET.begun())
    except InvalidInput:
        return True
    return found.is_joblib or bool(found.incomplete)


# --- errors ---------------------------------------------------------------------------------


@contextmanager
def _told(path: str, extra: str) -> Iterator[None]:
    """What libraries raise over a bad file, as our errors: trusted classes may raise anything."""
    try:
        yield
    except ModelyardError as error:
        if error.kind == "bad-pickle":
            raise _damaged(path, error.message) from None
        raise
    except (AttributeError, ModuleNotFoundError) as error:
        raise InvalidInput(
            "not-loadable", f"{path} needs what is not here: {_first_line(error)}",
            hint="import or install the code that defines it, as it was when the object was "
            f"saved, then load again; libraries come with 'modelyard[{extra}]'",
        ) from error  # fmt: skip
    except Exception as error:
        raise _damaged(path, _first_line(error)) from error


def _damaged(path: str, reason: str) -> InvalidInput:
    return InvalidInput(
        "not-loadable", f"{path} can't be unpickled: {reason}",
        hint="it was made by other versions of its libraries, or it is damaged",
    )  # fmt: skip


def _write(obj: object, place: Path, dump: Any) -> None:
    try:
        with place.open("wb") as file:
            dump(file)
    except (pickle.PicklingError, AttributeError, TypeError, ValueError, RecursionError) as error:
        place.unlink(missing_ok=True)
        raise InvalidInput(
            "not-savable", f"a {type(obj).__qualname__} can't be pickled: {_first_line(error)}",
            hint="move lambdas, functions and classes that it holds to the top of a module, and "
            "leave open files, locks and connections out of it",
        ) from error  # fmt: skip


def _first_line(error: BaseException) -> str:
    text = str(error) or type(error).__name__
    return printable(text.splitlines()[0], 300)
