"""XGBoost models, as JSON or in its binary twin UBJ: parameters of the learner, not the trees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

from modelyard.core.tensor import TensorInfo
from modelyard.errors import Unsupported
from modelyard.formats.interface import Budget, Inspection
from modelyard.formats.reading import Json, Region, bad, parse_json, printable
from modelyard.formats.ubj import Typed, parse_ubj

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

__all__ = ["inspect", "read"]

KIND = "bad-xgboost"
_WHOLE = 24_000_000
"""Larger JSON models are not parsed: the parameters are found at the end of the file."""
_TAIL = 1 << 18


def inspect(file: BinaryIO, path: str, budget: Budget) -> Inspection:
    """Objective, features, number of trees; of UBJ also where the arrays lie."""
    region = Region(file, kind=KIND)
    if region.upto(0, 4096).lstrip()[:1] == b"{" and b"\0" not in region.upto(0, 64):
        if region.size > _WHOLE:
            return Inspection("xgboost", "xgboost", (), _large(region))
        model = parse_json(region.read(0, region.size), KIND, budget)
        return Inspection("xgboost", "xgboost", (), _metadata(model))
    model = parse_ubj(region, budget)
    return Inspection("xgboost", "xgboost", tuple(_tensors(model, budget)), _metadata(model))


def _large(region: Region) -> dict[str, Json]:
    """Keys are sorted, so what describes the model stands behind its trees."""
    tail = region.read(region.size - _TAIL, _TAIL)
    found: dict[str, Json] = {"complete": False}
    for key in (b"num_feature", b"num_class", b"base_score", b"name"):
        _, mark, rest = tail.rpartition(b'"' + key + b'":"')
        if mark:
            found[key.decode()] = printable(rest.partition(b'"')[0].decode("utf-8", "replace"), 60)
    return found


def _metadata(model: Json) -> dict[str, Json]:
    learner = model.get("learner") if isinstance(model, dict) else None
    if not isinstance(learner, dict):
        raise bad(KIND, "the model has no learner")
    params = _dict(learner.get("learner_model_param"))
    names = learner.get("feature_names")
    booster = _dict(learner.get("gradient_booster"))
    forest = _dict(_dict(booster.get("model")).get("gbtree_model_param"))
    features = _count(params.get("num_feature"))
    return {
        "version": model.get("version") if _small(model.get("version")) else None,
        "objective": _text(_dict(learner.get("objective")).get("name")),
        "booster": _text(booster.get("name")),
        "trees": _count(forest.get("num_trees")),
        "classes": _count(params.get("num_class")),
        "base_score": _text(params.get("base_score")),
        "features": [_text(name) for name in names[:1000]] if isinstance(names, list) else [],
        "signature": {
            "inputs": [{"name": "input", "dtype": "float32", "shape": [None, features]}],
            "outputs": [],
        },
    }


def _dict(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}


def _text(value: Json) -> str | None:
    return printable(value) if isinstance(value, str) else None


def _count(value: Json) -> int | None:
    text = str(value)
    return int(text) if text.isdigit() and len(text) < 12 else None


def _small(value: Json) -> bool:
    return isinstance(value, list) and len(value) < 5 and all(type(part) is int for part in value)


def _tensors(model: Json, budget: Budget) -> list[TensorInfo]:
    """Typed arrays of UBJ. They are big-endian, so only those of single bytes are raw here."""
    found: list[TensorInfo] = []
    for path, typed in _typed(model):
        place = (typed.start, typed.end) if typed.itemsize == 1 and typed.count else ()
        found.append(TensorInfo(path, typed.dtype, (typed.count,), *place))
        if len(found) > budget.max_tensors:
            raise bad(KIND, "the model has too many arrays")
    return found


def _typed(model: Json) -> Iterator[tuple[str, Typed]]:
    todo: list[tuple[str, Json]] = [("", model)]
    while todo:
        path, value = todo.pop()
        if isinstance(value, Typed):
            yield path, value
        elif isinstance(value, dict):
            todo.extend((f"{path}.{key}" if path else key, value[key]) for key in reversed(value))
        elif isinstance(value, list):
            todo.extend((f"{path}.{index}", item) for index, item in reversed([*enumerate(value)]))


def read(file: BinaryIO, inspection: Inspection, tensor: TensorInfo) -> np.ndarray[Any, Any]:
    """An array of a UBJ model, which keeps numbers in the other byte order."""
    import numpy as np

    region = Region(file, kind=KIND)
    for path, typed in _typed(parse_ubj(region, Budget().begun())):
        if path == tensor.name:
            raw = region.read(typed.start, typed.end - typed.start)
            return np.frombuffer(raw, np.dtype(typed.dtype).newbyteorder(">")).astype(typed.dtype)
    raise Unsupported("tensor-opaque", f"there is no array {tensor.name}")
