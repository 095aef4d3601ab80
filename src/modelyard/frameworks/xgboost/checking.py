"""XGBoost models checked value by value before its C++ code reads them."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

import numpy as np

from modelyard.errors import InvalidInput
from modelyard.formats import Budget
from modelyard.formats.reading import Json, Region, bad, parse_json
from modelyard.formats.ubj import Typed, parse_ubj
from modelyard.frameworks.xgboost.trees import KIND, Array, check_trees, number_of, require

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["check_model", "measure"]

_BUDGET = Budget(seconds=300.0, max_memory=1 << 36, max_nodes=1 << 30, max_tensors=1 << 30)
"""Loading is asked for, so a large model may cost more here than where files are only listed."""
_FEATURES = 1 << 26
_GROUPS = 1 << 16
_TYPES = frozenset({"float", "int", "i", "q", "c", "indicator"})
_RANGES = {"int8": 7, "uint8": 8, "int16": 15, "int32": 31, "int64": 63}
_NUMBER = re.compile(r"-?(\d{1,24}(\.\d{0,60})?|\.\d{1,60})([eE][-+]?\d{1,3})?", re.ASCII)


def check_model(data: bytes) -> None:
    """Refuse what could harm the process that loads it. InvalidInput: `not-loadable`."""
    try:
        model, array = _parsed(data)
        learner = _object(model, "learner")
        _check_learner(learner, array)
    except InvalidInput as error:
        raise bad(KIND, error.message) from None
    except (RecursionError, MemoryError, OverflowError):
        raise bad(KIND, "the model is too deep or too large") from None


def measure(data: bytes) -> tuple[int, int, int]:
    """Number of trees, greatest depth and number of leaves of a sound model."""
    model, array = _parsed(data)
    learner = _object(model, "learner")
    params = _object(learner, "learner_model_param")
    booster = _object(learner, "gradient_booster")
    inner = _object(booster.get("gbtree", booster), "model")
    kinds = np.full(int(params["num_feature"]), -1)
    wide = int(params.get("num_target", "1"))
    return len(inner["trees"]), *check_trees(inner["trees"], array, wide, kinds)


def _parsed(data: bytes) -> tuple[dict[str, Json], Callable[[Json, str], Array]]:
    budget = _BUDGET.begun()
    if b"\0" in data[:64]:
        region = Region(io.BytesIO(data), kind=KIND)
        model = parse_ubj(region, budget)

        def typed(value: Json, kind: str) -> Array:
            return _typed(data, value, kind)

        array: Callable[[Json, str], Array] = typed
    else:
        require(data[:1] == b"{", "the file is no XGBoost model")
        model = parse_json(data, KIND, budget)
        array = _listed
    require(isinstance(model, dict), "the model is no object")
    return model, array


def _typed(data: bytes, value: Json, kind: str) -> Array:
    if value == []:
        return np.empty(0, np.int64 if kind == "i" else np.float32)
    if isinstance(value, list):  # short lists of the model itself are written one by one
        return _listed(value, kind)
    require(isinstance(value, Typed), "an array is missing")
    dtype = np.dtype(value.dtype)
    require((dtype.kind == "f") == (kind == "f"), "an array has numbers of the wrong type")
    raw = np.frombuffer(data, dtype.newbyteorder(">"), value.count, value.start)
    return raw.astype(np.int64 if kind == "i" else dtype)


def _listed(value: Json, kind: str) -> Array:
    require(isinstance(value, list), "an array is missing")
    right = {int} if kind == "i" else {int, float}
    require(set(map(type, value)) <= right, "an array has values of the wrong type")
    if kind == "f":
        return np.array(value, np.float64)
    require(all(-(1 << 31) <= item < 1 << 32 for item in value), "a number is out of range")
    return np.array(value, np.int64)


def _check_learner(learner: dict[str, Json], array: Callable[[Json, str], Array]) -> None:
    params = _object(learner, "learner_model_param")
    features = number_of(params.get("num_feature"), "num_feature", _FEATURES)
    classes = number_of(params.get("num_class", "0"), "num_class", _GROUPS)
    targets = number_of(params.get("num_target", "1"), "num_target", _GROUPS)
    require(classes < 2 or targets < 2, "the model has both classes and targets")
    groups = max(1, classes, targets)
    _check_base(params.get("base_score"), groups)
    _check_names(learner, features)
    _check_objective(_object(learner, "objective"), classes)
    attributes = learner.get("attributes", {})
    require(isinstance(attributes, dict), "the attributes are malformed")
    require(all(isinstance(text, str) for text in attributes.values()), "an attribute is no text")
    kinds = _kinds(learner.get("feature_types") or [], features)
    _check_booster(_object(learner, "gradient_booster"), array, kinds, groups)


def _check_base(value: Json, groups: int) -> None:
    require(isinstance(value, str) and len(value) < 1 << 24, "base_score is missing")
    inner = value[1:-1].split(",") if value[:1] == "[" and value[-1:] == "]" else [value]
    require(len(inner) in (1, groups), "base_score has another number of targets")
    require(all(_NUMBER.fullmatch(part) for part in inner), "base_score is no number")


def _check_names(learner: dict[str, Json], features: int) -> None:
    for key in ("feature_names", "feature_types"):
        names = learner.get(key, [])
        require(isinstance(names, list) and set(map(type, names)) <= {str}, f"{key} are no texts")
        require(len(names) in (0, features), f"there are {len(names)} {key} of {features}")
        require(not any("\0" in name for name in names), f"{key} hold characters of control")
    require(set(learner.get("feature_types", [])) <= _TYPES, "a feature has an unknown type")


def _kinds(types: list[str], features: int) -> Array:
    """Of each feature whether it is categorical; -1 if the model does not say."""
    return np.array([int(kind == "c") for kind in types] or [-1] * features, np.int64)


def _check_objective(objective: dict[str, Json], classes: int) -> None:
    name = objective.get("name")
    require(isinstance(name, str) and name, "the objective has no name")
    for key, value in objective.items():
        if not isinstance(value, dict):
            continue
        inside = value.get("num_class")
        if inside is not None:
            same = number_of(inside, "num_class", _GROUPS) == classes
            require(same, f"{key} has another number of classes than the model")


def _check_booster(
    booster: dict[str, Json], array: Callable[[Json, str], Array], kinds: Array, groups: int
) -> None:
    name = booster.get("name")
    if name == "gblinear":
        weights = array(_object(booster, "model").get("weights"), "f")
        require(len(weights) in (0, (len(kinds) + 1) * groups), "there are too few or many weights")
        return
    require(name in ("gbtree", "dart"), "the booster is of an unknown kind")
    model = _object(_object(booster, "gbtree") if name == "dart" else booster, "model")
    count = _check_forest(model, array, kinds, groups)
    if name == "dart":
        dropped = array(booster.get("weight_drop"), "f")
        require(len(dropped) == count, "there are too few or too many dropped weights")


def _check_forest(
    model: dict[str, Json], array: Callable[[Json, str], Array], kinds: Array, groups: int
) -> int:
    params = _object(model, "gbtree_model_param")
    trees = model.get("trees")
    require(isinstance(trees, list), "the model has no trees")
    count = len(trees) if isinstance(trees, list) else 0
    number_of(params.get("num_trees"), "num_trees", count, count)
    number_of(params.get("num_parallel_tree", "1"), "num_parallel_tree", 1 << 24)
    info = array(model.get("tree_info"), "i")
    require(len(info) == count, "there is another number of trees than tree_info tells")
    require(((info >= 0) & (info < groups)).all(), "a tree belongs to no class or target")
    check_trees(trees or [], array, groups, kinds)
    ids = [tree.get("id") for tree in trees or []]
    require(ids == [*range(count)], "the trees are not in order")
    if "iteration_indptr" in model:
        rounds = array(model["iteration_indptr"], "i")
        ends = len(rounds) and rounds[0] == 0 and rounds[-1] == count
        require(ends and (np.diff(rounds) >= 0).all(), "the rounds don't fit the trees")
    else:
        parallel = number_of(params.get("num_parallel_tree", "1"), "num_parallel_tree", 1 << 24, 1)
        require(count % (parallel * groups) == 0, "the rounds don't fit the trees")
    if "weight_drop" in model:
        require(len(array(model["weight_drop"], "f")) in (0, count), "weights don't fit the trees")
    if "cats" in model:
        _check_encoding(_object(model, "cats"), array, len(kinds))
    return count


def _check_encoding(
    cats: dict[str, Json], array: Callable[[Json, str], Array], features: int
) -> None:
    """Categories of a frame, as text or numbers, by feature."""
    encoded = cats.get("enc")
    require(isinstance(encoded, list), "the categories are malformed")
    sizes = [_check_column(column, array) for column in encoded or []]
    segments = array(cats.get("feature_segments"), "i")
    order = array(cats.get("sorted_idx"), "i")
    if not sizes:
        require(len(segments) == len(order) == 0, "there are categories of no feature")
        return
    require(len(sizes) == features, "there are categories of another number of features")
    require(np.array_equal(segments, np.cumsum([0, *sizes])), "the categories don't fit together")
    require(len(order) == sum(sizes), "the categories have another order")
    widths = np.repeat(sizes, sizes)
    require(((order >= 0) & (order < widths)).all(), "the order of categories is out of range")


def _check_column(column: Json, array: Callable[[Json, str], Array]) -> int:
    if not isinstance(column, dict):
        raise bad(KIND, "the categories of a feature are malformed")
    values = array(column.get("values"), "i")
    if "offsets" not in column:
        kind = column.get("type")
        require(type(kind) is int and 0 <= kind < 16, "categories have an unknown type")
        return len(values)
    offsets = array(column["offsets"], "i")
    if not len(offsets):
        require(not len(values), "categories of text have no lengths")
        return 0
    ends = offsets[0] == 0 and offsets[-1] == len(values)
    require(ends and (np.diff(offsets) >= 0).all(), "the lengths of categories don't fit")
    return len(offsets) - 1


def _object(parent: Json, key: str) -> dict[str, Json]:
    value = parent.get(key) if isinstance(parent, dict) else None
    if not isinstance(value, dict):
        raise bad(KIND, f"the model has no {key}")
    return value
