"""Profiles made of rows that a version was asked about.

All rows are kept until there are too many; from then on a uniform sample of them (Vitter's
algorithm R). Only when the last has come it is known where bins are to end, and all that was
kept is folded into the tile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from modelyard.errors import InvalidInput
from modelyard.monitoring.calibration import IDENTITY, Calibration, fit_calibration
from modelyard.monitoring.categories import Places
from modelyard.monitoring.extracting import One, reader_of
from modelyard.monitoring.folding import fold, new_tile
from modelyard.monitoring.hashing import row_hashes
from modelyard.monitoring.outputs import (
    MOST_CLASSES,
    Scoring,
    class_places,
    guessed_task,
    predicted,
    score_columns,
    scoring_of,
)
from modelyard.monitoring.quality.residuals import Residuals
from modelyard.monitoring.reference import HASHES, SAMPLE, Profile
from modelyard.monitoring.rows import Rows
from modelyard.monitoring.schemas import schema_of
from modelyard.monitoring.truths import UNKNOWN, UNLISTED
from modelyard.monitoring.vectors import shrunk
from modelyard.registry.classes import Coder, agreed, ordered

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelyard.core.monitoring import Schema, Task
    from modelyard.monitoring.rows import Array
    from modelyard.monitoring.tiles import Tile

__all__ = ["ProfileMaker", "profile_from_rows"]

_KEPT: Final = 128 << 20
"""Bytes of rows that are kept, about; and at most a million rows."""
_MODEST: Final = 1e140
"""Beyond this a square overflows."""
_FEWEST: Final = 100
"""Rows that are kept, however wide they are."""
_CHUNK: Final = 65_536
_SAMPLED: Final = 4 << 20
"""Bytes of the sample."""


class ProfileMaker:
    """Makes a profile of batches, as they come."""

    def __init__(self, *, groups: Sequence[str] = (), seed: int = 0) -> None:
        self._groups = tuple(groups)
        self._random = np.random.default_rng(seed)
        self._batches: list[dict[tuple[str, str], Array]] = []
        self._most = 0
        self.rows = 0
        """That were added."""

    def add(
        self,
        columns: Mapping[str, Array],
        outputs: Mapping[str, Array],
        truth: Array | None = None,
    ) -> None:
        """Add a batch.

        Args:
            columns: What the version was asked with: by name, the first axis is the row.
            outputs: What it gave, as its runtime names it.
            truth: What was true of each row, as classes or numbers.
        """
        batch = {("in", name): array for name, array in columns.items()}
        batch |= {("out", name): array for name, array in outputs.items()}
        if truth is not None:
            batch["truth", ""] = truth
        count = len(next(iter(batch.values())))
        if self._batches and batch.keys() != self._batches[0].keys():
            raise InvalidInput("bad-batch", "batches of a profile must have the same columns")
        if not self._most:
            width = sum(max(array[:1].nbytes, 8) for array in batch.values())
            self._most = int(min(max(_KEPT // max(width, 1), _FEWEST), 1_000_000))
        free = self._most - self.rows
        if free > 0:
            self._batches.append({key: array[:free] for key, array in batch.items()})
        if count > free:
            self._replace({key: array[max(free, 0) :] for key, array in batch.items()})
        self.rows += count

    def _replace(self, batch: dict[tuple[str, str], Array]) -> None:
        """Rows after the first ones: each takes the place of another with the right chance."""
        if len(self._batches) > 1:
            self._batches = [self._whole()]
        (kept,) = self._batches
        if not all(array.flags.writeable for array in kept.values()):
            self._batches = [kept := {key: array.copy() for key, array in kept.items()}]
        before = max(self.rows, self._most)
        count = len(next(iter(batch.values())))
        places = (self._random.random(count) * (before + 1 + np.arange(count))).astype(np.int64)
        taken = np.flatnonzero(places < self._most)
        for key, array in kept.items():
            if array.dtype.kind in "SU" and batch[key].dtype.itemsize > array.dtype.itemsize:
                array = kept[key] = array.astype(batch[key].dtype)
            array[places[taken]] = batch[key][taken]

    def _whole(self) -> dict[tuple[str, str], Array]:
        if len(self._batches) == 1:
            return self._batches[0]
        names = self._batches[0]
        return {key: np.concatenate([batch[key] for batch in self._batches]) for key in names}

    @np.errstate(all="ignore")
    def made(self, *, task: Task | None = None, classes: Sequence[object] = ()) -> Profile:
        """The profile of all that was added.

        Args:
            task: What the version does; else what its outputs look like.
            classes: In the order of its scores; else those that occur.

        Raises:
            InvalidInput: `no-rows`; `no-group-column`, `bad-group`.
        """
        if not self.rows:
            raise InvalidInput("no-rows", "there are no rows to make a profile of")
        whole = self._whole()
        columns = {name: array for (part, name), array in whole.items() if part == "in"}
        outputs = {name: array for (part, name), array in whole.items() if part == "out"}
        truth = whole.get(("truth", ""))
        task = task or guessed_task(outputs)
        named = tuple(Coder.name(c) for c in classes)
        if task == "classification" and not named:
            named = _classes(outputs, truth)
        if task == "classification" and not 0 < len(named) <= MOST_CLASSES:
            task, named = "other", ()
        scoring = scoring_of(outputs, len(named)) if task == "classification" else None
        _, scores, values = predicted(outputs, task, named, scoring)
        schema = schema_of(
            columns, task=task, classes=named, groups=self._groups, values=values
        )  # fmt: skip
        coded = None if truth is None else _coded(truth, schema)
        calibration = IDENTITY
        if scores is not None and coded is not None and coded.dtype.kind == "i":
            calibration = fit_calibration(scores, coded)
        return _folded(schema, columns, outputs, coded, calibration, scoring, self._random)


def profile_from_rows(
    columns: Mapping[str, Array],
    outputs: Mapping[str, Array],
    truth: Array | None = None,
    *,
    task: Task | None = None,
    classes: Sequence[object] = (),
    groups: Sequence[str] = (),
    seed: int = 0,
) -> Profile:
    """The profile of some rows, traffic's for one. Raises as `ProfileMaker.made`."""
    maker = ProfileMaker(groups=groups, seed=seed)
    maker.add(columns, outputs, truth)
    return maker.made(task=task, classes=classes)


def _classes(outputs: Mapping[str, Array], truth: Array | None) -> tuple[str, ...]:
    """Those of the truth and of the labels; of scores without names, 0, 1, 2, ...

    Of texts that are fewer than the columns of the scores nobody knows which column is whose: the
    texts are the classes then, and the scores are left out.
    """
    columns = score_columns(outputs)
    seen: set[str] = set()
    for array in (*(outputs[n] for n in ("label", "output_label") if n in outputs), truth):
        if array is not None and array.ndim == 1:
            values = array[~np.isnan(array)] if array.dtype.kind == "f" else array
            distinct = set(values.tolist()) - {None}
            seen |= {Coder.name(value) for value in distinct if value == value}
    names = tuple(ordered(seen))
    places = tuple(str(i) for i in range(columns))
    return places if columns > len(names) and set(names) <= set(places) else names


def _coded(truth: Array, schema: Schema) -> Array | None:
    """Truth as tiles take it; None if it is nothing of that kind."""
    if schema.task != "classification":
        return truth.astype(np.float64) if truth.dtype.kind in "biuf" else None
    values = truth if truth.dtype.kind != "S" else truth.astype(str)
    missing = np.array([value is None or value != value for value in values.tolist()])
    distinct = {Coder.name(v) for v in set(values[~missing].tolist())}
    try:
        same = agreed(sorted(distinct), schema.classes)
    except InvalidInput:
        same = {}
    if same:  # yes and no for 1 and 0
        told = [None if m else same.get(Coder.name(v), Coder.name(v))
                for v, m in zip(values.tolist(), missing.tolist(), strict=True)]  # fmt: skip
        values = np.array(told, object)
    places = class_places(values, schema.classes)
    return np.where(missing, UNKNOWN, np.where(places < 0, UNLISTED, places)).astype(np.int32)


# -- folding what was kept -------------------------------------------------------------------------


def _folded(
    schema: Schema,
    columns: Mapping[str, Array],
    outputs: Mapping[str, Array],
    truth: Array | None,
    calibration: Calibration,
    scoring: Scoring | None,
    random: np.random.Generator,
) -> Profile:
    count = len(next(iter(columns.values())))
    tile = new_tile(schema)
    taken = np.sort(random.permutation(count)[: _sample_size(schema)])
    numbers = np.empty((count, len(schema.of_kind("number"))))
    hashes: list[Array] = []
    sampled: list[Rows] = []
    residuals = Residuals(schema, calibration, count)
    read = reader_of(schema, columns, scoring)
    for start in range(0, count, _CHUNK):
        rows = slice(start, min(start + _CHUNK, count))
        feeds = {name: array[rows] for name, array in columns.items()}
        gave = {name: array[rows] for name, array in outputs.items()}
        batch = read([One(feeds, gave, rows.stop - start, "", "")])
        batch.truth = None if truth is None else truth[rows]
        fold(tile, batch, calibration)
        residuals.add(batch)
        numbers[rows] = batch.numbers
        hashes.append(row_hashes(batch))
        here = taken[(taken >= start) & (taken < rows.stop)] - start
        sampled.append(_part(batch, here))
    made = _finished(schema, tile, calibration, numbers, _joined(sampled), np.concatenate(hashes))
    made.residuals = residuals.made().astype(np.float32)
    made.scoring = scoring
    return made


def _finished(
    schema: Schema, tile: Tile, calibration: Calibration, numbers: Array, sample: Rows,
    hashes: Array,
) -> Profile:  # fmt: skip
    mean, covariance = _moments(numbers)
    short = tuple(shrunk(vectors) for vectors in sample.vectors)
    spreads = tuple(_variances(vectors) for vectors in short)
    columns = schema.of_kind("category")
    codes = [Places(c.categories).codes(t)
             for c, t in zip(columns, sample.categories, strict=True)]  # fmt: skip
    confidence = np.full(sample.count, np.nan, np.float32)
    if sample.scores is not None:
        confidence = sample.scores.max(axis=1).astype(np.float32)
    known = np.unique(hashes)[:HASHES]
    with np.errstate(over="ignore"):
        kept = sample.numbers.astype(np.float32)
    return Profile(
        schema, tile, calibration, mean, covariance, spreads, kept,
        np.column_stack(codes).astype(np.int32) if codes else np.zeros((sample.count, 0), np.int32),
        short, confidence, known,
    )  # fmt: skip


def _variances(vectors: Array) -> Array:
    fine = vectors[np.isfinite(vectors).all(axis=1)]
    width = vectors.shape[1]
    return fine.var(axis=0, dtype=np.float64) if len(fine) else np.zeros(width)


def _moments(numbers: Array) -> tuple[Array, Array]:
    numbers = numbers.clip(-_MODEST, _MODEST) if numbers.size else numbers
    fine = np.isfinite(numbers)
    some = np.maximum(fine.sum(axis=0), 1)
    mean = np.where(fine, numbers, 0.0).sum(axis=0) / some
    apart = np.where(fine, numbers - mean, 0.0)
    covariance = apart.T @ apart / max(len(numbers) - 1, 1)
    if len(mean) > 128:
        covariance = np.diag(np.diag(covariance))
    return mean, covariance


def _sample_size(schema: Schema) -> int:
    wide = sum(min(column.size, 512) for column in schema.columns)
    return max(min(SAMPLE, _SAMPLED // (4 * max(wide, 1))), 100)


def _part(rows: Rows, at: Array) -> Rows:
    """Some rows: their inputs and scores."""
    return Rows(
        rows.schema, len(at), rows.numbers[at],
        tuple([texts[i] for i in at.tolist()] for texts in rows.categories),
        tuple(vectors[at] for vectors in rows.vectors),
        scores=None if rows.scores is None else rows.scores[at],
    )  # fmt: skip


def _joined(parts: Sequence[Rows]) -> Rows:
    from modelyard.monitoring.rows import Rows

    first = parts[0]
    return Rows(
        first.schema, sum(part.count for part in parts),
        np.concatenate([part.numbers for part in parts]),
        tuple([text for part in parts for text in part.categories[i]]
              for i in range(len(first.categories))),
        tuple(np.concatenate([part.vectors[i] for part in parts])
              for i in range(len(first.vectors))),
        scores=None if first.scores is None
        else np.concatenate([part.scores for part in parts if part.scores is not None]),
    )  # fmt: skip
