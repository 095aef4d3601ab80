"""What every pass gives: one step of improvement of one model, with fixed parameters.

A pass is a module (or an object of one) named in `passes.NAMES`. Its libraries are imported inside
functions. With the same model, rows, parameters and seed it makes the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelyard.core.lineage import LineageKind
    from modelyard.optimization.state import Model, Rows, Subject, Work

__all__ = ["Choice", "Made", "Option", "Pass", "Range"]

Json = Any


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several values; the first is what is tried first."""

    values: tuple[Json, ...]
    also: tuple[Json, ...] = ()
    """What is worth a try after the first; see `Range.also`."""
    where: tuple[str, tuple[Json, ...]] | None = None
    """As `Range.where`."""


@dataclass(frozen=True, slots=True)
class Range:
    """A number between two, both included."""

    low: float
    high: float
    default: float
    """What is tried first."""
    log: bool = False
    """Whether its order of magnitude matters."""
    whole: bool = False
    also: tuple[float, ...] = ()
    """What is worth a try after the default. The first ones of all options of a model are meant to
    go together, and so are the second ones, and so on."""
    where: tuple[str, tuple[Json, ...]] | None = None
    """The values of another option, named as beside this one, or in full, without which it does
    not count."""


Option = Choice | Range


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What a pass made."""

    model: Model | None
    """None: nothing was changed, `why` says why; the trial goes on without it."""
    rows: Rows | None = None
    """Other rows to learn from, for the passes that follow; None: the same."""
    why: str = ""
    notes: tuple[str, ...] = ()
    """What people should know, in sentences."""
    changed: tuple[Mapping[str, Json], ...] = ()
    """As `PassDone.changed` has it, where the pass knows better than a comparison of tensors."""
    scores: tuple[Sequence[float], Sequence[float]] | None = None
    """Without and with it, higher is better, on the same folds of rows that it did not learn from:
    a data pass that does not help is dropped. If a data pass gives None, it is measured on `valid`.
    """
    params: Mapping[str, Json] = field(default_factory=dict)
    """What it chose by itself: run with these too, it makes the same again without a search."""


class Pass(Protocol):
    """One step of improvement."""

    NAME: str
    """As recipes name it."""
    KIND: Literal["algorithm", "data", "model"]
    """What it improves. What a data pass does not improve is dropped."""
    LINEAGE: LineageKind
    """What a version that it made says of where it came from."""
    SUMMARY: str
    """One line for people."""

    def why_not(self, subject: Subject) -> str | None:
        """A sentence on why it can't help this model; None if it may. Loads nothing."""

    def options(self, subject: Subject) -> Mapping[str, Option]:
        """What trials may choose, by name; the first of each is a sensible default."""

    def run(self, model: Model, params: Mapping[str, Json], work: Work) -> Made:
        """Improve the model.

        Args:
            params: A value for every option, checked against `options` or given by the recipe.
                Options that a recipe names beyond those of `options` come too.

        Raises:
            InvalidInput: `bad-pass-option`: a value can't be.
            Unsupported: `no-extra`; `not-improvable`: the pass can't take this model.
        """
