"""What runs trials: tasks go out as plain values, results come back as they end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from modelyard.core.evaluation import Measure
from modelyard.core.optimization import Candidate, PassDone
from modelyard.core.trust import Trust
from modelyard.frameworks import Saved
from modelyard.optimization.state import Model
from modelyard.optimization.state import Task as Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["NO_TIME", "Engine", "Fixed", "Limits", "Place", "Result", "Task"]

Json = Any

NO_TIME: Final = "the time was over"
"""Why trials are given up when there is none left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A model in a folder of this machine, or of a file system that all workers share."""

    folder: str
    saved: Mapping[str, Json]
    signature: Mapping[str, Json] | None = None
    example: Mapping[str, Json] | None = None
    trusted: tuple[str, ...] = ()
    """Names that loading may import; `*` is everything."""

    @classmethod
    def of(cls, model: Model) -> Place:
        """Where a model is."""
        names = ("*",) if model.trust.everything else tuple(sorted(model.trust.names))
        return cls(
            folder=str(model.folder), saved=model.saved.encode(), signature=model.signature,
            example=model.example, trusted=names,
        )  # fmt: skip

    def model(self) -> Model:
        """The model that is there."""
        trust = Trust(everything=True) if "*" in self.trusted else Trust(frozenset(self.trusted))
        return Model(
            folder=Path(self.folder), saved=Saved.decode(self.saved), signature=self.signature,
            example=self.example, trust=trust,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    """A pass with a value for each of its options."""

    place: int
    """How many passes of this name came before it: its chance depends on that."""
    name: str
    params: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One trial to run, candidates to be proved, or a whole search in outer folds."""

    kind: Literal["trial", "proof", "nested"]
    trial: int
    source: Place
    """The version that is improved."""
    out: str
    """An empty folder that is the task's: what it makes lands in it."""
    made: str
    """A folder that tasks of one optimization share, for what several of them begin with."""
    data: str | None = None
    """A file of rows."""
    target: str | None = None
    task: Kind = "other"
    seed: int = 0
    holdout: float = 0.3
    valid: float = 0.2
    steps: tuple[Fixed, ...] = ()
    """Of a trial."""
    whole: bool = False
    """Whether it learns from all rows: after the proof, with parameters that were proved."""
    timed: bool = True
    """Whether latency is measured."""
    candidates: tuple[tuple[int, Place], ...] = ()
    """Of a proof: trials and what they made."""
    earlier: int = 0
    """Of a proof: candidates that were put to it before these; none of them passed."""
    goals: tuple[str, ...] = ()
    """Of a proof, resolved: `accuracy max`."""
    constraints: tuple[str, ...] = ()
    recipe: str = ""
    """Of nested cross-validation: YAML."""
    folds: int = 0
    """Of nested cross-validation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of a task."""

    trial: int
    state: Literal["done", "pruned", "failed"]
    reason: str = ""
    """Why it failed or was given up: one sentence for people."""
    helpless: bool = False
    """Whether it failed as a pass can do nothing for such a model: nothing is wrong with what was
    asked for."""
    untrusted: bool = False
    """Whether it failed as the version may not be loaded with the trust that was given."""
    hint: str = ""
    """What can be done about that."""
    place: Place | None = None
    """What a trial made."""
    values: Mapping[str, float] = field(default_factory=dict)
    before: Mapping[str, float] = field(default_factory=dict)
    """The source, measured in the same process."""
    steps: tuple[PassDone, ...] = ()
    seconds: float = 0.0
    digest: str = ""
    candidates: tuple[Candidate, ...] = ()
    """Of a proof, in the order of the task's."""
    nested: Measure | None = None
    """Of nested cross-validation: what the search gains, higher is better."""
    described: tuple[Mapping[str, Json], ...] = ()
    """Of a proof, by candidate: `params`, `structure`, `environment`, as manifests have them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one task may take."""

    seconds: float = 3600.0
    memory: int = 8 << 30
    """Bytes."""
    threads: int = 1


class Engine(Protocol):
    """Runs tasks, several at once if it can. Close it, or use it in a `with` statement."""

    name: str
    at_once: int
    """How many tasks it runs beside each other."""

    def run(
        self, tasks: Sequence[Task], tell: Callable[[int, str, float | None], bool],
        left: Callable[[], bool] = lambda: True,
    ) -> Iterator[Result]:  # fmt: skip
        """Results as they end, in any order: one for each task, whatever happens to it.

        Args:
            tell: Called in this thread with the trial, what it does, and how good it is so far;
                True means that the trial is to be given up: its result is `pruned`.
            left: Asked now and then in this thread whether there is time; once there is none, what
                has not ended is given up.
        """

    def cancel(self) -> None:
        """End all that runs, from any thread: `run` gives `failed` for what has not ended."""

    def close(self) -> None: ...
