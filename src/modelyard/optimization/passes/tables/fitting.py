"""Fitting objects on rows, and scoring them before they are saved: what passes of tables share."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.core.metrics import Resampler
from modelyard.frameworks import framework_of
from modelyard.optimization.measuring import (
    Answers,
    facts_of,
    higher_is_better,
    primary,
)
from modelyard.runtimes import runtime_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.optimization.state import Rows, Task

__all__ = ["fitted", "known_params", "repeated", "scored"]

Json = Any

_TIMES = 8.0
"""A row stands in the data so often at most, whatever its weight."""


def fitted(obj: Any, rows: Rows, seed: int, *, epochs: int | None = None) -> Any:
    """The object learned from rows, by its framework; see `Framework.fit`.

    Rows with weights are learned from as often as they weigh: not every object takes weights.
    """
    rows = repeated(rows, seed)
    framework = framework_of(obj)
    with warnings.catch_warnings():
        # a trial that ends early is no news
        warnings.filterwarnings("ignore", ".*(converge|Solver terminated early).*")
        return framework.fit(obj, rows.inputs, rows.target, epochs=epochs, seed=seed % 2**31)


def repeated(rows: Rows, seed: int) -> Rows:
    """Rows as often as they weigh, about as many in all; the same rows where all weigh alike.

    Systematic resampling (Kitagawa 1996): a row of weight 1.3 comes once or twice.
    """
    weights = rows.weights
    if weights is None or len(weights) == 0 or np.ptp(weights) == 0 or not weights.sum() > 0:
        return rows
    share = np.minimum(weights / weights.mean(), _TIMES)
    start = float(np.random.default_rng(seed).random())
    ends = np.floor(np.cumsum(share) + start).astype(np.int64)
    counts = np.diff(ends, prepend=int(np.floor(start)))
    from modelyard.optimization.state import Rows as Kept

    found = rows.take(np.repeat(np.arange(len(rows)), counts))
    return Kept(found.inputs, found.target, origins=found.origins)


def scored(obj: Any, rows: Rows, task: Task, seed: int = 0) -> float:
    """As `measuring.quality`, of an object that is not saved: higher is better.

    Raises:
        InvalidInput: the object can't answer for these rows, or there is no target.
    """
    runtime = runtime_of(framework_of(obj).NAME, obj)
    said = runtime.predict(rows.inputs)
    facts = facts_of(Answers(runtime.about, said.outputs), rows, task, None, seed)
    samples = facts.samples(Resampler(seed, resamples=2).of(facts.rows))
    name = primary(task)
    value = float(samples[name].value)
    return value if higher_is_better(name) else -value


def known_params(obj: Any, params: Mapping[str, Json]) -> dict[str, Json]:
    """Those that the object has."""
    known = framework_of(obj).params(obj)
    return {name: value for name, value in params.items() if name in known}
