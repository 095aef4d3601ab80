"""Ensembles of trees as one layer each: how many trees, and how many nodes they have together."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from modelyard.optimization.weights import Weights

__all__ = ["Grown", "apart", "changes_of_trees"]

Json = Any

_TREE = re.compile(
    r"(?P<ensemble>(?:.*\.)?(?:estimators_|_predictors|trees))\.(?P<tree>\d+(?:\.\d+)?)\."
)
_ALONE = re.compile(r"(?P<ensemble>(?:.*\.)?tree_)\.")
_NODES = ("nodes", "base_weights")
"""Arrays with an entry for each node: of scikit-learn and of XGBoost."""


@dataclass(slots=True)
class Grown:
    """The trees of one ensemble."""

    trees: int = 0
    nodes: int = 0
    digest: str = ""
    """Of what decides, tree by tree."""


def apart(weights: Sequence[Weights]) -> tuple[list[Weights], dict[str, Grown]]:
    """Tensors that are no trees, and the ensembles by name."""
    others: list[Weights] = []
    found: dict[str, dict[str, list[Weights]]] = {}
    for each in weights:
        match = _TREE.match(each.name) or _ALONE.match(each.name)
        if match is None:
            others.append(each)
        else:
            tree = match.groupdict().get("tree", "")
            found.setdefault(match["ensemble"], {}).setdefault(tree, []).append(each)
    ensembles = {}
    for name, trees in found.items():
        if any(_is_nodes(each) for each in _all(trees)):
            ensembles[name] = _grown(trees)
        else:  # a voting of other estimators, for instance
            others += _all(trees)
    return others, ensembles


def changes_of_trees(
    before: Mapping[str, Grown], after: Mapping[str, Grown]
) -> list[dict[str, Json]]:
    """Rows as `effects.changes_between` has them; shapes are (trees, nodes of all of them)."""
    rows = []
    for name in dict.fromkeys((*before, *after)):
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        row: dict[str, Json] = {"layer": f"{name} (trees, nodes)", "dtype": "trees"}
        if new is None or old is None:
            there = new or old
            assert there is not None
            row |= {"what": "removed" if new is None else "added",
                    "shape": [there.trees, there.nodes]}  # fmt: skip
        else:
            same = (old.trees, old.nodes) == (new.trees, new.nodes)
            row |= {"what": "changed" if same else "resized", "shape": [new.trees, new.nodes]}
            if not same:
                row["old_shape"] = [old.trees, old.nodes]
        rows.append(row)
    return rows


def _all(trees: Mapping[str, list[Weights]]) -> Iterable[Weights]:
    return (each for tree in trees.values() for each in tree)


def _is_nodes(weights: Weights) -> bool:
    return weights.name.rpartition(".")[2] in _NODES and len(weights.shape) == 1


def _grown(trees: Mapping[str, list[Weights]]) -> Grown:
    grown, digest = Grown(trees=len(trees)), hashlib.sha256()
    for tree in trees.values():
        for each in tree:
            if _is_nodes(each):
                grown.nodes += each.shape[0]
                raw = each.raw()
                digest.update(b"?" if raw is None else raw.tobytes())
    grown.digest = digest.hexdigest()
    return grown
