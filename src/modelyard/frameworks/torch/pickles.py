"""Torch's own files (`.pt`, `.pth`): looked at first, and loaded with no more than they need.

A file of tensors goes through torch's `weights_only` loader. A file that this loader refuses needs
every name in it trusted, also those that only build values: together they may do more. It is then
unpickled by a loader that finds what the walk has seen and nothing else.
"""

from __future__ import annotations

import pickle
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, BinaryIO

from modelyard.core.extras import need
from modelyard.errors import InvalidInput, ModelyardError
from modelyard.formats import inspect
from modelyard.formats.interface import Budget
from modelyard.formats.pickles.allowed import is_allowed
from modelyard.formats.pickles.scan import Scan, scan
from modelyard.formats.pickles.source import FileSource
from modelyard.formats.reading import printable
from modelyard.formats.zips import STORED, members
from modelyard.frameworks.torch.calls import quiet

if TYPE_CHECKING:
    from modelyard.core.trust import Trust
    from modelyard.frameworks.interface import Files

__all__ = ["load_file", "names_in"]

SCRIPT = "torch.jit.load"
_BUDGET = Budget(seconds=20.0, max_ops=2_000_000_000, max_nodes=20_000_000)
_TOLD = ("pickle-global", "misnamed", "torchscript")
"""Findings that are answered by name, below, or harmless."""


def load_file(files: Files, path: str, trust: Trust) -> Any:
    """What `torch.load` or `torch.jit.load` gives, on the processor.

    Raises:
        Denied: `untrusted`: the globals that the file would import, or `torch.jit.load`.
        InvalidInput: `not-loadable`, `bad-zip`, `bad-torch`, `bad-pickle`.
    """
    torch = need("torch", "torch")
    with files.open(path) as file:
        found = inspect(file, path, budget=_BUDGET)
        if found.format not in ("torch", "pickle", "joblib"):
            raise InvalidInput("not-loadable", f"{path} is {found.format}, no file of torch")
        if found.metadata.get("torchscript") or any(
            finding.kind == "torchscript" for finding in found.findings
        ):
            return _script(torch, file, path, trust)
        for finding in found.findings:
            if finding.kind not in _TOLD:
                trust.require_all(path, f"is not what torch writes: {finding.message}")
        pairs = _trusted_pairs(file, path, trust)
        file.seek(0)
        return _loaded(torch, file, path, pairs, trust)


def names_in(file: BinaryIO) -> tuple[str, ...]:
    """All globals that a file of torch would import, `module.name`. InvalidInput."""
    return tuple(found.name for found in _scan(file).machine.globals.values())


def _script(torch: Any, file: BinaryIO, path: str, trust: Trust) -> Any:
    trust.require(path, [SCRIPT], why="holds TorchScript code, which runs by")
    file.seek(0)
    with quiet(""):  # TorchScript is deprecated, which whoever loads a file of it can't help
        return _told(path, lambda: torch.jit.load(file, map_location="cpu"))


def _trusted_pairs(file: BinaryIO, path: str, trust: Trust) -> frozenset[tuple[str, str]]:
    """Every global of the file, once all are trusted; what only builds values may wait."""
    machine = _scan(file).machine
    names = [found.name for found in machine.globals.values()]
    if not all(map(is_allowed, names)):
        trust.require(path, map(printable, names))
    if any(b"." in name for _, name in machine.globals):
        trust.require_all(path, "reaches for a name inside a name")
    try:
        return frozenset((module.decode(), name.decode()) for module, name in machine.globals)
    except UnicodeDecodeError:
        raise InvalidInput("not-loadable", f"a name in {path} is no text") from None


def _scan(file: BinaryIO) -> Scan:
    file.seek(0)
    if file.read(4) != b"PK\3\4":
        return scan(FileSource(file), _BUDGET.begun())
    found = [  # torch finds names without regard to case
        member
        for member in members(file, _BUDGET.begun())
        if member.name.lower().rpartition("/")[2] == "data.pkl"
    ]
    if len(found) != 1 or not found[0].name.endswith("data.pkl"):
        raise InvalidInput("not-loadable", "there is no single data.pkl in it")
    main = found[0]
    if main.method != STORED:
        raise InvalidInput("not-loadable", "data.pkl is packed, which torch never does")
    return scan(FileSource(file, main.start, main.size), _BUDGET.begun())


def _loaded(
    torch: Any, file: BinaryIO, path: str, pairs: frozenset[tuple[str, str]], trust: Trust
) -> Any:
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except Exception:  # it holds more than weights
        trust.require(path, [printable(f"{module}.{name}") for module, name in pairs])
        file.seek(0)
    unpickler = pickle.Unpickler if trust.everything else _locked(pairs)
    module = SimpleNamespace(
        __name__="modelyard", Unpickler=unpickler, load=lambda f, **_: unpickler(f).load(),
        UnpicklingError=pickle.UnpicklingError,
    )  # fmt: skip
    return _told(
        path,
        lambda: torch.load(file, map_location="cpu", weights_only=False, pickle_module=module),
    )


def _locked(pairs: frozenset[tuple[str, str]]) -> type[pickle.Unpickler]:
    class Locked(pickle.Unpickler):
        """Finds what the walk has seen, and nothing else."""

        def find_class(self, module: str, name: str) -> Any:
            if (module, name) not in pairs:
                raise pickle.UnpicklingError(f"{module}.{name} was not there before")
            return super().find_class(module, name)

    return Locked


def _told(path: str, load: Any) -> Any:
    """What torch raises over a bad file, as our error: trusted classes may raise anything."""
    try:
        return load()
    except ModelyardError:
        raise
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise InvalidInput(
            "not-loadable", f"{path} can't be loaded: {printable(reason)}",
            hint="it may need the code that made it, or another version of torch",
        ) from error  # fmt: skip
