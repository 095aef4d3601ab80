"""Fitted trees of any library as plain arrays: what graphs are written from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Forest", "Link", "Tree", "joined", "shifted"]

Array = np.ndarray[Any, Any]
Link = Literal["none", "logistic", "softmax", "exp", "logistic-each", "signed-square"]


@dataclass(frozen=True, slots=True)
class Tree:
    """One tree: arrays over its nodes, of which the first is the root."""

    feature: Array
    """int64: the column that a split compares."""
    threshold: Array
    """float64: with what."""
    left: Array
    """int64: where rows go for which the comparison holds."""
    right: Array
    leaf: Array
    """bool."""
    missing_left: Array
    """bool: whether NaN goes to the left."""
    values: Array
    """float64 (nodes, outputs): what leaves add to each output; of splits, anything."""
    output: int = 0
    """The first output that the values are added to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forest:
    """Trees whose values are added up, and what becomes of the sum."""

    trees: tuple[Tree, ...]
    columns: int
    """Features of a row."""
    outputs: int
    """Sums for each row."""
    classes: Array | None
    """In the order of the probabilities; None for regressors."""
    base: Array
    """float64 (outputs,): what is added to the sums."""
    mean: bool = False
    """Whether sums are divided by the number of trees."""
    link: Link = "none"
    slope: float = 1.0
    """By which a sum is multiplied before a logistic link."""
    strict: bool = False
    """Whether splits ask for less; else for less or equal."""
    double: bool = False
    """Whether rows are compared as float64; else as float32."""


def joined(trees: Sequence[Tree]) -> tuple[Tree, Array, Array]:
    """All trees one after another, with the number of the tree and of the node in its tree.

    Children keep their numbers within their trees.
    """
    sizes = [len(tree.feature) for tree in trees]
    owner = np.repeat(np.arange(len(trees)), sizes)
    within = np.concatenate([np.arange(size) for size in sizes])

    def whole(name: str) -> Array:
        found: Array = np.concatenate([getattr(tree, name) for tree in trees])
        return found

    nodes = Tree(
        feature=whole("feature"), threshold=whole("threshold"), left=whole("left"),
        right=whole("right"), leaf=whole("leaf"), missing_left=whole("missing_left"),
        values=np.empty((len(owner), 0)),
    )  # fmt: skip
    return nodes, owner, within


# --- scikit-learn ----------------------------------------------------------------------------


def shifted(tree: Tree, by: float) -> Tree:
    """The same with other values."""
    return replace(tree, values=tree.values + by)
