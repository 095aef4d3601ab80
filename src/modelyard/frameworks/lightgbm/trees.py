"""The trees of a LightGBM text model: each line of the right length, each node reached once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from modelyard.formats.reading import bad

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["KIND", "Tree", "check_links", "parsed", "require"]

Array = np.ndarray[Any, Any]

KIND = "not-loadable"
_DEEP = 4096
"""Some functions of LightGBM walk trees by recursion."""
_LEAVES = 1 << 24
_INTS = re.compile(r"-?[0-9]{1,10}(?: -?[0-9]{1,10})*", re.ASCII)
_FLOAT = r"-?(?:[0-9]{1,24}(?:\.[0-9]{0,40})?(?:e[-+]?[0-9]{1,3})?|inf|nan)"
_FLOATS = re.compile(rf"{_FLOAT}(?: {_FLOAT})*", re.ASCII)
_SPLITS = {
    "split_feature": "i", "split_gain": "f", "threshold": "f", "decision_type": "i",
    "left_child": "i", "right_child": "i", "internal_value": "f", "internal_weight": "f",
    "internal_count": "i",
}  # fmt: skip
_OF_LEAVES = {"leaf_value": "f", "leaf_weight": "f", "leaf_count": "i"}
_NEEDED = ("split_feature", "threshold", "decision_type", "left_child", "right_child", "leaf_value")
_OTHERS = frozenset({
    "num_leaves", "num_cat", "shrinkage", "is_linear", "cat_boundaries", "cat_threshold",
    "leaf_const", "num_features", "leaf_features", "leaf_coeff",
})  # fmt: skip
_CATEGORICAL, _MISSING = 1, 12
"""Bits of a decision type."""


def require(condition: Any, message: str) -> None:
    """InvalidInput `not-loadable` unless the condition holds."""
    if not condition:
        raise bad(KIND, message)


@dataclass(frozen=True, slots=True)
class Tree:
    """Children of the splits of one tree: not negative for a split, else the inverse of a leaf."""

    leaves: int
    left: Array
    right: Array

    @classmethod
    def parse(cls, block: str, index: int, features: int) -> Self:
        """One block of the file, checked alone. InvalidInput: `not-loadable`."""
        first, *lines = block.rstrip("\n").split("\n")
        require(first == f"Tree={index}" and block.endswith("\n\n"), "a tree is at the wrong place")
        values: dict[str, str] = {}
        for line in lines:
            key, mark, value = line.partition("=")
            known = key in _SPLITS or key in _OF_LEAVES or key in _OTHERS
            require(mark and known and key not in values, "a tree holds what no tree has")
            values[key] = value
        leaves = _count(values, "num_leaves", 1, _LEAVES)
        arrays = _arrays(values, leaves)
        if leaves > 1:
            _check_splits(values, arrays, features)
        _check_linear(values, leaves, features)
        require(_FLOATS.fullmatch(values.get("shrinkage", "1")), "shrinkage is no number")
        empty = np.empty(0, np.int64)
        return cls(leaves, arrays.get("left_child", empty), arrays.get("right_child", empty))


def _arrays(values: dict[str, str], leaves: int) -> dict[str, Array]:
    """The lines of integers as arrays; those of floats are only counted."""
    arrays: dict[str, Array] = {}
    for names, length in ((_SPLITS, leaves - 1), (_OF_LEAVES, leaves)):
        for name, kind in names.items():
            text = values.get(name)
            if text is None:
                require(name not in _NEEDED, f"a tree has no {name}")
                continue
            if not text and leaves == 1 and name != "leaf_value":
                continue  # a tree without a split leaves its lines empty
            found = _numbers(text, name) if kind == "i" else None
            count = _floats(text, name) if found is None else len(found)
            require(count == length, f"a tree has too few or too many {name}")
            if found is not None:
                arrays[name] = found
    return arrays


def _check_splits(values: dict[str, str], arrays: dict[str, Array], features: int) -> None:
    feature = arrays["split_feature"]
    require(((feature >= 0) & (feature < features)).all(), "a split has no such feature")
    kinds = arrays["decision_type"]
    known = (kinds >= 0) & (kinds < 16) & (kinds & _MISSING != _MISSING)
    require(known.all(), "a split has an unknown type")
    categorical = (kinds & _CATEGORICAL) == 1
    count = _count(values, "num_cat", 0, _LEAVES)
    if count == 0:
        require(not categorical.any(), "a split has no categories")
        return
    bounds = _numbers(values.get("cat_boundaries", ""), "cat_boundaries")
    bits = _numbers(values.get("cat_threshold", ""), "cat_threshold")
    require(len(bounds) == count + 1 and bounds[0] == 0, "the categories don't fit together")
    require((np.diff(bounds) >= 0).all() and bounds[-1] == len(bits), "the categories don't fit")
    require(((bits >= 0) & (bits < 1 << 32)).all(), "categories are out of range")
    chosen = np.array(values["threshold"].split(" "), np.float64)[categorical]
    fits = (chosen >= 0) & (chosen < count) & (chosen == np.floor(chosen))
    require(fits.all(), "a split has categories outside of its tree")


def _check_linear(values: dict[str, str], leaves: int, features: int) -> None:
    """Leaves may hold linear models of their own."""
    kind = values.get("is_linear", "0")
    require(kind in ("0", "1"), "is_linear is neither 0 nor 1")
    names = ("leaf_const", "num_features", "leaf_features", "leaf_coeff")
    if kind == "0":
        require(not any(name in values for name in names), "a tree is linear, or not")
        return
    require(all(name in values for name in names), "a linear tree lacks its coefficients")
    require(_floats(values["leaf_const"], "leaf_const") == leaves, "leaf_const don't fit")
    sizes = _numbers(values["num_features"], "num_features")
    require(len(sizes) == leaves and (sizes >= 0).all(), "num_features don't fit")
    require((sizes <= features).all(), "a leaf has too many features")
    total = int(sizes.sum())
    used = _numbers(_single_spaced(values["leaf_features"]), "leaf_features")
    require(len(used) == total, "leaf_features don't fit")
    require(((used >= 0) & (used < features)).all(), "a leaf has no such feature")
    given = _floats(_single_spaced(values["leaf_coeff"]), "leaf_coeff")
    require(given == total, "leaf_coeff don't fit")


def _single_spaced(text: str) -> str:
    return " ".join(text.split(" ")).strip(" ") if "  " not in text else " ".join(text.split())


def check_links(trees: Sequence[Tree]) -> int:
    """Every split and every leaf of every tree hangs on its root, once. Gives the depth."""
    trees = [tree for tree in trees if tree.leaves > 1]
    if not trees:
        return 0
    splits = np.array([tree.leaves - 1 for tree in trees])
    starts = np.concatenate([[0], np.cumsum(splits)])[:-1]
    begin = np.repeat(starts, splits)
    limit = np.repeat(splits, splits)
    children = np.concatenate([np.concatenate([tree.left for tree in trees]),
                               np.concatenate([tree.right for tree in trees])])  # fmt: skip
    begin, limit = np.concatenate([begin, begin]), np.concatenate([limit, limit])
    inner = children >= 0
    require((children[inner] < limit[inner]).all(), "a split is outside of its tree")
    require((children[inner] > 0).all(), "a root has a parent")
    leaf = ~children[~inner]
    require((leaf <= limit[~inner]).all(), "a leaf is outside of its tree")
    met = np.bincount(children[inner] + begin[inner], minlength=int(splits.sum()))
    met[starts] += 1
    require((met == 1).all(), "a split has no parent, or several")
    # a tree has one leaf more than splits, so its leaves begin further to the right
    order = np.searchsorted(starts, begin[~inner])
    met = np.bincount(leaf + begin[~inner] + order, minlength=int(splits.sum()) + len(trees))
    require((met == 1).all(), "a leaf has no parent, or several")
    return _check_depth(children, begin, starts, int(splits.sum()))


def parsed(text: str) -> list[Tree]:
    """The trees of a model that LightGBM wrote."""
    body = text.partition("\nend of trees")[0]
    blocks = body.split("\nTree=")[1:]
    features = int(re.findall(r"^max_feature_idx=(\d+)$", body, re.MULTILINE)[0]) + 1
    return [
        Tree.parse(f"Tree={block.rstrip()}\n\n", index, features)
        for index, block in enumerate(blocks)
    ]


def _check_depth(children: Array, begin: Array, level: Array, splits: int) -> int:
    half = len(children) // 2
    left, right = children[:half], children[half:]
    seen = depth = 0
    while depth < _DEEP:
        depth += 1
        seen += len(level)
        sides = np.concatenate([left[level], right[level]])
        offsets = np.concatenate([begin[level], begin[level]])
        level = (sides + offsets)[sides >= 0]
        if not len(level):
            break
    else:
        raise bad(KIND, f"a tree is deeper than {_DEEP}")
    require(seen == splits, "some splits hang on no root")
    return depth


def _count(values: dict[str, str], name: str, low: int, high: int) -> int:
    text = values.get(name, "")
    require(re.fullmatch(r"[0-9]{1,10}", text, re.ASCII), f"{name} is no number")
    require(low <= int(text) <= high, f"{name} is {text}")
    return int(text)


def _numbers(text: str, name: str) -> Array:
    if not text:
        return np.empty(0, np.int64)
    require(_INTS.fullmatch(text), f"{name} are no whole numbers")
    found: Array = np.fromstring(text, np.int64, sep=" ")
    return found


def _floats(text: str, name: str) -> int:
    if not text:
        return 0
    require(_FLOATS.fullmatch(text), f"{name} are no numbers")
    return text.count(" ") + 1
