"""The trees and features of LightGBM objects: told as lines, cut and renamed by a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelyard.formats.reading import printable
from modelyard.frameworks.boosting import check_plan, kept_rounds, renamed_features
from modelyard.frameworks.lightgbm.objects import (
    booster_of,
    copied,
    head_of,
    is_booster,
    loaded,
    names_of,
    parameters_of,
    text_of,
)
from modelyard.frameworks.lightgbm.saving import fill
from modelyard.frameworks.lightgbm.trees import check_links, parsed

if TYPE_CHECKING:
    from modelyard.core.trust import Trust
    from modelyard.frameworks.interface import Json

__all__ = ["set_structure", "structure"]

_LINES = 500
"""Names of features that are listed."""


def structure(obj: Any) -> tuple[str, ...]:
    """Objective, boosting, trees, depth, features."""
    booster = booster_of(obj)
    head = head_of(booster)
    trees = parsed(text_of(booster))
    lines = [
        f"objective: {head.get('objective', 'a function')}",
        f"boosting: {parameters_of(booster).get('boosting', 'gbdt')}",
        f"trees: {booster.num_trees()} in {booster.current_iteration()} rounds",
        f"depth: at most {check_links(trees)}",
        f"leaves: {sum(tree.leaves for tree in trees)}",
    ]
    if booster.best_iteration > 0:
        lines.append(f"best round: {booster.best_iteration}")
    if int(head["num_class"]) > 1:
        lines.append(f"classes: {head['num_class']}")
    lines.append(f"features: {booster.num_feature()}")
    lines += [f"feature {printable(name, 80)}" for name in (names_of(booster) or [])[:_LINES]]
    return tuple(lines)


def set_structure(obj: Any, plan: Json, trust: Trust) -> tuple[Any, tuple[str, ...]]:
    """A copy with some rounds of its trees, or with other names. InvalidInput: `bad-structure`."""
    del trust
    check_plan(plan)
    before = booster_of(obj)
    text, said = text_of(before), []
    best = before.best_iteration
    if "keep_trees" in plan:
        rounds = before.current_iteration()
        first, last = kept_rounds(plan["keep_trees"], rounds)
        text = before.model_to_string(start_iteration=first, num_iteration=last - first)
        gone = rounds - last + first
        said.append(f"kept rounds {first} to {last - 1} of {rounds}; {gone} are gone")
        if best > 0:
            said.append("the best round is forgotten: all kept rounds count")
            best = -1
    if "rename_features" in plan:
        names = before.feature_name()
        changed = renamed_features(plan["rename_features"], names)
        text = _renamed(text, changed)
        said.append(f"renamed {len(plan['rename_features'])} of {len(names)} features")
    booster = loaded(text)
    if best > 0:
        booster.best_iteration, booster.best_score = best, before.best_score
    if is_booster(obj):
        return booster, tuple(said)
    return _estimator(obj, booster, "rename_features" in plan), tuple(said)


def _renamed(text: str, names: list[str]) -> str:
    head, mark, rest = text.partition("\n\n")
    lines = [
        f"feature_names={' '.join(names)}" if line.startswith("feature_names=") else line
        for line in head.split("\n")
    ]
    return "\n".join(lines) + mark + rest


def _estimator(obj: Any, booster: Any, renamed: bool) -> Any:
    found = copied(obj)
    if booster.current_iteration() != obj.booster_.current_iteration():
        found.set_params(n_estimators=booster.current_iteration())
    kept = {
        "objective": obj.objective_, "features": None, "classes": getattr(obj, "classes_", None),
        "named": renamed or hasattr(obj, "feature_names_in_"), "evals_result": obj.evals_result_,
    }  # fmt: skip
    return fill(found, booster, kept)
