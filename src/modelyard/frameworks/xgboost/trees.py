"""Trees of an XGBoost model checked before its C++ code reads them.

That code trusts indices: a node number that is out of range, or a cycle, ends the process or hangs
it. All trees are checked together, as one array for each field.
"""

from __future__ import annotations

from itertools import starmap
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.formats.reading import Json, bad

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Array", "check_trees", "number_of", "require"]

Array = np.ndarray[Any, Any]

KIND = "not-loadable"
_ROOT = 2147483647
"""Parent of the root, and the feature of a node that pruning took away."""
_DEEP = 4096
"""Some functions of XGBoost walk trees by recursion."""
_CATEGORIES = 1 << 24
_FLOATS = ("loss_changes", "sum_hessian", "split_conditions", "base_weights")
_INTS = ("left_children", "right_children", "parents", "split_indices", "default_left")


def require(condition: Any, message: str) -> None:
    """InvalidInput `not-loadable` unless the condition holds."""
    if not condition:
        raise bad(KIND, message)


def number_of(value: Json, what: str, high: int, low: int = 0) -> int:
    """XGBoost keeps its counts as text."""
    text = str(value)
    require(text.isascii() and text.isdigit() and len(text) < 12, f"{what} is no number")
    require(low <= int(text) <= high, f"{what} is {text}")
    return int(text)


def check_trees(
    trees: Sequence[dict[str, Json]], array: Callable[[Json, str], Array], wide: int, kinds: Array
) -> tuple[int, int]:
    """Check every tree of a model; gives the greatest depth and the number of leaves.

    Args:
        array: Turns a value of the document into numbers of kind "i" or "f", or refuses it.
        wide: How many targets a leaf with a vector must have.
        kinds: Of each feature whether it is categorical: 1, 0, or -1 if nobody knows.
    """
    require(all(isinstance(tree, dict) for tree in trees), "a tree is no object")
    single = [tree for tree in trees if _leaf_size(tree, wide) <= 1]
    vector = [tree for tree in trees if _leaf_size(tree, wide) > 1]
    found = [
        _check(group, array, kinds, size) for group, size in ((single, 1), (vector, wide)) if group
    ]
    return max((depth for depth, _ in found), default=0), sum(leaves for _, leaves in found)


def _leaf_size(tree: dict[str, Json], wide: int) -> int:
    size = number_of(_param(tree).get("size_leaf_vector", "0"), "size_leaf_vector", 1 << 20)
    require(size <= 1 or size == wide, "a tree has leaves of another size than the model")
    return size


def _param(tree: dict[str, Json]) -> dict[str, Json]:
    param = tree.get("tree_param")
    if not isinstance(param, dict):
        raise bad(KIND, "a tree has no parameters")
    return param


def _check(
    trees: Sequence[dict[str, Json]], array: Callable[[Json, str], Array], kinds: Array, size: int
) -> tuple[int, int]:
    features = len(kinds)
    counts = np.array(
        [number_of(_param(t).get("num_nodes"), "num_nodes", _ROOT - 1, 1) for t in trees], np.int64
    )
    of_tree = [number_of(_param(t).get("num_feature", "0"), "num_feature", _ROOT) for t in trees]
    require(max(of_tree, default=0) <= features, "a tree has more features than the model")
    starts = np.concatenate([[0], np.cumsum(counts)])

    def joined(name: str, kind: str, each: int = 1) -> Array:
        parts = [array(tree.get(name), kind) for tree in trees]
        lengths = np.array([len(part) for part in parts])
        require((lengths == counts * each).all(), f"a tree has too few or too many {name}")
        return np.concatenate(parts)

    for name in _FLOATS:
        joined(name, "f", size if name == "base_weights" else 1)
    left, right, parent, feature, default = (joined(name, "i") for name in _INTS)
    owner = np.repeat(np.arange(len(trees)), counts)
    within = np.arange(len(owner)) - starts[owner]
    require(((default == 0) | (default == 1)).all(), "a default direction is neither 0 nor 1")
    gone = (feature == _ROOT) & (within > 0)
    require(not gone.any() or size == 1, "a node of a tree with vectors was deleted")
    inner = (left != -1) & ~gone
    depth = _check_links(
        left, right, parent, inner, gone, within, counts[owner], starts[owner], size
    )
    require(
        ((feature[inner] >= 0) & (feature[inner] < features)).all(), "a split has no such feature"
    )
    if size > 1:
        _check_leaves(trees, array, right, inner, counts, size)
    for tree, begin, end in zip(trees, starts[:-1], starts[1:], strict=True):
        require(size == 1 or "split_type" in tree, "a tree has no split_type")
        splits = inner[begin:end]
        _check_categories(tree, array, splits, kinds[feature[begin:end][splits]])
    return depth, int((~inner & ~gone).sum())


def _check_links(
    left: Array, right: Array, parent: Array, inner: Array, gone: Array, within: Array,
    counts: Array, starts: Array, size: int,
) -> int:  # fmt: skip
    """Each node that is not the root is the child of one other, so all hang on their root."""
    low, high = left[inner], right[inner]
    limit = counts[inner]
    right_of_leaves = right[~inner & ~gone]
    require(size > 1 or (right_of_leaves == -1).all(), "a leaf has a child")
    inside = (low > 0) & (low < limit) & (high > 0) & (high < limit)
    require(inside.all(), "a child is outside of its tree")
    begin = starts[inner]
    children = np.concatenate([low + begin, high + begin])
    met = np.zeros(len(left), np.int64)
    np.add.at(met, children, 1)
    require((met[(within > 0) & ~gone] == 1).all(), "a node has no parent, or several")
    require((met[gone] == 0).all(), "a deleted node is used")
    parents = np.concatenate([within[inner], within[inner]])
    require((parent[children] == parents).all(), "a node names another parent")
    rest = within > 0
    named = parent[rest]
    require(((named >= 0) & (named < counts[rest])).all(), "a parent is outside of its tree")
    roots = parent[within == 0]
    require(((roots == _ROOT) | (roots == -1)).all(), "a root has a parent")
    return _check_depth(left, right, inner, starts, np.flatnonzero(within == 0), int((~gone).sum()))


def _check_depth(
    left: Array, right: Array, inner: Array, starts: Array, level: Array, nodes: int
) -> int:
    seen, depth = 0, -1
    while depth < _DEEP:
        depth += 1
        seen += len(level)
        level = level[inner[level]]
        if not len(level):
            break
        level = np.concatenate([left[level] + starts[level], right[level] + starts[level]])
    else:
        raise bad(KIND, f"a tree is deeper than {_DEEP}")
    require(seen == nodes, "some nodes hang on no root")
    return depth


def _check_leaves(
    trees: Sequence[dict[str, Json]], array: Callable[[Json, str], Array],
    right: Array, inner: Array, counts: Array, size: int,
) -> None:  # fmt: skip
    """Leaves with vectors keep the number of their row where others keep a child."""
    begin = 0
    for tree, count in zip(trees, counts.tolist(), strict=True):
        rows = right[begin : begin + count][~inner[begin : begin + count]]
        weights = array(tree.get("leaf_weights"), "f")
        require(len(weights) == len(rows) * size, "a tree has too few or too many leaf_weights")
        require(((rows >= 0) & (rows < len(rows))).all(), "a leaf has no weights")
        begin += count


def _check_categories(
    tree: dict[str, Json], array: Callable[[Json, str], Array], inner: Array, wanted: Array
) -> None:
    """Splits by category keep a stretch of the list of categories each.

    XGBoost ends the process when it shows a split of another kind than its feature.
    """
    if "split_type" not in tree:
        require((wanted < 1).all(), "a split has no categories")
        return
    kinds = array(tree["split_type"], "i")
    require(len(kinds) == len(inner), "a tree has too few or too many split_type")
    require(((kinds[inner] == wanted) | (wanted < 0)).all(), "a split is of the wrong kind")
    names = ("categories_nodes", "categories_segments", "categories_sizes", "categories")
    nodes, begins, sizes, values = (array(tree.get(name), "i") for name in names)
    if not (len(nodes) or len(values) or kinds.any()):
        return
    require(((kinds == 0) | (kinds == 1)).all(), "a split has an unknown type")
    require(len(nodes) == len(begins) == len(sizes), "the categories of a tree don't fit together")
    require(np.array_equal(np.flatnonzero(kinds), nodes), "categories stand at the wrong nodes")
    require(inner[nodes].all(), "a leaf has categories")
    fits = (begins >= 0) & (sizes > 0) & (sizes <= len(values)) & (begins <= len(values) - sizes)
    require(fits.all(), "a split has categories outside of its tree")
    require(((values >= 0) & (values < _CATEGORIES)).all(), "a category is out of range")
    ordered = list(starmap(lambda at, n: bool((np.diff(values[at : at + n]) > 0).all()),
                           zip(begins.tolist(), sizes.tolist(), strict=True)))  # fmt: skip
    require(all(ordered), "categories of a split are not in order")
