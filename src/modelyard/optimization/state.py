"""What passes work on: a model in a folder, rows to learn from, and where to write."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from modelyard.core.trust import Trust
from modelyard.frameworks import FolderFiles, Saved, named

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import numpy as np

    from modelyard.core.table import Table

    Array = np.ndarray[Any, Any]

__all__ = ["Model", "Rows", "Subject", "Task", "Work", "pass_seed"]

Json = Any
Task = Literal["classification", "regression", "other"]


@dataclass(frozen=True, slots=True)
class Rows:
    """Inputs, and what is to be predicted of them."""

    inputs: Table
    target: Array | None = None
    """Shape (rows,); None where it is not known: then a model is compared with itself."""
    weights: Array | None = None
    """Shape (rows,): how much each counts in learning; None: all alike."""
    origins: Array | None = None
    """Shape (rows,), whole numbers: the row's own, or -1 less the own number of the row that it was
    made of; None: none was made of another. Nothing is measured with rows that were made."""

    def __len__(self) -> int:
        return len(self.inputs)

    def take(self, rows: Array | slice) -> Rows:
        """Some of them: by indices, mask or slice."""
        return Rows(
            self.inputs.take(rows),
            None if self.target is None else self.target[rows],
            None if self.weights is None else self.weights[rows],
            None if self.origins is None else self.origins[rows],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model as files, as a version will hold it. Passes never change one: they make another."""

    folder: Path
    """Its files; nobody writes into it any more."""
    saved: Saved
    """How they are loaded."""
    signature: Mapping[str, Json] | None = None
    example: Mapping[str, Json] | None = None
    """As manifests have them."""
    trust: Trust = Trust()  # noqa: RUF009 - frozen

    def load(self) -> Any:
        """The object, in this process. Denied: `untrusted`."""
        framework = named(self.saved.framework)
        return framework.load(FolderFiles(self.folder), self.saved, self.trust)

    @property
    def size(self) -> int:
        """Bytes of its files."""
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())

    @property
    def digest(self) -> str:
        """SHA-256 over paths and contents: two models with the same are the same bit for bit."""
        found = hashlib.sha256()
        for path in sorted(path for path in self.folder.rglob("*") if path.is_file()):
            with path.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            found.update(f"{digest}  {path.relative_to(self.folder).as_posix()}\n".encode())
        return found.hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is known of a model and its data before anything is loaded."""

    framework: str
    serializer: str
    class_name: str
    """`sklearn.ensemble._forest.RandomForestClassifier`; `onnx.ModelProto`."""
    size: int
    """Bytes."""
    task: Task = "other"
    rows: int = 0
    """To learn from; 0 without data."""
    columns: int = 0
    classes: int = 0
    has_target: bool = False
    structure: tuple[str, ...] = ()
    """A line for each step or layer, as the manifest keeps them; may be empty."""
    operators: Mapping[str, int] = field(default_factory=dict)
    """Of an ONNX graph: how often each stands in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a pass may use beside the model."""

    task: Task
    train: Rows | None
    """To learn from, to calibrate with. None without data. Without a target, inputs only."""
    valid: Rows | None
    """By which trials are chosen. A pass may stop early by it, or choose; it must not learn."""
    source: Model
    """The version that is improved: what distillation learns from, and outputs are compared to."""
    scratch: Path
    """An empty folder for this pass alone; gone after the trial."""
    seed: int
    """Of this pass: all its chance must come from it."""
    judges: bool = True
    """Whether a data pass must show that it helps; False where that was proved before."""
    threads: int = 1
    tell: Callable[[str, float | None], None] = lambda _what, _score: None
    """Say what is being done, and how good it is so far (higher is better), for progress, and for
    giving up trials that are worse than others at the same place."""

    def folder(self, name: str = "model") -> Path:
        """A new folder for the files of a model."""
        made = self.scratch / name
        made.mkdir()
        return made

    def with_rows(self, train: Rows) -> Work:
        """The same with other rows to learn from."""
        return replace(self, train=train)


def pass_seed(seed: int, place: int, name: str) -> int:
    """The seed of a pass, below 2**32: the same whichever trial it is in."""
    text = f"{seed} {place} {name}".encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:4], "big")
