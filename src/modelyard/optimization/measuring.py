"""How good a model is, and what it costs. Everything here runs in the process that measures."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.core.metrics import PRIMARY, Means, Resampler, direction
from modelyard.errors import InvalidInput, ModelyardError
from modelyard.formats import inspect
from modelyard.optimization.storing import stored_size
from modelyard.optimization.tensors_alone import TensorsRuntime, is_tensors_alone
from modelyard.registry.answers import gatherer
from modelyard.runtimes import runtime_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from modelyard.core.metrics import Facts
    from modelyard.core.table import Table
    from modelyard.optimization.state import Model, Rows, Task
    from modelyard.runtimes import About, Runtime

__all__ = [
    "Answers", "Timing", "answering", "answers", "costs", "facts_of", "higher_is_better",
    "latencies", "metrics", "predictions", "primary", "quality",
]  # fmt: skip

Array = np.ndarray[Any, Any]

_BATCH = 512
_SINGLES = 300
_SECONDS = 1.5
"""That timing single rows of all models together may take, at most."""
_LEAST = 15
_FLOAT32 = 1e-6
"""Relative: nearer than this, numbers of single precision can't be told apart."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What a model says of some rows."""

    about: About
    outputs: Mapping[str, Array]
    """The first axis is the row."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds of the model itself, one thread."""

    p50: float
    """For one row."""
    batch_p50: float
    """For a batch."""
    batch_rows: int
    singles: Array
    """Each call, in the order of the calls of the other models."""
    batches: Array


# -- asking ----------------------------------------------------------------------------------------


@contextmanager
def answering(model: Model, threads: int = 1) -> Iterator[Runtime]:
    """The model made to answer, in this process. Raises as `Model.load`."""
    if is_tensors_alone(model):
        yield TensorsRuntime(model.folder)
        return
    obj = model.load()
    if model.saved.framework == "onnx" or model.saved.serializer == "onnx":
        from modelyard.runtimes.onnx import open as open_graph

        runtime: Runtime = open_graph(obj, model.signature, threads)
    else:
        runtime = runtime_of(model.saved.framework, obj, model.signature)
    try:
        yield runtime
    finally:
        runtime.close()


def answers(model: Model, inputs: Table) -> Answers:
    """Ask for all rows, in batches; one by one where the model takes no more at once."""
    with answering(model) as runtime:
        return Answers(runtime.about, _asked(runtime, inputs))


def predictions(model: Model, inputs: Table) -> Mapping[str, Array]:
    """Outputs by name, the first axis is the row."""
    return answers(model, inputs).outputs


def _asked(runtime: Runtime, inputs: Table) -> Mapping[str, Array]:
    inputs = _known(runtime, inputs)
    try:
        return _in_batches(runtime, inputs, _BATCH)
    except InvalidInput:
        if len(inputs) < 2:
            raise
        return _in_batches(runtime, inputs, 1)


def _in_batches(runtime: Runtime, inputs: Table, size: int) -> Mapping[str, Array]:
    parts = []
    for start in range(0, len(inputs), size):
        batch = inputs.take(slice(start, start + size))
        outputs = dict(runtime.predict(batch).outputs)
        if size == 1:  # whatever it gives belongs to this row
            outputs = {n: v if len(v) == 1 else v[None] for n, v in _arrays(outputs).items()}
        odd = [name for name, values in outputs.items() if len(values) != len(batch)]
        if odd or not outputs:
            what = f"{odd[0]} of other rows" if odd else "nothing"
            raise InvalidInput("bad-outputs", f"asked about {len(batch):,} rows, it gives {what}")
        parts.append(outputs)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _arrays(outputs: Mapping[str, Array]) -> dict[str, Array]:
    return {name: np.atleast_1d(values) for name, values in outputs.items()}


def _known(runtime: Runtime, inputs: Table) -> Table:
    named = runtime.about.features
    return inputs if named is None else inputs.known(named)


# -- quality ---------------------------------------------------------------------------------------


def primary(task: Task) -> str:
    """The metric that `quality` means."""
    return "cosine" if task == "other" else PRIMARY[task]


def higher_is_better(metric: str) -> bool:
    """Of every metric that goals may name."""
    return direction(metric) != "lower"


def facts_of(found: Answers, rows: Rows, task: Task, source: Answers | None, seed: int) -> Facts:
    """What is known of each row, for metrics and for paired tests.

    Args:
        source: What the version that is improved says of the same rows; needed where the task is
            `other`: metrics are then `cosine` and `agreement` with it.

    Raises:
        InvalidInput: `wrong-suite`, `labels-differ`, `bad-outputs`.
    """
    if task == "other" or rows.target is None:
        return Means(_likeness(found.outputs, (source or found).outputs))
    gathered = gatherer(task, found.about, rows.target, None, seed)
    gathered.add(found.outputs)
    return gathered.facts()


def metrics(
    model: Model, rows: Rows, *, task: Task, source: Model | None = None, seed: int = 0
) -> dict[str, float]:
    """Every metric of the task, as the suites of evaluation define them."""
    found = answers(model, rows.inputs)
    compared = answers(source, rows.inputs) if source is not None and task == "other" else None
    facts = facts_of(found, rows, task, compared, seed)
    samples = facts.samples(Resampler(seed, resamples=2).of(facts.rows))
    return {n: float(s.value) for n, s in samples.items() if np.isfinite(s.value)}


def quality(
    model: Model, rows: Rows, *, task: Task, source: Model | None = None, seed: int = 0
) -> float:
    """One number, higher is better: accuracy, minus the root mean square error, or the cosine."""
    name = primary(task)
    value = metrics(model, rows, task=task, source=source, seed=seed)[name]
    return value if higher_is_better(name) else -value


def _likeness(ours: Mapping[str, Array], theirs: Mapping[str, Array]) -> dict[str, Array]:
    """By row: mean likeness over all outputs of numbers, and whether the largest is in one place.

    Where there are labels alone, they are as like as they agree.
    """
    pairs = [(a, b) for a, b in _matched(ours, theirs) if a.dtype.kind == "f"]
    labels = [(a, b) for a, b in _matched(ours, theirs) if a.dtype.kind in "iuObUS"]
    found: dict[str, Array] = {}
    if pairs:
        found["cosine"] = np.mean([_alike(_flat(a), _flat(b)) for a, b in pairs], axis=0)
    same = [_same_place(a, b) for a, b in pairs if a.ndim > 1 and a.shape[-1] > 1]
    same += [(_flat(a) == _flat(b)).all(axis=1) for a, b in labels if a.ndim == 1]
    if same:
        found["agreement"] = np.mean(same, axis=0)
        found.setdefault("cosine", found["agreement"])
    if not found:
        raise InvalidInput("bad-outputs", "the model gives nothing that could be compared")
    return found


def _matched(ours: Mapping[str, Array], theirs: Mapping[str, Array]) -> list[tuple[Array, Array]]:
    """Outputs of one name, or else of one place. InvalidInput: `bad-outputs`."""
    if set(ours) == set(theirs):
        pairs = [(ours[name], theirs[name]) for name in theirs]
    else:
        pairs = list(zip(ours.values(), theirs.values(), strict=False))
    if len(ours) != len(theirs) or any(a.shape != b.shape for a, b in pairs):
        told = ", ".join(f"{n} {list(v.shape[1:])}" for n, v in list(theirs.items())[:8])
        raise InvalidInput("bad-outputs", f"it gives other outputs than the version: {told}")
    return pairs


def _flat(values: Array) -> Array:
    return values.reshape(len(values), -1)


def _alike(ours: Array, theirs: Array) -> Array:
    """The cosine of each row; of one number a row, whose cosine is its sign alone, `_near`."""
    return _near(ours[:, 0], theirs[:, 0]) if ours.shape[1] == 1 else _cosine(ours, theirs)


def _near(a: Array, b: Array) -> Array:
    """1 less the squared difference in units of the variance of `b`; at least -1.

    1 is the same; 0 is as far away as the rows of `b` are from their mean. Where `b` does not
    vary, 1 for what is equal and 0 else.
    """
    a, b = a.astype(np.float64), b.astype(np.float64)
    known = b[np.isfinite(b)]
    scale = float(np.abs(known).max(initial=0.0))
    with np.errstate(invalid="ignore", over="ignore"):
        if not len(known) or known.std() <= _FLOAT32 * scale:
            same: Array = (a == b) | (np.abs(a - b) <= _FLOAT32 * scale)
            return same.astype(np.float64)
        found = np.clip(1 - (a - b) ** 2 / known.var(), -1.0, 1.0)
    return np.where(a == b, 1.0, np.nan_to_num(found, nan=0.0))


def _cosine(a: Array, b: Array) -> Array:
    a, b = a.astype(np.float64), b.astype(np.float64)
    both = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.where(both > 0, (a * b).sum(axis=1) / both, 0.0)
    equal = (a == b).all(axis=1)  # two rows of nothing are alike
    return np.where(equal, 1.0, np.nan_to_num(found, nan=0.0))


def _same_place(a: Array, b: Array) -> Array:
    same = a.argmax(axis=-1) == b.argmax(axis=-1)
    found: Array = same.reshape(len(same), -1).mean(axis=1)
    return found


# -- costs -----------------------------------------------------------------------------------------


def costs(model: Model) -> dict[str, float]:
    """`size`, `stored` and `parameters`, as `COSTS` has them; latency is timed, not counted."""
    found = {"size": float(model.size), "stored": float(stored_size(model.folder))}
    parameters = 0
    for path in sorted(model.folder.rglob("*")):
        if path.is_file():
            try:
                with path.open("rb") as stream:
                    looked = inspect(stream, path.name, scan=False)
            except ModelyardError:
                continue
            if any(name.startswith("TreeEnsemble") for name in looked.metadata.get("ops", ())):
                return found  # what trees have learned stands in attributes, uncounted
            parameters += sum(tensor.elements for tensor in looked.tensors)
    if parameters:
        found["parameters"] = float(parameters)
    return found


def latencies(
    models: Sequence[Model], inputs: Table, *, batch: int = 256, seconds: float = _SECONDS
) -> list[Timing]:
    """Time models on the same rows, turn by turn, so that all see the same machine.

    Args:
        batch: Rows of a batch, as far as there are so many.
        seconds: What single rows may take, and batches again.
    """
    from contextlib import ExitStack

    with ExitStack() as stack:
        runtimes = [stack.enter_context(answering(model)) for model in models]
        tables = [_known(runtime, inputs) for runtime in runtimes]
        singles = _timed(runtimes, tables, 1, seconds)
        try:
            rows = min(batch, len(inputs))
            batches = _timed(runtimes, tables, rows, seconds)
        except InvalidInput:  # it takes one row at a time
            rows, batches = 1, singles
    return [
        Timing(float(np.median(one)), float(np.median(many)), rows, one, many)
        for one, many in zip(singles, batches, strict=True)
    ]


def _timed(
    runtimes: Sequence[Runtime], tables: Sequence[Table], rows: int, seconds: float
) -> list[Array]:
    """Milliseconds of calls, one model after the other."""
    count = len(tables[0])
    for runtime, table in zip(runtimes, tables, strict=True):
        for _ in range(2):  # the first of its shape is never typical
            runtime.predict(table.take(slice(0, rows)))
    taken: list[list[float]] = [[] for _ in runtimes]
    end = time.monotonic() + seconds
    for turn in range(_SINGLES):
        first = (turn * 7919) % max(count - rows + 1, 1)
        for place, (runtime, table) in enumerate(zip(runtimes, tables, strict=True)):
            asked = table.take(slice(first, first + rows))
            taken[place].append(runtime.predict(asked).seconds * 1000)
        if turn >= _LEAST and time.monotonic() > end:
            break
    return [np.array(each) for each in taken]
