"""Trees as graphs: as fast as they should be for one row, and the same answers.

The library and the graph are asked in turns through the runtimes that services use, each time about
another row: in turns of 20 calls, as a service asks one model, and call by call.

`python -m tests.benchmarks.optimize.forest` prints the table.
"""

from __future__ import annotations

import statistics
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.core.table import Table
from modelyard.frameworks import framework_of, serializer_of
from modelyard.optimization.measuring import costs
from modelyard.optimization.passes import pass_named
from modelyard.optimization.passes.trees.graphs import forest_to_onnx
from modelyard.optimization.state import Model, Rows, Work
from modelyard.runtimes import runtime_of
from modelyard.runtimes.onnx import open as open_graph

if TYPE_CHECKING:
    from collections.abc import Callable

Array = np.ndarray[Any, Any]
Told = tuple[str, str, str]

_ROWS, _COLUMNS, _ASKED = 20_000, 20, 5_000
_SINGLES = 200
_SAME = 1e-6


@dataclass(frozen=True, slots=True)
class _Data:
    rows: Array
    classes: Array
    numbers: Array


def run(*, seed: int = 0, **_: Any) -> list[Told]:
    """Rows of (what, seen, asked)."""
    warnings.simplefilter("ignore")
    data = _data(seed)
    told: list[Told] = []
    for title, make in _models():
        told += _compared(title, make(), data)
        for line in told[-2:]:
            print(" | ".join(line), flush=True)
    trimmed = _trimmed(data)
    for line in trimmed:
        print(" | ".join(line), flush=True)
    return told + trimmed


def _data(seed: int) -> _Data:
    from sklearn.datasets import make_classification

    rows, classes = make_classification(
        _ROWS, _COLUMNS, n_informative=12, n_redundant=4, flip_y=0.02, random_state=seed
    )
    return _Data(rows.astype(np.float32).astype(np.float64), classes, rows[:, :5].sum(axis=1))


def _models() -> list[tuple[str, Callable[[], Any]]]:
    import lightgbm
    import xgboost
    from sklearn import ensemble

    return [
        ("RandomForestClassifier, 100 trees",
         lambda: ensemble.RandomForestClassifier(100, random_state=0)),
        ("ExtraTreesClassifier, 100 trees",
         lambda: ensemble.ExtraTreesClassifier(100, random_state=0)),
        ("RandomForestRegressor, 50 trees",
         lambda: ensemble.RandomForestRegressor(50, max_depth=12, random_state=0)),
        ("GradientBoostingClassifier, 100 rounds",
         lambda: ensemble.GradientBoostingClassifier(random_state=0)),
        ("HistGradientBoostingClassifier, 100 rounds",
         lambda: ensemble.HistGradientBoostingClassifier(random_state=0)),
        ("XGBClassifier, 100 rounds", lambda: xgboost.XGBClassifier(n_jobs=1)),
        ("LGBMClassifier, 100 rounds", lambda: lightgbm.LGBMClassifier(n_jobs=1, verbose=-1)),
    ]  # fmt: skip


def _compared(title: str, obj: Any, data: _Data) -> list[Told]:
    is_classifier = title.partition(",")[0].endswith("Classifier")
    target = data.classes if is_classifier else data.numbers
    learned = slice(0, _ROWS - _ASKED)
    obj.fit(data.rows[learned], target[learned])
    begun = time.perf_counter()
    graph = forest_to_onnx(obj)
    seconds = time.perf_counter() - begun
    ours = open_graph(graph, None)
    theirs = runtime_of(framework_of(obj).NAME, obj)
    asked = Table({"data": data.rows[-_ASKED:]})
    was, now = theirs.predict(asked).outputs, ours.predict(asked).outputs
    worst = max(
        float(np.max(np.abs(was[name] - now[name]) / np.maximum(1, np.abs(was[name]))))
        for name in was if name != "label"
    )  # fmt: skip
    differ = int(np.sum(was["label"] != now["label"])) if is_classifier else 0
    old, new = _times(theirs, ours, asked, 20)
    cold_old, cold = _times(theirs, ours, asked, 1)
    size = graph.ByteSize() / 1024
    is_forest = title.startswith(("RandomForest", "ExtraTrees"))
    faster = (
        f"{old:.0f} us, as a graph {new:.1f} us: {old / new:.0f}x faster in turns of 20 calls; "
        f"{cold_old / cold:.0f}x if each call follows one of the other, which empties the caches"
    )
    same = (
        f"{differ} labels differ, numbers by {worst:.1e} at most; {size:,.0f} KiB, made in "
        f"{seconds:.1f} s"
    )
    return [
        (f"{title}: one row", faster, ">= 50x" if is_forest else "-"),
        (f"{title}: {_ASKED:,} answers", same, f"0, {_SAME:.0e}"),
    ]


def _times(theirs: Any, ours: Any, asked: Table, turn: int) -> tuple[float, float]:
    """Microseconds for one row, medians; so many calls of one before the other has its turn."""
    taken: tuple[list[float], list[float]] = ([], [])
    for start in range(0, _SINGLES, turn):
        for runtime, times in zip((theirs, ours), taken, strict=True):
            for at in range(start, start + turn):
                row = asked.take(slice(at, at + 1))
                begun = time.perf_counter()
                runtime.predict(row)
                times.append(time.perf_counter() - begun)
    return statistics.median(taken[0]) * 1e6, statistics.median(taken[1]) * 1e6


def _trimmed(data: _Data) -> list[Told]:
    """A forest with fewer and smaller trees, judged on rows that did not choose them."""
    from sklearn.ensemble import RandomForestClassifier

    learned, chosen, judged = (
        slice(0, 10_000), slice(10_000, 13_000), slice(_ROWS - _ASKED, _ROWS)
    )  # fmt: skip
    forest = RandomForestClassifier(100, random_state=0)
    forest.fit(data.rows[learned], data.classes[learned])
    rows = Rows(Table({"data": data.rows[chosen]}), data.classes[chosen])
    told = []
    with TemporaryDirectory() as name:
        source = Path(name, "source")
        source.mkdir()
        framework = framework_of(forest)
        saved = framework.save(forest, source, serializer_of(framework, None), None)
        model = Model(folder=source, saved=saved)
        made = model
        for place, step in enumerate(("trim", "shrink")):
            scratch = Path(name, str(place))
            scratch.mkdir()
            work = Work(
                task="classification", train=rows, valid=rows, source=model, scratch=scratch, seed=0
            )
            found = pass_named(step).run(made, {"tolerance": 0.005}, work)
            made = found.model or made
            right = float(np.mean(made.load().predict(data.rows[judged]) == data.classes[judged]))
            whole = float(np.mean(forest.predict(data.rows[judged]) == data.classes[judged]))
            before, after = costs(model), costs(made)
            title = "trim" if not place else "trim, shrink"
            seen = (
                f"{before['size'] / after['size']:.1f}x smaller "
                f"({before['stored'] / after['stored']:.1f}x stored), "
                f"{100 * (right - whole):+.2f} points on other rows ({'; '.join(found.notes)})"
            )
            told.append((f"{title} of 100 trees, 0.5 points may go each", seen, "-"))
    return told


if __name__ == "__main__":
    run()
