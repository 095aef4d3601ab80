"""What is written on an ONNX model beside its graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from modelyard.errors import InvalidInput
from modelyard.frameworks.onnx.walking import graphs, library

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.core.table import Table
    from modelyard.frameworks.interface import Json

__all__ = ["fit", "optimizer", "params", "set_optimizer", "set_params"]

_META, _DIM = "metadata__", "dim__"
_READ = ("producer_name", "producer_version", "domain", "ir_version", "model_version")
_TEXT = 1_000_000


def params(obj: Any) -> dict[str, Json]:
    """`doc_string`, `metadata__KEY`, `dim__NAME` (a free dimension); the rest is for reading."""
    found: dict[str, Json] = {name: getattr(obj, name) for name in _READ}
    for opset in obj.opset_import:
        key = "opset" if opset.domain in ("", "ai.onnx") else f"opset__{opset.domain}"
        found[key] = opset.version
    found["doc_string"] = obj.doc_string
    found |= {f"{_META}{entry.key}": entry.value for entry in obj.metadata_props}
    return found | {f"{_DIM}{name}": name for name in sorted(_free(obj))}


def _dims(obj: Any) -> list[Any]:
    """Every dimension of every value that says its shape."""
    return [
        dim
        for graph in graphs(obj.graph)
        for value in (*graph.input, *graph.output, *graph.value_info)
        for dim in value.type.tensor_type.shape.dim
    ]


def _free(obj: Any) -> set[str]:
    return {dim.dim_param for dim in _dims(obj) if dim.dim_param}


def set_params(obj: Any, changes: Mapping[str, Json]) -> Any:
    """A copy with other metadata; None takes an entry away.

    Raises:
        InvalidInput: `no-param`, `bad-param`.
    """
    free = _free(obj)
    for name, value in changes.items():
        _check(name, value, free)
    model = library().ModelProto()
    model.CopyFrom(obj)
    for name, value in changes.items():
        if name == "doc_string":
            model.doc_string = value or ""
        elif name.startswith(_META):
            _set_metadata(model, name.removeprefix(_META), value)
    renames = {n.removeprefix(_DIM): v for n, v in changes.items() if n.startswith(_DIM)}
    for dim in _dims(model) if renames else ():
        if dim.dim_param in renames:
            dim.dim_param = renames[dim.dim_param]
    return model


def _check(name: str, value: Json, free: set[str]) -> None:
    dims = ", ".join(f"{_DIM}{dim}" for dim in sorted(free)[:20])
    hint = f"there are doc_string, {_META}KEY" + (f", {dims}" if dims else "")
    is_dim = name.startswith(_DIM)
    known = name == "doc_string" or name.removeprefix(_META) not in ("", name)
    if not known and not (is_dim and name.removeprefix(_DIM) in free):
        raise InvalidInput("no-param", f"an ONNX model has no {name[:60]!r} to set", hint=hint)
    if is_dim and (not isinstance(value, str) or not value or "\0" in value):
        raise InvalidInput("bad-param", f"{value!r:.60} is no name of a dimension")
    if value is not None and (not isinstance(value, str) or len(value) > _TEXT):
        raise InvalidInput("bad-param", f"{name[:60]} takes text, not {value!r:.60}")


def _set_metadata(model: Any, key: str, value: str | None) -> None:
    kept = [(e.key, e.value) for e in model.metadata_props if e.key != key]
    if value is not None:
        kept.append((key, value))
    del model.metadata_props[:]
    for name, text in kept:
        model.metadata_props.add(key=name, value=text)


def optimizer(obj: Any) -> dict[str, Json]:
    """None: an ONNX graph is not trained here."""
    del obj
    return {}


def set_optimizer(obj: Any, changes: Mapping[str, Json]) -> NoReturn:
    """InvalidInput: `no-optimizer`."""
    del obj, changes
    raise InvalidInput(
        "no-optimizer", "an ONNX model has no optimizer",
        hint="change the model that it was exported from, and commit its export",
    )  # fmt: skip


def fit(obj: Any, inputs: Table, target: Any, *, epochs: int | None, seed: int) -> NoReturn:
    """InvalidInput: `no-fit`."""
    del obj, inputs, target, epochs, seed
    raise InvalidInput(
        "no-fit", "an ONNX model can't be trained",
        hint="train the model that it was exported from, and commit its export",
    )  # fmt: skip
