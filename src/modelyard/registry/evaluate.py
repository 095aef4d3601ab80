"""Evaluation: a version asked about every row of some data, in a child process, and measured."""

from __future__ import annotations

import os
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.core.evaluation import LEARNED, Evaluation, Latency
from modelyard.core.metrics import SUITE_VERSION, SUITES, Classified, Means, Resampler
from modelyard.core.metrics.interface import measures_of
from modelyard.core.version import Progress
from modelyard.errors import InvalidInput
from modelyard.formats.tables import read_table
from modelyard.registry.answers import check_target, gatherer, guessed_suite
from modelyard.registry.asking import opened
from modelyard.registry.classes import Coder
from modelyard.registry.data import find_data
from modelyard.registry.observers import onlookers
from modelyard.registry.outcomes import kept_rows
from modelyard.registry.reports import keep_evaluation
from modelyard.registry.slicing import slices_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from modelyard.core.evaluation import Slice
    from modelyard.core.metrics import Facts
    from modelyard.core.table import Table
    from modelyard.registry.answers import Array, Gatherer
    from modelyard.registry.desk import Desk
    from modelyard.runtimes import About, Prediction, Runtime
    from modelyard.runtimes.process import Limits

    Observer = Callable[[Table, Prediction, Array], None]

__all__ = ["Measurement", "evaluate"]

BATCH = 10_000
_SINGLES = 200
_SINGLES_SHARE = 0.06
"""Of the model's time for all rows, what asking for single rows may take."""
_SINGLES_SECONDS = 0.1
_ROLES_UNSEEN = ("test", "holdout", "eval", "evaluation")
"""Of data that a version names, but has not learned from."""
_LIBRARIES = {
    "sklearn": "scikit-learn", "keras": "keras", "torch": "torch", "xgboost": "xgboost",
    "lightgbm": "lightgbm", "onnx": "onnxruntime", "transformers": "transformers",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """How a version is to be measured."""

    target: str
    """The column that is to be predicted."""
    suite: str | None = None
    """One of `SUITES`; guessed from the model and the target if None."""
    slices: Sequence[str] = ()
    group: str | None = None
    """The column that names the query, in the ranking suite."""
    name: str | None = None
    """What the data is called, if not by its path."""
    trusted: Any = None
    timeout: float | None = None
    """Seconds for each batch, and for loading."""
    memory: int | None = None
    """Bytes that the model's process may take."""
    seed: int = 0
    code: Mapping[str, str] = field(default_factory=dict)
    """The caller's code."""

    def __post_init__(self) -> None:
        if self.suite is not None and self.suite not in SUITES:
            raise InvalidInput("no-suite", f"there is no suite {self.suite[:40]!r}",
                               hint=f"one of {', '.join(SUITES)}")  # fmt: skip
        if not 0 <= self.seed < 2**32:
            raise InvalidInput("bad-seed", f"{self.seed} is no seed", hint="0 to 4294967295")
        for limit, unit in ((self.timeout, "seconds"), (self.memory, "bytes")):
            if limit is not None and not 0 < limit < 2**62:
                raise InvalidInput("bad-limit", f"{limit} {unit} can't be a limit")


def evaluate(
    desk: Desk,
    model: str,
    revision: str | int | None,
    data: str | Path,
    how: Measurement,
    *,
    observers: Sequence[Observer] = (),
    report: Callable[[Progress], None] = lambda _: None,
) -> Evaluation:
    """Measure a version on data, and keep the result with it.

    Args:
        observers: Called with each batch, the answers and the truth, in the order of the rows.

    Raises:
        InvalidInput: `no-column`, `labels-differ`, `wrong-suite`, `missing-target`, ...
        Denied: `untrusted`, naming what the model's files would import.
        Unavailable: the model's process died, or took longer or more memory than it may.
    """
    looking = onlookers(desk)
    observers = (*observers, *looking)
    with find_data(desk, data) as found:
        table = read_table(found.path)
    rows = _Rows.of(table, how)
    with opened(desk, model, revision, how.trusted, _limits(how)) as asked:
        about = asked.runtime.about
        suite, why = how.suite, None
        if suite is None:
            suite, why = guessed_suite(about, rows.truth, how.group)
        gathered = gatherer(suite, about, rows.truth, rows.queries, how.seed)
        inputs, left_out = rows.for_model(about, how)
        batches = _ask(asked.runtime, inputs, rows.truth, gathered, observers, report)
        latency = _latency(asked.runtime, inputs, batches)
        if _learned(asked.manifest.data or {}, found.digest):
            left_out.insert(0, LEARNED)
        identity = (asked.model, asked.number, asked.contents.version.size)
    facts = gathered.facts()
    told = [f"suite {suite}, {why}"] if why else []
    notes = [*told, *left_out, *dict.fromkeys(gathered.notes)]
    evaluation = Evaluation(
        id=0, model=identity[0], number=identity[1], suite=suite, data=how.name or found.name,
        data_digest=found.digest, target=how.target, rows=len(table), seed=how.seed,
        created=datetime.fromtimestamp(0, UTC), who=desk.author, code=_code(how),
        measures=_measures(facts, how.seed), slices=rows.slices(facts, suite, how),
        latency=latency, size=identity[2], environment=_environment(about), notes=tuple(notes),
        group=how.group, has_outcomes=True, **_pictures(facts),
    )  # fmt: skip
    kept = kept_rows(facts.rows, found.digest)
    outcomes = (facts if kept is None else facts.take(kept)).outcomes()
    done = keep_evaluation(desk, evaluation, outcomes)
    for onlooker in looking:
        onlooker.done(done)
    return done


def _learned(trained_on: Mapping[str, str], digest: str) -> bool:
    """Whether a manifest says that its version has learned from this data."""
    return any(
        digest in told for role, told in trained_on.items() if role.lower() not in _ROLES_UNSEEN
    )


@dataclass(frozen=True, slots=True)
class _Rows:
    """The data, taken apart."""

    table: Table
    inputs: Table
    truth: Array
    queries: Array | None
    """Codes of the queries, without gaps, in the order in which they come."""

    @classmethod
    def of(cls, table: Table, how: Measurement) -> _Rows:
        named = [how.target, *([how.group] if how.group else []), *how.slices]
        for name in named:
            table.column(name)
        if len(table) == 0:
            raise InvalidInput("no-rows", "the data has no rows", hint="name another file")
        check_target(table.column(how.target), how.suite, grouped=how.group is not None)
        queries = None
        if how.group is not None:
            _, first, codes = np.unique(
                Coder().codes(table.column(how.group)), return_index=True, return_inverse=True
            )
            queries = np.argsort(np.argsort(first))[codes]
        out = [how.target] if how.group is None else [how.target, how.group]
        if set(table.names) <= set(out):
            raise InvalidInput("no-inputs", "the data has no column besides the target")
        return cls(table, table.without(*out), table.column(how.target), queries)

    def for_model(self, about: About, how: Measurement) -> tuple[Table, list[str]]:
        """The columns that the model is asked with, and what is to be said of that.

        A model that knows names gets those. Any other gets all; but it can't take text that is only
        there to slice by.
        """
        if about.features is not None:
            return self.inputs.known(about.features), []
        texts = [n for n in dict.fromkeys(how.slices)
                 if n in self.inputs.names and self.inputs.column(n).dtype.kind == "O"]  # fmt: skip
        if not texts or len(texts) == len(self.inputs.names):
            return self.inputs, []
        return self.inputs.without(*texts), [f"{', '.join(texts)} not given to the model: text"]

    def slices(self, facts: Facts, suite: str, how: Measurement) -> tuple[Slice, ...]:
        """Of every column that was asked for."""
        found: list[Slice] = []
        for name in how.slices:
            values = self.table.column(name)
            if self.queries is not None and isinstance(facts, Means):
                values = values[np.unique(self.queries, return_index=True)[1]]
            if values.ndim != 1:
                raise InvalidInput("bad-slice", f"{name} has several values for each row")
            found += slices_of(facts, name, values, suite, how.seed)
        return tuple(found)


def _ask(
    runtime: Runtime,
    inputs: Table,
    truth: Array,
    gathered: Gatherer,
    observers: Sequence[Observer],
    report: Callable[[Progress], None],
) -> list[tuple[int, float]]:
    """Ask for all rows; gives rows and seconds of each batch."""
    took: list[tuple[int, float]] = []
    for rows, asked, prediction in _answers(runtime, inputs):
        _check(prediction, len(asked))
        gathered.add(prediction.outputs)
        for observer in observers:
            observer(asked, prediction, truth[rows])
        took.append((len(asked), prediction.seconds))
        report(Progress("evaluate", rows.stop, len(inputs)))
    return took


def _answers(runtime: Runtime, inputs: Table) -> Iterator[tuple[slice, Table, Prediction]]:
    """Batch by batch; the next is under way while one is looked at."""

    def ask(rows: slice) -> tuple[slice, Table, Prediction]:
        batch = inputs.take(rows)
        return rows, batch, runtime.predict(batch)

    pool = ThreadPoolExecutor(1, "yard-ask")
    coming: deque[Future[tuple[slice, Table, Prediction]]] = deque()
    try:
        for start in range(0, len(inputs), BATCH):
            rows = slice(start, min(start + BATCH, len(inputs)))
            coming.append(pool.submit(ask, rows))
            if len(coming) > 1:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _check(prediction: Prediction, rows: int) -> None:
    odd = [name for name, values in prediction.outputs.items() if len(values) != rows]
    if odd or not prediction.outputs:
        what = f"{odd[0]} of other rows" if odd else "nothing"
        raise InvalidInput("bad-outputs", f"asked about {rows:,} rows, the model gives {what}")


def _latency(runtime: Runtime, inputs: Table, batches: list[tuple[int, float]]) -> Latency:
    """Milliseconds for full batches, as they came, and for single rows, as far as time allows."""
    full = max(rows for rows, _ in batches)
    seconds = [taken for rows, taken in batches if rows == full]
    total = sum(taken for _, taken in batches)
    singles = list(_singles(runtime, inputs, max(total * _SINGLES_SHARE, _SINGLES_SECONDS)))
    p50, p95, p99 = _percentiles(singles)
    batch50, batch95, batch99 = _percentiles(seconds)
    rows = sum(rows for rows, _ in batches)
    return Latency(
        p50=p50, p95=p95, p99=p99, asked=len(singles), batch_rows=full, batch_p50=batch50,
        batch_p95=batch95, batch_p99=batch99, rows_per_second=rows / max(total, 1e-9),
    )  # fmt: skip


def _singles(runtime: Runtime, inputs: Table, budget: float) -> Iterator[float]:
    end = time.monotonic() + budget
    count = len(inputs)
    runtime.predict(inputs.take(slice(0, 1)))  # the first of its shape is never typical
    for i in range(_SINGLES):
        row = i * count // _SINGLES
        yield runtime.predict(inputs.take(slice(row, row + 1))).seconds
        if time.monotonic() > end:
            return


def _percentiles(seconds: list[float]) -> tuple[float, float, float]:
    found = np.percentile(np.array(seconds) * 1000, [50, 95, 99])
    return tuple(float(f"{value:.4g}") for value in found)  # type: ignore[return-value]


def _measures(facts: Facts, seed: int) -> tuple[Any, ...]:
    return measures_of(facts, Resampler(seed))


def _pictures(facts: Facts) -> dict[str, Any]:
    if not isinstance(facts, Classified):
        return {}
    return {
        "labels": facts.classes, "confusion": facts.confusion(),
        "calibration": facts.calibration(),
    }  # fmt: skip


def _limits(how: Measurement) -> Limits:
    from modelyard.runtimes.process import Limits

    wanted: dict[str, Any] = {"seconds": how.timeout, "memory": how.memory}
    return Limits(**{name: value for name, value in wanted.items() if value is not None})


def _code(how: Measurement) -> dict[str, str]:
    return {"modelyard": _installed("modelyard"), "suite": str(SUITE_VERSION), **how.code}


def _environment(about: About) -> dict[str, str]:
    import platform

    library = _LIBRARIES.get(about.framework)
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()}-{platform.machine()}",
        "cpus": str(os.cpu_count()),
        "numpy": np.__version__,
        **({library: _installed(library)} if library else {}),
    }


def _installed(name: str) -> str:
    try:
        return installed(name)
    except PackageNotFoundError:
        return "unknown"
