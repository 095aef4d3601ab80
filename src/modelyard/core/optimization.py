"""What improving a version means: recipes of passes, trials, and what came of them. Pure.

A *recipe* is an ordered list of passes with goals, constraints, data, a seed and a budget. A
*trial* is one run of it with fixed parameters. An *optimization* is all the trials of one recipe
on one version, and the versions that were published in the end.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Self

from modelyard.core.evaluation import Measure
from modelyard.errors import InvalidInput

__all__ = [
    "COSTS",
    "FIDELITY",
    "Candidate",
    "Constraint",
    "Goal",
    "Optimization",
    "OptimizationState",
    "PassDone",
    "Recipe",
    "Step",
    "Suggestion",
    "Trial",
    "TrialState",
    "Verdict",
]

Json = Any

TrialState = Literal["running", "done", "pruned", "failed"]
OptimizationState = Literal["running", "done", "failed", "cancelled", "stopped"]

COSTS: Mapping[str, str] = {
    "size": "bytes of the version's files, without its words and its recipe",
    "stored": "bytes that the files take compressed, as a store keeps them",
    "latency_p50": "milliseconds that the model takes for one row, the median",
    "batch_latency_p50": "milliseconds for a batch of rows, the median",
    "parameters": "numbers that were learned",
}
"""What a model costs. Less is better."""

FIDELITY: Mapping[str, str] = {
    "cosine": (
        "mean cosine of its outputs with those of the version that it was made from; of an output"
        " of one number a row, whose cosine would be its sign alone, 1 less the squared difference"
        " over the variance, at least -1; of labels alone, `agreement`"
    ),
    "agreement": "share of rows for which both say the same",
}
"""How near a version is to the one that it was made from. More is better."""

_WORD = re.compile(r"[a-z][a-z0-9_@.]{0,60}\Z")
_CONSTRAINT = re.compile(
    r"\s*([a-z][a-z0-9_@.]{0,60})\s*(<=|>=)\s*([0-9.eE+-]+)\s*([A-Za-z%]{0,2})\s*\Z"
)
_UNITS = {
    "": 1.0, "%": 0.01, "B": 1.0, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "ms": 1.0, "us": 1e-3,
    "s": 1e3,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Goal:
    """`accuracy max`: what is to become better."""

    metric: str
    """A metric of the suite, one of `COSTS` or `FIDELITY`, or `quality`: the suite's first metric,
    or `cosine` where no target is known."""
    direction: Literal["max", "min"]
    """Which way is better."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `accuracy max` or `size min`; InvalidInput: `bad-goal`."""
        metric, _, direction = text.strip().partition(" ")
        direction = direction.strip()
        if not direction and metric in COSTS:
            direction = "min"
        if not _WORD.match(metric) or direction not in ("max", "min"):
            raise InvalidInput(
                "bad-goal", f"{text[:80]!r} is no goal",
                hint="METRIC max, or METRIC min: accuracy max, latency_p50 min, size min",
            )  # fmt: skip
        return cls(metric, "max" if direction == "max" else "min")

    def __str__(self) -> str:
        return f"{self.metric} {self.direction}"


@dataclass(frozen=True, slots=True)
class Constraint:
    """`accuracy_drop<=0.005`: what must hold of every published version.

    `METRIC_drop` is what was lost against the version that is improved, in units of the metric;
    `METRIC_ratio` is new by old.
    """

    metric: str
    operator: Literal["<=", ">="]
    """At most, or at least."""
    value: float

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `size<=5MB`; InvalidInput: `bad-constraint`."""
        found = _CONSTRAINT.match(text)
        try:
            assert found is not None
            value = float(found[3]) * _UNITS[found[4]]
            assert math.isfinite(value)
        except (AssertionError, ValueError, KeyError):
            raise InvalidInput(
                "bad-constraint", f"{text[:80]!r} is no constraint",
                hint="METRIC<=NUMBER or METRIC>=NUMBER: accuracy_drop<=0.005, size<=5MB",
            ) from None  # fmt: skip
        return cls(found[1], "<=" if found[2] == "<=" else ">=", value)

    def excess(self, value: float) -> float:
        """How far a value is off: positive where the constraint does not hold."""
        return value - self.value if self.operator == "<=" else self.value - value

    def __str__(self) -> str:
        return f"{self.metric}{self.operator}{self.value:.10g}"


@dataclass(frozen=True, slots=True)
class Step:
    """One pass of a recipe, and its options.

    An option is one value; or a list, of which trials choose one; or
    `{"low": 0.1, "high": 0.9}`, with `"log": true` or `"step": 0.1` if wanted, between which they
    choose. An option that is not named is chosen by the pass.
    """

    name: str
    """Of the pass."""
    options: Mapping[str, Json] = field(default_factory=dict)
    """By name; what they may be is told above."""
    optional: bool = False
    """Whether trials may leave it out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """An ordered list of passes, and what they are for."""

    name: str
    steps: tuple[Step, ...]
    """`passes` in YAML."""
    goals: tuple[Goal, ...]
    """`objective` in YAML."""
    constraints: tuple[Constraint, ...] = ()
    """What must hold of every published version."""
    data: str | None = None
    """A file, or a committed dataset (`data/digits@1`)."""
    target: str | None = None
    """The column that is predicted; without one, a model is compared with itself."""
    seed: int = 0
    trials: int = 30
    """How many at most."""
    seconds: float | None = None
    """How long at most; None: until all trials are done."""
    holdout: float = 0.3
    """Share of the rows that no pass sees: the proof is made with them."""
    valid: float = 0.2
    """Share of the other rows by which trials are chosen."""
    nested: int = 0
    """Outer folds of nested cross-validation that tell how much the whole search gains; 0: none."""
    publish: int = 3
    """Versions at most: the best points of the Pareto front."""
    baseline: Literal["auto", "as-is", "refit"] = "auto"
    """What passes that learn anew are compared with: the version as it is; or itself, learned again
    from the same part of the rows as they are. `auto` is the second where its manifest names this
    data, for it knows the rows of the proof by heart then. Versions are published as learned from
    all rows in that case."""
    description: str = ""
    """For people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PassDone:
    """What one pass did in a trial."""

    name: str
    params: Mapping[str, Json] = field(default_factory=dict)
    """With which it can be run again."""
    kept: bool = True
    """Whether its result was used."""
    why: str = ""
    """Why not, or what else should be known."""
    seconds: float = 0.0
    before: Mapping[str, float] = field(default_factory=dict)
    """Metrics without it, on rows that it did not learn from."""
    after: Mapping[str, float] = field(default_factory=dict)
    """The same with it."""
    notes: tuple[str, ...] = ()
    """What people should know, in sentences."""
    changed: tuple[Mapping[str, Json], ...] = ()
    """Layer by layer, what it changed: `layer`, `change` (relative, by the L2 norm), `sparsity`,
    `dtype`, `shape` as far as they are known. The most changed first, 200 at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One run of a recipe with fixed parameters."""

    number: int
    """From 0; the first runs the recipe as its passes would by themselves."""
    params: Mapping[str, Json] = field(default_factory=dict)
    """`PLACE.PASS.OPTION`: `1.prune.sparsity`; `PLACE.PASS` is false where a pass is left out."""
    state: TrialState = "running"
    """`running`, `done`, `pruned` (given up) or `failed`."""
    values: Mapping[str, float] = field(default_factory=dict)
    """Metrics on the rows by which trials are chosen, and costs."""
    steps: tuple[PassDone, ...] = ()
    """What its passes did, in their order."""
    excess: Mapping[str, float] = field(default_factory=dict)
    """By constraint, how far it is off; positive where it does not hold."""
    scores: Mapping[str, float] = field(default_factory=dict)
    """How good it was so far, by where it told that (`epoch 3`); higher is better."""
    seconds: float = 0.0
    reason: str = ""
    """Why it failed or was given up."""
    digest: str = ""
    """SHA-256 over the paths and digests of the files that it made."""
    on_front: bool = False
    """Whether no other trial is better in all goals."""

    @property
    def holds(self) -> bool:
        """Whether no constraint is broken."""
        return all(excess <= 0 for excess in self.excess.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One goal or constraint of a candidate, proved on rows that no pass has seen."""

    about: str
    """The goal or the constraint: `size min`, `accuracy_drop<=0.005`."""
    holds: bool
    """A constraint is met; a goal is better, by more than chance."""
    worse: bool = False
    """It is worse, by more than chance."""
    before: float | None = None
    """Of the version that was improved."""
    after: float | None = None
    """Of the candidate."""
    difference: float | None = None
    """After minus before; of costs, after by before."""
    low: float | None = None
    high: float | None = None
    p: float | None = None
    """How likely such a difference is by chance."""
    test: str = ""
    """How that was tested."""
    sentence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A trial that was put to the proof."""

    trial: int
    """Its number."""
    version: int | None = None
    """Its number, if it was published."""
    chosen: bool = False
    """The one that an alias would get."""
    before: tuple[Measure, ...] = ()
    """The version that was improved, on rows that no pass has seen."""
    after: tuple[Measure, ...] = ()
    """The candidate, on the same rows."""
    verdicts: tuple[Verdict, ...] = ()
    """Of each goal, then of each constraint."""
    sentence: str = ""
    digest: str = ""
    """As in its trial."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimization:
    """One recipe on one version: how far it is, and what came of it."""

    id: int
    model: str
    number: int
    """The version that is to be improved."""
    recipe: Recipe
    """With the passes that fit the version, and `quality` spelled out, once it has begun."""
    state: OptimizationState
    """`running`, `done`, `failed`, `cancelled`, or `stopped`: it can be gone on with."""
    who: str
    created: datetime
    changed: datetime
    """When it gave its last sign of life."""
    done: int = 0
    """Trials that ended."""
    candidates: tuple[Candidate, ...] = ()
    """Trials that were put to the proof."""
    before: Mapping[str, float] = field(default_factory=dict)
    """The version as it was, measured as the trials are."""
    sentence: str = ""
    """What came of it."""
    reasons: tuple[str, ...] = ()
    """Why nothing better was found, or what else should be known."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Machine, its instructions, and versions of libraries: gains of int8 depend on them."""
    data_digest: str = ""
    seconds: float = 0.0
    engine: str = "local"
    """Where its trials run."""
    alias: str | None = None
    """What the chosen version is to be pointed at by."""
    nested: Measure | None = None
    """What the search as a whole gains, by nested cross-validation, if the recipe asks for it: in
    units of `quality`, higher is better."""
    warm: int = 0
    """Trials of earlier optimizations that this one began with."""
    claims: int = 0
    """How often it was taken up: whoever worked on it before has no more say."""

    @property
    def title(self) -> str:
        """`flowers/iris@3`."""
        return f"{self.model}@{self.number}"

    @property
    def published(self) -> tuple[int, ...]:
        """Versions that came of it, the chosen one first."""
        found = sorted(self.candidates, key=lambda each: not each.chosen)
        return tuple(each.version for each in found if each.version is not None)

    def __str__(self) -> str:
        return self.sentence or f"{self.title}: {self.recipe.name}, {self.state}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A recipe that is likely to pay, and why."""

    recipe: str
    """Its name."""
    score: float
    """0 to 1: how much it is likely to pay."""
    expected: Mapping[str, str] = field(default_factory=dict)
    """By metric, in words: `{"size": "3.5x to 4x smaller", "accuracy": "0 to 0.5 points lost"}`."""
    why: tuple[str, ...] = ()
    """Sentences: from format, size, traffic and past trials."""
    needs: tuple[str, ...] = ()
    """What is missing: data, a target, an extra."""
    command: str = ""
    """What to type."""
