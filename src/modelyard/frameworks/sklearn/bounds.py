"""Whether trees stay inside of their arrays: scikit-learn's compiled loops follow them unchecked.

The indices of a tree come from its file. A wrong one makes `predict` read or write anywhere, so a
tree of a stranger is only asked after every index was looked at. What is not known to be safe by
the checks here has to be trusted by name.
"""

from __future__ import annotations

import gc
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.core.extras import need

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CHECKED", "UNSURE", "unchecked"]

_TREE = "sklearn.tree._tree.Tree"
_PREDICTOR = "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"

CHECKED = frozenset({_TREE, _PREDICTOR})
"""Types that `unchecked` decides on, once they are built."""

UNSURE = frozenset({"sklearn.ensemble._iforest.IsolationForest"})
"""Holders of trees that no check here knows."""

_LEAF = -1


def unchecked(obj: Any) -> set[str]:
    """Which of `CHECKED` are somewhere in a loaded object without being known to be safe."""
    tree: Any = need("sklearn.tree", "sklearn")
    ensemble: Any = need("sklearn.ensemble", "sklearn")
    from sklearn.ensemble._forest import BaseForest
    from sklearn.ensemble._gb import BaseGradientBoosting
    from sklearn.ensemble._hist_gradient_boosting.gradient_boosting import (
        BaseHistGradientBoosting,
    )

    found = list(_reachable(obj))
    by_type = {name: [o for o in found if _name(o) == name] for name in CHECKED}
    safe: set[int] = set()
    sound = not any(isinstance(o, ensemble.IsolationForest) for o in found)
    for each in found:
        if isinstance(each, tree.BaseDecisionTree) and hasattr(each, "tree_"):
            safe |= {id(each.tree_)} if _is_sound_tree(each) else set()
        elif isinstance(each, BaseForest) and hasattr(each, "estimators_"):
            sound &= all(_same_width(each, part) for part in each.estimators_)
        elif isinstance(each, BaseGradientBoosting) and hasattr(each, "estimators_"):
            sound &= _is_sound_boosting(each)
        elif isinstance(each, BaseHistGradientBoosting) and hasattr(each, "_predictors"):
            safe |= set(map(id, _sound_predictors(each)))
    wrong = {name for name, those in by_type.items() if any(id(o) not in safe for o in those)}
    return wrong if sound else wrong | {name for name, those in by_type.items() if those}


def _reachable(obj: Any) -> Iterator[Any]:
    """The object and everything in it; arrays of objects hide their content from the collector."""
    waiting, seen = [obj], {id(obj)}
    while waiting:
        each = waiting.pop()
        yield each
        if isinstance(each, np.ndarray):
            parts = each.ravel().tolist() if each.dtype.kind == "O" else []
        else:
            parts = gc.get_referents(each)
        for part in parts:
            if id(part) not in seen and not isinstance(part, type | ModuleType | FunctionType):
                seen.add(id(part))
                waiting.append(part)


def _name(obj: Any) -> str:
    return f"{type(obj).__module__}.{type(obj).__qualname__}"


def _is_sound_tree(estimator: Any) -> bool:
    """Children come after their parents, so walking down ends; features are columns of X."""
    tree = estimator.tree_
    count = tree.node_count
    if not 0 < count <= tree.capacity or tree.n_features != _width(estimator):
        return False
    left, right, feature = tree.children_left, tree.children_right, tree.feature
    inner = left != _LEAF
    own = np.arange(count)
    within = (own < left) & (left < count) & (own < right) & (right < count)
    known = (feature >= 0) & (feature < tree.n_features)
    return (
        bool(np.all(within[inner] & known[inner]) and np.all(right[~inner] == _LEAF))
        and _depth(left, right) <= tree.max_depth
    )


def _depth(left: Any, right: Any) -> int:
    """How many steps lead to the deepest leaf."""
    level, depth = np.zeros(1, np.intp), 0
    while True:
        level = level[left[level] != _LEAF]
        if not len(level):
            return depth
        level = np.concatenate([left[level], right[level]])
        depth += 1
        if len(level) > len(left):  # two parents share a child: no tree
            return 1 << 30


def _same_width(whole: Any, part: Any) -> bool:
    return _width(part) == _width(whole) is not None


def _width(estimator: Any) -> int | None:
    """How many columns it checks for: a plain number, since other things may equal anything."""
    width = getattr(estimator, "n_features_in_", None)
    return int(width) if type(width) is int or isinstance(width, np.integer) else None


def _is_sound_boosting(boosting: Any) -> bool:
    """Its loop adds each tree's first value to a column of the initial predictions, unchecked."""
    parts = boosting.estimators_
    if not isinstance(parts, np.ndarray) or parts.ndim != 2 or not parts.size:
        return False
    for part in parts.flat:
        tree = getattr(part, "tree_", None)
        if tree is None or not _same_width(boosting, part):
            return False
        if (tree.n_outputs, tree.max_n_classes) != (1, 1):
            return False
    try:
        first = boosting._raw_predict_init(np.zeros((1, _width(boosting) or 0), np.float32))
    except Exception:  # made of parts that don't fit together, in whatever way
        return False
    return bool(first.shape == (1, parts.shape[1]) and first.dtype == np.float64)


def _sound_predictors(boosting: Any) -> Iterator[Any]:
    """Trees of numbers only: those with categories also index tables of bits."""
    mapper = boosting._bin_mapper
    categories = getattr(boosting, "is_categorical_", None)
    plain = categories is None and not np.any(getattr(mapper, "is_categorical_", None))
    if not plain or getattr(boosting, "_preprocessor", None) is not None:
        return
    for predictors in boosting._predictors:
        for predictor in predictors:
            nodes = predictor.nodes
            own = np.arange(len(nodes))
            inner = nodes["is_leaf"] == 0
            left, right = nodes["left"].astype(np.int64), nodes["right"].astype(np.int64)
            within = (own < left) & (left < len(nodes)) & (own < right) & (right < len(nodes))
            feature = nodes["feature_idx"]
            known = (feature >= 0) & (feature < (_width(boosting) or 0))
            fine = within & known & (nodes["is_categorical"] == 0)
            if nodes.ndim == 1 and len(nodes) and np.all(fine[inner]):
                yield predictor
