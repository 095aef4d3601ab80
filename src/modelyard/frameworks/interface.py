"""What every framework gives: objects of one library saved, loaded, read and changed.

A framework is a module (or package) of this folder. Its library is an extra: it is imported inside
functions, never at module level, and its absence is `Unsupported` `no-extra`. `recognises` must not
import anything: an object of a library proves that the library is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, Self

from modelyard.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from modelyard.core.table import Table
    from modelyard.core.trust import Trust

__all__ = ["Files", "Framework", "Json", "Saved", "bases_of"]

Json = Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """How an object was saved; the manifest keeps it as `saved`."""

    framework: str
    """`sklearn`, `keras`, ...: the module that loads it again."""
    serializer: str
    """One of that framework's `SERIALIZERS`."""
    class_name: str
    """`module.qualname` of the object's class; `class` in JSON."""
    details: Mapping[str, Json] = field(default_factory=dict)
    """What else `load` needs, or people should know (`file`, `parity`); small and JSON-able."""

    def encode(self) -> dict[str, Json]:
        return {
            "framework": self.framework, "serializer": self.serializer, "class": self.class_name,
            **self.details,
        }  # fmt: skip

    @classmethod
    def decode(cls, content: Mapping[str, Json]) -> Self:
        """Read what a manifest keeps. InvalidInput: `bad-manifest`."""
        rest = dict(content)
        try:
            known = [rest.pop(name) for name in ("framework", "serializer", "class")]
        except KeyError as error:
            raise InvalidInput("bad-manifest", f"'saved' lacks {error}") from None
        if not all(isinstance(value, str) for value in known):
            raise InvalidInput("bad-manifest", "'saved' is malformed")
        return cls(framework=known[0], serializer=known[1], class_name=known[2], details=rest)


class Files(Protocol):
    """The files of a version, wherever they are."""

    def paths(self) -> Sequence[str]:
        """All of them, sorted, POSIX. Files that modelyard hides are not among them."""

    def size(self, path: str) -> int:
        """Bytes of one file."""

    def open(self, path: str) -> BinaryIO:
        """A seekable file object. NotFound: `no-file`."""

    def read(self, path: str) -> bytes:
        """The whole file. NotFound: `no-file`."""

    def folder(self) -> Path:
        """A folder that holds all of them, for libraries that want paths; read it only."""


class Framework(Protocol):
    """A module that knows the objects of one library."""

    NAME: str
    """A word of the glossary, as `Inspection.framework` spells it."""
    SERIALIZERS: tuple[str, ...]
    """The default first."""

    def recognises(self, obj: object) -> bool:
        """Whether `obj` is of this library. Imports nothing."""

    def save(self, obj: Any, folder: Path, serializer: str, example: Any = None) -> Saved:
        """Write the object's files into an empty folder.

        Args:
            serializer: One of `SERIALIZERS`.
            example: A few rows, for serializers that trace or check (ONNX parity, torch.export).

        Raises:
            InvalidInput: `not-savable`: the object can't be written this way; the hint names a
                serializer that can.
        """

    def claims(self, files: Files) -> Saved | None:
        """How files that nobody saved by us (`yard commit FOLDER`) could be loaded, or None."""

    def load(self, files: Files, saved: Saved, trust: Trust, into: Any = None) -> Any:
        """The object again. Nothing that a file names is imported or run unless `trust` allows it.

        Args:
            into: An object to fill instead of making one (a torch module); most have no use for it
                and raise InvalidInput `no-into`.

        Raises:
            Denied: `untrusted`, naming every global (see `Trust.require`).
            InvalidInput: `not-loadable`: the files are damaged or not what `saved` says.
        """

    def params(self, obj: Any) -> dict[str, Json]:
        """Parameters by name, JSON-able and flat (`clf__C`): what `set_params` takes."""

    def set_params(self, obj: Any, changes: Mapping[str, Json]) -> Any:
        """The object with other parameters: a new one, or itself changed.

        Raises:
            InvalidInput: `no-param`, `bad-param`: the hint names the valid keys.
        """

    def structure(self, obj: Any) -> tuple[str, ...]:
        """A line for each step, layer or tensor, for people and for diffs."""

    def set_structure(self, obj: Any, plan: Json, trust: Trust) -> tuple[Any, tuple[str, ...]]:
        """The object rebuilt after a plan, and sentences on what was kept and what was not.

        Raises:
            InvalidInput: `bad-structure`: the hint says what a plan may hold.
            Denied: `untrusted`: the plan names classes outside of the library.
        """

    def optimizer(self, obj: Any) -> dict[str, Json]:
        """`{"name": "adam", "learning_rate": 0.001, ...}`; empty if the object has none."""

    def set_optimizer(self, obj: Any, changes: Mapping[str, Json]) -> Any:
        """The object with another optimizer (`name`, `lr` or `learning_rate`, ...).

        Raises:
            InvalidInput: `no-optimizer`, `bad-optimizer`: the hint names the valid keys.
        """

    def fit(self, obj: Any, inputs: Table, target: Any, *, epochs: int | None, seed: int) -> Any:
        """The object trained (again) on rows; the optimizer's state is kept with it.

        Args:
            target: The column to predict, shape (rows,) or more.
            epochs: Passes over the data, for what trains in passes; None is the library's way.
        """

    def signature(self, obj: Any, example: Any) -> Json | None:
        """`{"inputs": [{"name", "dtype", "shape"}], "outputs": [...]}`, -1 for rows.

        Found by predicting the example; a table has one input for each column. Outputs are named
        as the runtime names them. Without an example (None), what the object tells by itself, or
        None.
        """


def bases_of(obj: object) -> frozenset[str]:
    """`module.qualname` of the object's class and of all its bases."""
    return frozenset(f"{cls.__module__}.{cls.__qualname__}" for cls in type(obj).__mro__)
