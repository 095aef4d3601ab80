"""What a model gave, whatever its framework, as classes, scores and numbers: one rule for all.

Names that runtimes use (`label`, `probability`, `prediction`) come first, then those that ONNX
converters and Triton users choose, then the shape decides. Scores whose rows do not sum to 1 are
logits, and pass through a softmax. Which output has scores, and of which kind, is decided once for
a version, from all rows of its reference (`Scoring`): a batch does not change the rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from modelyard.registry.classes import Coder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelyard.core.monitoring import Task
    from modelyard.monitoring.rows import Array

__all__ = [
    "MOST_CLASSES", "Scoring", "class_places", "guessed_task", "predicted", "score_columns",
    "scoring_of",
]  # fmt: skip

MOST_CLASSES: Final = 64
_LABELS: Final = ("label", "output_label", "labels", "class", "classes", "predicted_label")
_SCORES: Final = (
    "probability", "probabilities", "output_probability", "scores", "logits", "proba",
)  # fmt: skip
_NUMBERS: Final = ("prediction", "variable", "predictions", "value", "output")
_LOGITS: Final = "logits"
"""What is called so is nothing else."""
_CLOSE: Final = 1e-3


@dataclass(frozen=True, slots=True)
class Scoring:
    """How scores are found in what a version gives, and read."""

    output: str = ""
    """Its name; none: it gives no scores."""
    logits: bool = False
    """Whether they pass through a softmax; a single one through the logistic function."""


def guessed_task(outputs: Mapping[str, Array]) -> Task:
    """What the outputs look like, if nobody says what the model does."""
    if any(name in outputs for name in (*_LABELS, *_SCORES)):
        return "classification"
    number = _number(outputs)
    if number is not None and number.ndim == 1 and number.dtype.kind in "iuf":
        return "regression"
    return "other"


@np.errstate(over="ignore", invalid="ignore")
def predicted(
    outputs: Mapping[str, Array],
    task: Task,
    classes: Sequence[str] = (),
    scoring: Scoring | None = None,
) -> tuple[Array | None, Array | None, Array | None]:
    """Labels, scores and values of some rows, each None where there is no such thing.

    Args:
        scoring: How scores are read; None: as `scoring_of` says of these rows.

    Returns:
        labels: int32 [rows]: the place of the predicted class in `classes`; -1: none of them.
        scores: float64 [rows, classes]: probabilities.
        values: float64 [rows]: the number that is predicted; of an embedding its length.
    """
    if task == "classification" and classes:
        scores = _scores(outputs, len(classes), scoring)
        label = _named(outputs, _LABELS)
        if label is None and scores is None and len(outputs) == 1:
            label = _flat(next(iter(outputs.values())))
        if label is not None and label.ndim == 1:
            return class_places(label, tuple(classes)), scores, None
        if scores is not None:
            best = np.where(np.isfinite(scores), scores, -np.inf).argmax(axis=1)
            known = np.isfinite(scores).any(axis=1)
            return np.where(known, best, -1).astype(np.int32), scores, None
        return None, None, None
    number = _number(outputs)
    if number is None or number.dtype.kind not in "biuf":
        return None, None, None
    if number.ndim == 1:
        return None, None, number.astype(np.float64)
    flat = number.reshape(len(number), -1).astype(np.float64)
    return None, None, np.sqrt(np.einsum("ij,ij->i", flat, flat))


def class_places(values: Array, classes: tuple[str, ...]) -> Array:
    """int32 [rows]: places of values among classes, as texts; -1: none of them."""
    if values.dtype.kind in "iub" and _are_places(classes) and values.dtype.kind != "b":
        fine = (values >= 0) & (values < len(classes))
        return np.where(fine, values, -1).astype(np.int32)
    places = _places(classes)
    if values.dtype.kind == "O":
        return np.fromiter(map(places.__getitem__, values.tolist()), np.int32, len(values))
    distinct, inverse = np.unique(values, return_inverse=True)
    found = np.array([places[value] for value in distinct.tolist()], np.int32)
    return found[inverse.reshape(-1)]


def score_columns(outputs: Mapping[str, Array]) -> int:
    """How many classes the scores are of; 0 if there are none."""
    scores = _named(outputs, _SCORES)
    if scores is None or scores.dtype.kind != "f":
        return 0
    flat = _flat(scores)
    return 2 if flat.ndim == 1 else int(flat.shape[1]) if flat.ndim == 2 else 0


class _Places(dict[object, int]):
    """By a value as a model or a file spells it."""

    def __init__(self, classes: Sequence[str]) -> None:
        super().__init__((name, place) for place, name in enumerate(classes))
        self._known = dict(self)

    def __missing__(self, value: object) -> int:
        place = self._known.get(Coder.name(value), -1)
        if len(self) < 10_000:
            self[value] = place
        return place


@lru_cache(64)
def _places(classes: tuple[str, ...]) -> _Places:
    return _Places(classes)


@lru_cache(64)
def _are_places(classes: tuple[str, ...]) -> bool:
    return classes == tuple(str(place) for place in range(len(classes)))


def _named(outputs: Mapping[str, Array], names: Sequence[str]) -> Array | None:
    for name in names:
        if name in outputs:
            return _flat(outputs[name])
    return None


def _flat(values: Array) -> Array:
    return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values


def _number(outputs: Mapping[str, Array]) -> Array | None:
    """The one that is a number, or of numbers."""
    found = _named(outputs, (*_NUMBERS, "embedding"))
    if found is None:
        numeric = [array for array in outputs.values() if array.dtype.kind in "biuf"]
        found = _flat(numeric[0]) if numeric else None
    return None if found is None or found.ndim == 0 else found


def scoring_of(outputs: Mapping[str, Array], classes: int) -> Scoring:
    """How scores of so many classes are to be read, as these rows of a version tell."""
    name = next((name for name in _SCORES if name in outputs), "")
    if not name:
        alone = len(outputs) == 1
        fitting = [n for n, a in outputs.items() if _could_be_scores(a, classes, alone=alone)]
        name = fitting[0] if len(fitting) == 1 else ""
    return Scoring(name, bool(name) and (name == _LOGITS or _are_logits(outputs[name])))


def _scores(
    outputs: Mapping[str, Array], classes: int, scoring: Scoring | None
) -> Array | None:  # fmt: skip
    if scoring is None:
        scoring = scoring_of(outputs, classes)
    elif scoring.output and scoring.output not in outputs:  # another way to call the same
        found = scoring_of(outputs, classes).output
        scoring = Scoring(found, scoring.logits or found == _LOGITS)
    if not scoring.output:
        return None
    told = _flat(outputs[scoring.output])
    if told.dtype.kind not in "fiu":
        return None
    scores = told.astype(np.float64)
    if scores.ndim == 1:
        if classes != 2:
            return None
        if scoring.logits:  # of the second class
            scores = 1.0 / (1.0 + np.exp(-np.clip(scores, -700, 700)))
        return np.column_stack([1.0 - scores, scores])
    if scores.ndim != 2 or scores.shape[1] != classes:
        return None
    return _softmax(scores) if scoring.logits else scores


def _could_be_scores(array: Array, classes: int, *, alone: bool) -> bool:
    """Args: `alone`: nothing else is given: numbers that are no places are logits then."""
    if array.dtype.kind != "f":
        return False
    if array.ndim == 2 and array.shape[1] == classes:
        return True
    flat = _flat(array)
    if flat.ndim != 1 or classes != 2:
        return False
    known = flat[np.isfinite(flat)]
    return bool((known % 1 != 0).any()) and (alone or not _are_logits(known))


def _are_logits(array: Array) -> bool:
    """Whether these are no chances: not from 0 to 1, or rows that do not sum to 1."""
    scores = _flat(array)
    if scores.dtype.kind not in "fiu":
        return False
    scores = scores.astype(np.float64)
    if scores.ndim == 1:
        known = scores[np.isfinite(scores)]
        return bool(((known < -_CLOSE) | (known > 1 + _CLOSE)).any())
    return scores.ndim == 2 and not _are_chances(scores)


def _are_chances(scores: Array) -> bool:
    sums = scores.sum(axis=1)
    fine = np.isfinite(sums)
    if not fine.all():
        scores, sums = scores[fine], sums[fine]
    return bool((np.abs(sums - 1.0) <= _CLOSE).all() and (scores >= -_CLOSE).all())


def _softmax(scores: Array) -> Array:
    apart = np.exp(scores - scores.max(axis=1, keepdims=True))
    chances: Array = apart / apart.sum(axis=1, keepdims=True)
    return chances
