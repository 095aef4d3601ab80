"""Our search against random search, on real data sets.

Both choose hyper-parameters of one model out of the space that the pass `tune` has for it, and are
told its score in cross-validation: accuracy, or minus the root mean square error. Random search
gets 60 trials. Counted is with which of its trials ours reaches the best of them, as the median
over pairs of seeds. The very same is done with a space of several algorithms (`choose`).

Settings that the search begins with were partly chosen with scikit-learn's five data sets in mind
(digits: the polynomial kernel; breast_cancer: balanced classes; diabetes: a wide margin), so the
other five say more.

    python -m tests.benchmarks.optimize.search [--seeds 10] [--only digits,wine] [--most 60]
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tests.benchmarks.optimize.search_sets import ALGORITHMS, FRESH, load

from modelyard.core.optimization import Goal
from modelyard.optimization.passes.data.rows import folds, row_groups
from modelyard.optimization.passes.interface import Choice
from modelyard.optimization.passes.tables.fitting import fitted, scored
from modelyard.optimization.passes.tables.portfolio import algorithms, built, options_of
from modelyard.optimization.passes.tables.preparing import columns_of
from modelyard.optimization.searching import Search
from modelyard.optimization.space import Space

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.optimization.passes.interface import Option
    from modelyard.optimization.state import Rows, Task

__all__ = ["run"]

RANDOM = 60
ALLOWED = RANDOM // 3
SEEDS = 10
_KEPT = Path.home() / ".cache" / "modelyard-tests" / "search.json"

SEVERAL = ("linear", "svm", "neighbours", "tree", "bayes")
"""Algorithms among which `choose` is to choose here: those that are quick."""


@dataclass(slots=True)
class Problem:
    """A data set, a space, and what is known of its points."""

    name: str
    rows: Rows
    task: Task
    options: Mapping[str, Option]
    several: bool
    scores: dict[str, float]

    def score(self, params: Mapping[str, Any]) -> float:
        """Mean score over three folds; kept, as a search asks for the same points often."""
        key = json.dumps([self.name, self.several, params], sort_keys=True)
        if key not in self.scores:
            self.scores[key] = self._scored(params)
        return self.scores[key]

    def _scored(self, params: Mapping[str, Any]) -> float:
        own = {name.removeprefix("0.choose."): value for name, value in params.items()}
        which = str(own.pop("algorithm")) if self.several else ALGORITHMS[self.name]
        prefix = f"{which}."
        inner = {name.removeprefix(prefix): value for name, value in own.items()}
        columns = columns_of(self.rows.inputs)
        known = {each.name: each for each in algorithms(self.task, len(self.rows))}
        obj = _bare(built(known[which], self.task, columns, inner))
        scores = []
        parts = folds(row_groups(self.rows.inputs), self.rows.target, self.task, count=3, seed=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for inside, outside in parts:
                found = fitted(obj, self.rows.take(inside), 0)
                scores.append(scored(found, self.rows.take(outside), self.task))
        return round(float(np.mean(scores)), 10)


def _bare(obj: Any) -> Any:
    """Without what makes probabilities of scores: it learns four times, and labels are all that is
    asked for here."""
    last = obj.steps[-1][1] if hasattr(obj, "steps") else obj
    if type(last).__name__ == "CalibratedClassifierCV":
        obj.steps[-1] = ("model", last.estimator)
    return obj


def problem(name: str, *, several: bool, scores: dict[str, float]) -> Problem:
    rows, task = load(name)
    width, count = len(rows.inputs.names), len(rows)
    known = [each for each in algorithms(task, count) if each.name in (*SEVERAL, ALGORITHMS[name])]
    if several:
        chosen = [each for each in known if each.name in SEVERAL]
        options: dict[str, Option] = {
            "algorithm": Choice(tuple(each.name for each in chosen)),
            **options_of(chosen, task, columns=width, rows=count),
        }
    else:
        own = [each for each in known if each.name == ALGORITHMS[name]]
        options = options_of(own, task, columns=width, rows=count)
    return Problem(
        name, rows, task, {f"0.choose.{k}": v for k, v in options.items()}, several, scores
    )


def random_best(this: Problem, seed: int) -> float:
    """The best of 60 points drawn by chance."""
    space, rng = Space(this.options), np.random.default_rng([seed, 1])
    return max(this.score(space.drawn(rng)) for _ in range(RANDOM))


def reached(this: Problem, goal: float, seed: int, most: int) -> int:
    """With which trial the search is as good; `most` + 1 if it is not."""
    search = Search(this.options, [Goal("quality", "max")], [], seed)
    for trial in range(1, most + 1):
        [params] = search.ask(1) or [{}]
        if not params:
            break
        score = this.score(params)
        if score >= goal:
            return trial
        search.tell(params, {"quality": score}, {})
    return most + 1


def compared(this: Problem, *, seeds: int, most: int) -> list[int]:
    """Trials needed, by seed."""
    goals = [random_best(this, seed) for seed in range(seeds)]
    return [reached(this, goal, seed, most) for seed, goal in enumerate(goals)]


def run(**options: Any) -> list[tuple[str, str, str]]:
    """What, seen, asked."""
    seeds, most = int(options.get("seeds") or SEEDS), int(options.get("most") or RANDOM)
    only = [name for name in str(options.get("only") or "").split(",") if name]
    scores: dict[str, float] = json.loads(_KEPT.read_text()) if _KEPT.exists() else {}
    found = []
    for several in (False, True):
        for name in only or ALGORITHMS:
            begun = time.perf_counter()
            this = problem(name, several=several, scores=scores)
            needed = compared(this, seeds=seeds, most=most)
            _KEPT.parent.mkdir(parents=True, exist_ok=True)
            _KEPT.write_text(json.dumps(scores))
            kind = " (fresh)" if name in FRESH else ""
            what = f"{name}{kind}, {'several algorithms' if several else ALGORITHMS[name]}"
            middle = statistics.median(needed)
            told = ", ".join(str(each) if each <= most else f">{most}" for each in needed)
            print(f"{what}: {middle:g} of {RANDOM} trials ({told}); "
                  f"{time.perf_counter() - begun:.0f} s", flush=True)  # fmt: skip
            found.append((
                f"search, {what}: trials until the best of {RANDOM} random ones is reached",
                f"{middle:g} (seeds: {told})" if middle <= most else f">{most} (seeds: {told})",
                f"<= {ALLOWED}",
            ))  # fmt: skip
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    for option, default in (("seeds", str(SEEDS)), ("most", str(RANDOM)), ("only", "")):
        parser.add_argument(f"--{option}", default=default)
    for row in run(**vars(parser.parse_args())):
        print(" | ".join(row))
