"""`trim`: the fewest trees of an ensemble that are as good as all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from modelyard.errors import InvalidInput
from modelyard.optimization.making import model_of_object
from modelyard.optimization.passes.interface import Choice, Made, Option
from modelyard.optimization.passes.torch.networks import number
from modelyard.optimization.passes.trees.ensembles import (
    BOOSTING,
    FORESTS,
    class_of,
    ensemble_in,
    rows_to_choose_by,
)
from modelyard.optimization.passes.trees.ordering import (
    curve_of_forest,
    enough,
    fewest_rounds,
    order_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.core.lineage import LineageKind
    from modelyard.optimization.passes.trees.ensembles import Ensemble
    from modelyard.optimization.state import Model, Subject, Work

__all__ = ["PASS"]

Json = Any

TOLERANCES = (0.002, 0.0, 0.005, 0.01, 0.02)
"""Accuracy, or R squared, that fewer trees may lose on the rows by which they are chosen."""


class Trim:
    """Options beyond `tolerance`: `share` (of the trees to keep, instead of choosing how many),
    `trees` (numbers of the trees of a forest) and `rounds` (of boosting): what was chosen once."""

    NAME = "trim"
    KIND: Literal["model"] = "model"
    LINEAGE: LineageKind = "pruned-from"
    SUMMARY = "Keeps the fewest trees of a forest or of boosting that are as good as all of them"

    def why_not(self, subject: Subject) -> str | None:
        """It takes forests and boosted trees of scikit-learn, XGBoost and LightGBM."""
        name = class_of(subject)
        if subject.serializer == "onnx":
            return "a converted model has no trees that could be taken out"
        if name is not None and name not in (*FORESTS, *BOOSTING):
            return f"a {name} is no ensemble of trees"
        if subject.framework not in ("sklearn", "xgboost", "lightgbm"):
            return "it takes trees of scikit-learn, XGBoost and LightGBM"
        return None if subject.rows else "trees are chosen by rows, and there are none"

    def options(self, subject: Subject) -> Mapping[str, Option]:
        """`tolerance`: the accuracy, or R squared, that may be lost."""
        del subject
        return {"tolerance": Choice(TOLERANCES)}

    def run(self, model: Model, params: Mapping[str, Json], work: Work) -> Made:
        """Leave trees out.

        Raises:
            InvalidInput: `bad-pass-option`, `no-rows`.
            Unsupported: `not-improvable`.
        """
        ensemble = ensemble_in(model, work.task, (*FORESTS, *BOOSTING))
        before = len(ensemble)
        chosen: dict[str, Json]
        if ensemble.is_forest:
            chosen = {"trees": _trees(ensemble, params, work)}
            found, after = ensemble.keeping(chosen["trees"]), len(chosen["trees"])
            words = "trees"
        else:
            chosen = {"rounds": _rounds(ensemble, params, work)}
            found, after = ensemble.first(chosen["rounds"]), chosen["rounds"]
            words = "rounds of trees"
        if after >= before:
            return Made(model=None, why=f"all {before} {words} are needed", params=chosen)
        example = work.train.inputs if work.train is not None else None
        return Made(
            model=model_of_object(found.obj, work.folder(), like=model, example=example),
            notes=(f"{after} of {before} {words} are left",),
            params=chosen,
            changed=({"layer": words, "change": 1 - after / before, "shape": [after]},),
        )


def _trees(ensemble: Ensemble, params: Mapping[str, Json], work: Work) -> list[int]:
    """Numbers of the trees to keep, the most helpful first."""
    count = len(ensemble)
    if "trees" in params:
        given = params["trees"]
        if not _are_places(given, count):
            raise InvalidInput(
                "bad-pass-option", "trees is no list of different trees", hint=f"0 to {count - 1}"
            )
        assert isinstance(given, list)
        return given
    rows = rows_to_choose_by(ensemble, work)
    order = order_of(ensemble, rows)
    if "share" in params:
        return order[: max(1, round(_share(params) * count))]
    tolerance = number(params, "tolerance", TOLERANCES[0], 0.0, 1.0)
    curve, whole = curve_of_forest(ensemble, rows)
    kept = enough(curve, float(whole), tolerance)
    work.tell(f"{kept} of {count} trees: {curve[kept - 1]:.4f}, all {whole:.4f}", None)
    return order[:kept]


def _share(params: Mapping[str, Json]) -> float:
    """Of the trees, that stay. InvalidInput: `bad-pass-option`."""
    share = number(params, "share", 1.0, 0.0, 1.0)
    if not share:
        raise InvalidInput("bad-pass-option", "share is a number above 0, up to 1: some must stay")
    return share


def _are_places(given: Json, count: int) -> bool:
    return (
        isinstance(given, list)
        and len(given) > 0
        and all(isinstance(at, int) and not isinstance(at, bool) for at in given)
        and all(0 <= at < count for at in given)
        and len(set(given)) == len(given)
    )


def _rounds(ensemble: Ensemble, params: Mapping[str, Json], work: Work) -> int:
    count = len(ensemble)
    if "rounds" in params:
        return int(number(params, "rounds", count, 1, count))
    if "share" in params:
        return max(1, round(_share(params) * count))
    rows = rows_to_choose_by(ensemble, work)
    tolerance = number(params, "tolerance", TOLERANCES[0], 0.0, 1.0)
    return fewest_rounds(
        lambda rounds: (ensemble.first(rounds) if rounds < count else ensemble).hits(rows),
        count, tolerance, lambda what: work.tell(what, None),
    )  # fmt: skip


PASS = Trim()
