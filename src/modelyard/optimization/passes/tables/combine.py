"""`combine`: the best few algorithms of the portfolio, asked together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from modelyard.errors import InvalidInput, ModelyardError
from modelyard.optimization.making import model_of_object
from modelyard.optimization.passes.data.rows import folds, groups_of, is_made, sampled
from modelyard.optimization.passes.interface import Choice, Made
from modelyard.optimization.passes.tables.choose import PASS as CHOOSE
from modelyard.optimization.passes.tables.fitting import fitted, repeated
from modelyard.optimization.passes.tables.portfolio import candidates_of
from modelyard.runtimes import runtime_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelyard.optimization.passes.interface import Option
    from modelyard.optimization.state import Model, Rows, Subject, Work

__all__ = ["PASS", "Combine", "greedy_weights"]

Json = Any
Array = np.ndarray[Any, Any]

_SOURCE = "source"
_PICKS = 25
_COMPARED = 5_000
_MOST = 6
"""Algorithms of the portfolio that are looked at: the likeliest."""


@dataclass(frozen=True, slots=True)
class _Member:
    """A candidate, and what it says of rows that it did not learn from."""

    name: str
    estimator: Any
    said: Array
    """Probabilities (rows, classes), or values (rows, 1), of rows that were not made of others."""


class Combine:
    """Voting and stacking.

    Candidates are the model itself, if it is scikit-learn's, and the likeliest algorithms. All are
    judged by cross-validation on the rows to learn from. `vote` averages the best few; `greedy`
    weighs them by greedy selection with replacement (Caruana et al., Ensemble selection from
    libraries of models, 2004); `stack` learns how to weigh what they say (Wolpert, Stacked
    generalization, 1992).
    """

    NAME = "combine"
    KIND: Literal["algorithm"] = "algorithm"
    LINEAGE: Literal["tuned-from"] = "tuned-from"
    SUMMARY = "lets several algorithms vote, or stacks them"

    def why_not(self, subject: Subject) -> str | None:
        return CHOOSE.why_not(subject)

    def options(self, subject: Subject) -> Mapping[str, Option]:
        return {"kind": Choice(("greedy", "vote", "stack")), "members": Choice((3, 2, 4))}

    def run(self, model: Model, params: Mapping[str, Json], work: Work) -> Made:
        if work.train is None or work.train.target is None:
            raise InvalidInput(
                "no-target", "without a target nothing can be learned", hint="--target COL"
            )
        kind, count = str(params.get("kind", "greedy")), int(params.get("members", 3))
        if kind not in ("greedy", "vote", "stack") or not 1 < count <= _MOST:
            raise InvalidInput(
                "bad-pass-option", f"combine can't be {kind!r:.40} of {count}",
                hint=f"kind greedy, vote or stack; 2 to {_MOST} members",
            )  # fmt: skip
        candidates = _candidates(model, work)
        chosen, weights = params.get("algorithms"), params.get("weights")
        if chosen is None:
            members = _members(candidates, work)
            if len(members) < 2:
                return Made(model=None, why="fewer than two algorithms could learn these rows")
            chosen, weights = _selected(members, work, kind, count)
        unknown = [name for name in chosen if name not in candidates]
        if unknown:
            raise InvalidInput(
                "bad-pass-option", f"there is no algorithm {unknown[0]!r:.40} for these rows",
                hint=f"algorithms: [{', '.join(candidates)}]",
            )  # fmt: skip
        if len(chosen) < 2:
            return Made(model=None, why=f"{chosen[0]} alone is as good as any combination")
        named = [(name, candidates[name]) for name in chosen]
        found = _learned(_combined(named, weights, kind, work), kind, work)
        made = model_of_object(found, work.folder(), like=model, example=work.train.inputs)
        shares = "" if weights is None else f", weights {', '.join(f'{w:.2g}' for w in weights)}"
        return Made(
            model=made, notes=(f"{kind} of {', '.join(chosen)}{shares}",),
            params={"algorithms": list(chosen), "weights": weights},
        )  # fmt: skip


def greedy_weights(said: Sequence[Array], truth: Array, task: str) -> list[float]:
    """How much each counts, summing to 1: picked one after the other, each time the one that
    improves the average of those picked the most; the best set on the way is taken.

    Args:
        said: Of each candidate, probabilities (rows, classes) or values (rows, 1).
        truth: Column of the right class, or the value; shape (rows,).
    """
    picked: list[int] = []
    total = np.zeros_like(said[0], dtype=np.float64)
    best: tuple[float, list[int]] | None = None
    for turn in range(_PICKS):
        losses = [_loss((total + each) / (turn + 1), truth, task) for each in said]
        at = int(np.argmin(losses))
        picked.append(at)
        total = total + said[at]
        if best is None or losses[at] < best[0] - 1e-12:
            best = (losses[at], picked.copy())
    assert best is not None
    return [best[1].count(at) / len(best[1]) for at in range(len(said))]


def _loss(said: Array, truth: Array, task: str) -> float:
    if task == "classification":
        return float(-np.log(np.clip(said[np.arange(len(truth)), truth], 1e-6, 1.0)).mean())
    return float(((said[:, 0] - truth) ** 2).mean())


def _candidates(model: Model, work: Work) -> dict[str, Any]:
    """By name, not fitted; the model that is improved is one if it can be."""
    assert work.train is not None
    found = candidates_of(work.train, work.task)
    # what pipelines hold must be scikit-learn's: nothing else loads without trust there
    found = {n: e for n, e in found.items() if n not in ("xgboost", "lightgbm")}
    found = dict(list(found.items())[:_MOST])
    if model.saved.framework == "sklearn" and model.saved.serializer == "skops":
        from sklearn.base import clone, is_classifier, is_regressor

        obj = model.load()
        fits = is_classifier(obj) if work.task == "classification" else is_regressor(obj)
        if fits and (work.task == "regression" or hasattr(obj, "predict_proba")):
            return {_SOURCE: clone(obj), **found}
    return found


def _members(candidates: Mapping[str, Any], work: Work) -> list[_Member]:
    """What each says of rows that it did not learn from; the best first."""
    assert work.train is not None
    rows = work.train.take(sampled(len(work.train), _COMPARED, work.seed))
    truth = _truth(rows, work)
    found = []
    for name, estimator in candidates.items():
        try:
            said = _outside(estimator, rows, work)
        except ModelyardError:
            continue
        work.tell(f"compare {name}", None)
        if said is not None:
            found.append(_Member(name, estimator, said[~is_made(rows)]))
    return sorted(found, key=lambda each: _loss(each.said, truth, work.task))


def _outside(estimator: Any, rows: Rows, work: Work) -> Array | None:
    """None if some class can't be told of every fold."""
    assert rows.target is not None
    classes = np.unique(rows.target)
    shape = (len(rows), len(classes) if work.task == "classification" else 1)
    said = np.full(shape, np.nan)
    groups = groups_of(rows)
    count = 5 if len(rows) < 1_000 else 3
    for inside, outside in folds(groups, rows.target, work.task, count=count, seed=work.seed):
        learned = fitted(estimator, rows.take(inside), work.seed)
        outputs = runtime_of("sklearn", learned).predict(rows.inputs.take(outside)).outputs
        if work.task != "classification":
            said[outside, 0] = outputs["prediction"]
        elif "probability" in outputs and len(learned.classes_) == len(classes):
            said[outside] = outputs["probability"]
        else:
            return None
    return said if np.isfinite(said).all() else None


def _truth(rows: Rows, work: Work) -> Array:
    """Of the rows that were not made of others."""
    assert rows.target is not None
    if work.task != "classification":
        return rows.target.astype(np.float64)[~is_made(rows)]
    return np.unique(rows.target, return_inverse=True)[1][~is_made(rows)]


def _selected(
    members: Sequence[_Member], work: Work, kind: str, count: int
) -> tuple[list[str], list[float] | None]:
    """Names, and how much each counts."""
    if kind != "greedy":
        return [each.name for each in members[:count]], None
    assert work.train is not None
    rows = work.train.take(sampled(len(work.train), _COMPARED, work.seed))
    weights = greedy_weights([each.said for each in members], _truth(rows, work), work.task)
    order = sorted(range(len(members)), key=lambda at: -weights[at])[:count]
    kept = [at for at in order if weights[at] > 0]
    total = sum(weights[at] for at in kept)
    return [members[at].name for at in kept], [round(weights[at] / total, 4) for at in kept]


def _learned(combined: Any, kind: str, work: Work) -> Any:
    """Fitted on the rows to learn from; a stack by folds that part no row from its like."""
    assert work.train is not None
    rows = repeated(work.train, work.seed)
    groups = groups_of(rows)
    if kind != "stack" or len(np.unique(groups)) == len(rows):
        return fitted(combined, rows, work.seed)
    usual = combined.cv
    parts = folds(groups, rows.target, work.task, count=5, seed=work.seed)
    found = fitted(combined.set_params(cv=list(parts)), rows, work.seed)
    return found.set_params(cv=usual)  # who learns it again does so from other rows


def _combined(
    members: Sequence[tuple[str, Any]], weights: Sequence[float] | None, kind: str, work: Work
) -> Any:
    from sklearn import ensemble, linear_model
    from sklearn.model_selection import KFold, StratifiedKFold

    shares = None if weights is None else list(weights)
    if work.task == "classification":
        if kind == "stack":
            last = linear_model.LogisticRegression(max_iter=2000)
            split: Any = StratifiedKFold(5, shuffle=True, random_state=work.seed)
            return ensemble.StackingClassifier(list(members), last, cv=split)
        return ensemble.VotingClassifier(list(members), voting="soft", weights=shares)
    if kind == "stack":
        split = KFold(5, shuffle=True, random_state=work.seed)
        last = linear_model.LinearRegression(positive=True)
        return ensemble.StackingRegressor(list(members), last, cv=split)
    return ensemble.VotingRegressor(list(members), weights=shares)


PASS = Combine()
