"""The trees and features of XGBoost objects: told as lines, cut and renamed by a plan."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from modelyard.errors import InvalidInput
from modelyard.formats.reading import printable
from modelyard.frameworks.boosting import PLAN, check_plan, kept_rounds, renamed_features
from modelyard.frameworks.xgboost.checking import measure
from modelyard.frameworks.xgboost.objects import (
    booster_of,
    config_of,
    filled,
    hyperparameters,
    is_booster,
    names_of,
    quiet,
)

if TYPE_CHECKING:
    from modelyard.core.trust import Trust
    from modelyard.frameworks.interface import Json

__all__ = ["set_structure", "structure"]

_LINES = 500
"""Names of features that are listed."""


def structure(obj: Any) -> tuple[str, ...]:
    """Objective, booster, trees, depth, features."""
    booster = booster_of(obj)
    config = config_of(booster)
    kind = config["gradient_booster"]["name"]
    lines = [f"objective: {config['objective']['name']}", f"booster: {kind}"]
    if kind != "gblinear":
        lines += _forest(booster)
    classes = int(config["learner_model_param"]["num_class"])
    lines += [f"classes: {classes}"] if classes else []
    lines.append(f"features: {config['learner_model_param']['num_feature']}")
    names = names_of(booster) or []
    types = booster.feature_types or []
    types = types if len(types) == len(names) else [""] * len(names)
    for name, type_ in list(zip(names, types, strict=True))[:_LINES]:
        lines.append(f"feature {printable(name, 80)}" + (f": {type_}" if type_ else ""))
    return tuple(lines)


def _forest(booster: Any) -> list[str]:
    trees, depth, leaves = measure(bytes(booster.save_raw("ubj")))
    rounds = booster.num_boosted_rounds()
    return [f"trees: {trees} in {rounds} rounds", f"depth: at most {depth}", f"leaves: {leaves}"]


def set_structure(obj: Any, plan: Json, trust: Trust) -> tuple[Any, tuple[str, ...]]:
    """A copy with some rounds of its trees, or with other names. InvalidInput: `bad-structure`."""
    del trust
    check_plan(plan)
    booster = booster_of(obj).copy()
    said: list[str] = []
    if "keep_trees" in plan:
        booster = _kept(booster, plan["keep_trees"], said)
    if "rename_features" in plan:
        names = booster.feature_names or []
        booster.feature_names = renamed_features(plan["rename_features"], names)
        said.append(f"renamed {len(plan['rename_features'])} of {len(names)} features")
    if is_booster(obj):
        return booster, tuple(said)
    params = obj.get_params(deep=False)
    if "keep_trees" in plan and not type(obj).__name__.startswith("XGBRF"):
        params["n_estimators"] = booster.num_boosted_rounds()
    return filled(copy.deepcopy(obj), booster, params), tuple(said)


def _kept(booster: Any, span: Json, said: list[str]) -> Any:
    if config_of(booster)["gradient_booster"]["name"] == "gblinear":
        raise InvalidInput("bad-structure", "a linear booster has no trees", hint=f"plan: {PLAN}")
    rounds = booster.num_boosted_rounds()
    first, last = kept_rounds(span, rounds)
    settings, names, types = hyperparameters(booster), booster.feature_names, booster.feature_types
    with quiet():
        found = booster[first:last]
        found.set_param(settings)
    found.feature_names, found.feature_types = names, types
    said.append(f"kept rounds {first} to {last - 1} of {rounds}; {rounds - last + first} are gone")
    if booster.attr("best_iteration") is not None:
        said.append("the best iteration of early stopping is forgotten: all kept rounds count")
    return found
