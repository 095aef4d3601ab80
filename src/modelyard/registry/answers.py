"""What a model answered, as the facts that a suite measures.

Each suite gathers the answers of one batch after the other, while the next is under way, and makes
facts of them in the end. Classes match by value: 1, 1.0 and "1" are one class, in a file as in a
model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from modelyard.core.listing import listed
from modelyard.core.metrics import Classified, Regressed, neighbour_facts, ranking_facts
from modelyard.errors import InvalidInput
from modelyard.registry.classes import Coder, agreed, ordered, unnamed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.core.metrics import Facts
    from modelyard.runtimes import About

__all__ = ["Array", "Gatherer", "check_target", "gatherer", "guessed_suite"]

Array = np.ndarray[Any, Any]

_FEW = 20
"""A column of whole numbers with so few values is taken for classes."""


class Gatherer(Protocol):
    """Gathers what one suite needs."""

    notes: list[str]

    def add(self, outputs: Mapping[str, Array]) -> None:
        """The answers for the next rows. InvalidInput: `wrong-suite`, `bad-outputs`."""

    def facts(self) -> Facts:
        """Facts of all rows, after the last answers."""


def guessed_suite(about: About, truth: Array, group: str | None) -> tuple[str, str]:
    """The suite that fits, and why."""
    if group is not None:
        return "ranking", "as a column names the query"
    if about.task in ("classification", "regression", "embedding"):
        return about.task, "as the model says"
    if truth.dtype.kind not in "iuf":
        return "classification", "as the target is no number"
    if truth.dtype.kind in "iu" and len(np.unique(truth)) <= _FEW:
        return "classification", "as the target has few values"
    return "regression", "as the target is a number"


def check_target(truth: Array, suite: str | None, *, grouped: bool) -> None:
    """Whether a suite can take this target, as far as that is known before the model is asked.

    InvalidInput: `missing-target`, `bad-target`, `not-numeric`, `no-group`.
    """
    _refuse_missing(truth)
    if suite in ("regression", "ranking") or (suite is None and grouped):
        _numeric(truth)
    if suite == "ranking" and not grouped:
        raise InvalidInput(
            "no-group", "ranking needs to know which rows belong together",
            hint="name the column of the query: --group COL",
        )  # fmt: skip


def gatherer(suite: str, about: About, truth: Array, queries: Array | None, seed: int) -> Gatherer:
    """The one of a suite. InvalidInput: as `check_target`."""
    check_target(truth, suite, grouped=queries is not None)
    if suite == "classification":
        return _Classes(about, truth)
    if suite == "regression":
        return _Numbers(_numeric(truth))
    if suite == "ranking":
        return _Scores(_numeric(truth), queries)
    return _Vectors(truth, seed)


# -- the suites ------------------------------------------------------------------------------------


class _Classes:
    def __init__(self, about: About, truth: Array) -> None:
        self.notes: list[str] = []
        self._truth_values = truth
        self._coder = Coder()
        self._truth = self._coder.codes(truth)
        self._truth_names = list(self._coder.names)
        self._known = None if about.classes is None else [Coder.name(c) for c in about.classes]
        self._labels: list[Array] = []
        self._scores: list[Array] = []
        self._proper = True

    def add(self, outputs: Mapping[str, Array]) -> None:
        label, scores = outputs.get("label"), outputs.get("probability")
        if label is None and scores is None:
            only = _only(outputs, "classification", names=("logits", "scores", "prediction"))
            if only.ndim == 2 and only.dtype.kind == "f":
                scores = only
            elif _is_chance(only):
                scores = np.column_stack([1 - only, only])
            else:
                label = only
        if scores is not None:
            scores = self._add_scores(scores)
            if label is None:
                label = np.asarray(self._columns(scores), object)[scores.argmax(axis=1)]
        if label is None or label.ndim != 1:
            raise _wrong("classification", outputs)
        self._labels.append(self._coder.codes(label))

    def _add_scores(self, scores: Array) -> Array:
        """Keep the scores; gives them with a column for each class."""
        if scores.ndim == 1 or scores.shape[1:] == (1,):
            scores = self._two_columns(scores.reshape(-1))
        if scores.ndim != 2:
            raise _wrong("classification", {"scores": scores})
        if not np.isfinite(scores).all():
            raise InvalidInput("bad-outputs", "the model gives scores that are not finite")
        sums = scores.sum(axis=1, dtype=np.float64)
        self._proper &= bool((scores >= -1e-6).all() and (np.abs(sums - 1) < 1e-3).all())
        self._scores.append(scores)
        return scores

    def _two_columns(self, one: Array) -> Array:
        """A single column is the chance of the second of two classes, or of the only one."""
        count = 2 if self._known is None else len(self._known)
        if count == 1:
            return one.reshape(-1, 1)
        if count == 2:
            return np.column_stack([1 - one, one])
        raise InvalidInput(
            "bad-outputs", f"the model knows {count} classes, but scores only one of them"
        )

    def _columns(self, scores: Array) -> list[str]:
        """The class of each column."""
        count = scores.shape[1]
        if self._known is not None and len(self._known) == count:
            return self._known
        names = unnamed(self._truth_names, count)
        if names is None:
            raise InvalidInput(
                "labels-differ", f"the model scores {count} classes without naming them, the "
                f"target has {_shown(ordered(self._truth_names))}",
                hint="commit the model with its classes, or use 0, 1, 2, ... in the target",
            )  # fmt: skip
        if names != [str(place) for place in range(count)]:
            self.notes.append(f"columns of the scores are taken for {', '.join(names)}")
            self._known = names
        return names

    def facts(self) -> Facts:
        label = np.concatenate(self._labels)
        scores = np.concatenate(self._scores) if self._scores else None
        columns = self._columns(scores) if scores is not None else self._known
        said = columns or [self._coder.names[code] for code in np.unique(label)]
        same = agreed(self._truth_names, said)
        named = [same.get(name, name) for name in self._coder.names]
        classes = _all_classes(columns, [named[c] for c in np.unique(self._truth)],
                               [named[c] for c in np.unique(label)])  # fmt: skip
        place = {name: i for i, name in enumerate(classes)}
        codes = np.array([place.get(name, 0) for name in named])
        truth, label = codes[self._truth], codes[label]
        if scores is None or columns is None:
            return Classified(classes, truth, label)
        wide = scores
        if tuple(columns) != classes:
            wide = np.full((len(scores), len(classes)), np.nan)
            wide[:, [place[name] for name in columns]] = scores
        if not self._proper:
            self.notes.append("the model's scores are no probabilities: no log_loss, brier, ece")
            return Classified.ranked(classes, truth, label, wide)
        return Classified.of(classes, truth, label, wide)


class _Numbers:
    def __init__(self, truth: Array) -> None:
        self.notes: list[str] = []
        self._truth = truth
        self._said: list[Array] = []

    def add(self, outputs: Mapping[str, Array]) -> None:
        said = outputs.get("prediction")
        if said is None and "label" not in outputs:
            said = _only(outputs, "regression")
        self._said.append(_number_by_row(said, "regression", outputs))

    def facts(self) -> Facts:
        return Regressed.of(self._truth, np.concatenate(self._said))


class _Scores:
    def __init__(self, truth: Array, queries: Array | None) -> None:
        assert queries is not None
        self.notes: list[str] = []
        self._truth = truth
        self._queries = queries
        self._said: list[Array] = []

    def add(self, outputs: Mapping[str, Array]) -> None:
        said = outputs.get("prediction")
        if said is None and "probability" in outputs:
            said = outputs["probability"][:, -1]
        if said is None:
            said = _only(outputs, "ranking")
        self._said.append(_number_by_row(said, "ranking", outputs))

    def facts(self) -> Facts:
        facts = ranking_facts(self._queries, self._truth, np.concatenate(self._said))
        without = int(np.isnan(facts.columns["map"]).sum())
        if without:
            self.notes.append(f"{without:,} queries without a relevant row are left out")
        return facts


class _Vectors:
    def __init__(self, truth: Array, seed: int) -> None:
        self.notes: list[str] = []
        self._classes = Coder().codes(truth)
        self._seed = seed
        self._said: list[Array] = []

    def add(self, outputs: Mapping[str, Array]) -> None:
        said = outputs.get("embedding")
        if said is None:
            said = _only(outputs, "embedding", names=("probability", "prediction"))
        if said.ndim < 2 or said.dtype.kind not in "iuf":
            raise _wrong("embedding", outputs)
        self._said.append(said.reshape(len(said), -1))

    def facts(self) -> Facts:
        facts = neighbour_facts(self._classes, np.concatenate(self._said), seed=self._seed)
        looked = int((~np.isnan(facts.columns["mrr"])).sum())
        if looked < len(self._classes):
            self.notes.append(f"{looked:,} of {len(self._classes):,} rows looked for neighbours")
        return facts


# -- outputs ---------------------------------------------------------------------------------------


def _only(outputs: Mapping[str, Array], suite: str, names: tuple[str, ...] = ()) -> Array:
    """The one output that there is, or one of a well-known name."""
    for name in names:
        if name in outputs:
            return _squeezed(outputs[name])
    if len(outputs) != 1:
        raise _wrong(suite, outputs)
    return _squeezed(next(iter(outputs.values())))


def _squeezed(values: Array) -> Array:
    return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values


def _is_chance(values: Array) -> bool:
    """Numbers between 0 and 1 that are not all one or the other."""
    if values.ndim != 1 or values.dtype.kind != "f":
        return False
    return bool(((values >= 0) & (values <= 1)).all() and (values % 1 != 0).any())


def _number_by_row(said: Array | None, suite: str, outputs: Mapping[str, Array]) -> Array:
    if said is None or (said := _squeezed(said)).ndim != 1 or said.dtype.kind not in "iufb":
        raise _wrong(suite, outputs)
    if not np.isfinite(said).all():
        raise InvalidInput("bad-outputs", "the model gives numbers that are not finite")
    return said.astype(np.float64)


def _wrong(suite: str, outputs: Mapping[str, Array]) -> InvalidInput:
    shown = ", ".join(f"{name} {'x'.join(map(str, ('rows', *a.shape[1:])))}"
                      for name, a in list(outputs.items())[:8])  # fmt: skip
    others = {"classification": "regression", "regression": "classification"}
    return InvalidInput(
        "wrong-suite", f"the suite {suite} can't measure what this model gives: {shown}",
        hint=f"--suite {others.get(suite, 'classification or regression')}",
    )  # fmt: skip


def _refuse_missing(truth: Array) -> None:
    if truth.ndim != 1:
        raise InvalidInput("bad-target", "the target has several values for each row")
    if truth.dtype.kind == "f":
        missing = int((~np.isfinite(truth)).sum())
    elif truth.dtype.kind == "O":
        missing = sum(value is None or value != value for value in truth)
    else:
        missing = 0
    if missing:
        raise InvalidInput(
            "missing-target", f"the target is missing in {missing:,} of {len(truth):,} rows",
            hint="leave those rows out of the data",
        )  # fmt: skip


def _numeric(truth: Array) -> Array:
    if truth.dtype.kind not in "biuf":
        raise InvalidInput("not-numeric", "the target holds text, not numbers",
                           hint="--suite classification")  # fmt: skip
    return truth.astype(np.float64)


def _all_classes(columns: list[str] | None, *seen: list[str]) -> tuple[str, ...]:
    """The model's classes in its order, then others that occur; sorted if it names none."""
    first = columns or []
    others = {name for names in seen for name in names} - set(first)
    return (*first, *ordered(others))


def _shown(names: list[str]) -> str:
    return listed(names, 8)
