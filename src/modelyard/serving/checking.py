"""Whether tensors are what a version takes, in the words that clients of the protocol know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from modelyard.errors import InvalidInput
from modelyard.serving.oip.datatypes import datatype_of, name_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelyard.runtimes.tensors import TensorSpec
    from modelyard.serving.interface import Array, Served

__all__ = ["check_feeds", "check_outputs"]

_NUMBERS: Final = {np.dtype(code).name: np.dtype(code).num for code in "?bBhHiIlqefdLQ"} | {
    "uint64": np.dtype("u8").num,
    "int64": np.dtype("i8").num,
}
"""Numpy's numbers of dtypes: their names take a microsecond. Text always goes the longer way."""
_ANY: Final = (-1,)


def check_feeds(name: str, served: Served, feeds: dict[str, Array]) -> int:
    """Bring tensors into the form that the version takes, and count their rows.

    Args:
        name: Of the model, as the client knows it.
        feeds: Changed where text or a narrower number has to become what is taken.

    Raises:
        InvalidInput: `bad-inputs`: a name, a datatype or a shape is wrong.
    """
    specs = served.inputs
    rows: int | None = None
    for spec in specs:
        array = feeds.get(spec.name)
        if array is None:
            if spec.optional:
                continue
            raise _missing(name, specs, feeds)
        if array.dtype.num != _NUMBERS.get(spec.dtype):
            array = feeds[spec.name] = _cast(name, served, spec, array)
        shape = array.shape
        wanted = spec.shape
        usual = shape[1:] == wanted[1:] and wanted[:1] == _ANY and shape
        if not usual and not _fits(shape, wanted):
            if not (served.columns and len(shape) == 2 and shape[1] == 1 and len(spec.shape) == 1):
                raise InvalidInput(
                    "bad-inputs",
                    f"unexpected shape for input '{spec.name}' for model '{name}'. Expected"
                    f" {_written(spec.shape)}, got {_written(shape)}",
                )
            array = feeds[spec.name] = array.reshape(-1)
        if served.rows:
            if rows is None:
                rows = len(array)
            elif len(array) != rows:
                raise InvalidInput(
                    "bad-inputs",
                    f"input '{spec.name}' batch size does not match other inputs for '{name}':"
                    f" {len(array)} rows, and {rows} before",
                )
    if len(feeds) > len(specs) or not {spec.name for spec in specs} >= feeds.keys():
        raise _unexpected(name, specs, feeds)
    return 1 if rows is None else rows


def check_outputs(name: str, served: Served, wanted: Sequence[str]) -> None:
    """InvalidInput: `no-output`."""
    known = {spec.name for spec in served.outputs}
    for output in wanted:
        if output not in known:
            raise InvalidInput(
                "no-output", f"unexpected inference output '{output[:80]}' for model '{name}'",
                hint=f"it gives {', '.join(sorted(known))}",
            )  # fmt: skip


def _fits(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    if len(shape) != len(wanted):
        return False
    return all(b in (-1, a) for a, b in zip(shape, wanted, strict=True))


def _written(shape: tuple[int, ...]) -> str:
    return "[" + ",".join(map(str, shape)) + "]"


def _cast(name: str, served: Served, spec: TensorSpec, array: Array) -> Array:
    """Text from bytes, and for what is no graph with fixed types: numbers that lose nothing."""
    given, wanted = datatype_of(array), name_of(spec.dtype)
    if wanted == "BYTES" and given == "BYTES":
        return array if spec.dtype not in ("string", "bytes") else _texts(spec, array)
    if served.framework != "onnx" and _is_safe(array.dtype, spec.dtype):
        return array.astype(spec.dtype)
    raise InvalidInput(
        "bad-inputs",
        f"inference input '{spec.name}' data-type is '{given}', but model '{name}' expects"
        f" '{wanted}'",
    )


def _is_safe(dtype: np.dtype[Any], wanted: str) -> bool:
    """Whether every value, or but for digits of large whole numbers, is kept."""
    try:
        goal = np.dtype(wanted)
    except TypeError:
        return False
    return np.can_cast(dtype, goal, "safe") or (dtype.kind in "iufb" and goal.kind == "f")


def _texts(spec: TensorSpec, array: Array) -> Array:
    items = array.ravel().tolist()
    wants_text = spec.dtype == "string"
    found = np.empty(len(items), object)
    try:
        found[:] = [
            item.decode() if wants_text and isinstance(item, bytes)
            else item.encode() if not wants_text and isinstance(item, str)
            else item
            for item in items
        ]  # fmt: skip
    except UnicodeDecodeError:
        raise InvalidInput("bad-inputs", f"an element of input '{spec.name}' is no UTF-8") from None
    return found.reshape(array.shape)


def _missing(name: str, specs: Sequence[TensorSpec], feeds: dict[str, Array]) -> InvalidInput:
    needed = [spec.name for spec in specs if not spec.optional]
    lacking = [one for one in needed if one not in feeds]
    unknown = [one for one in feeds if one not in {spec.name for spec in specs}]
    if unknown and len(feeds) >= len(needed):
        return _unexpected(name, specs, feeds)
    return InvalidInput(
        "bad-inputs",
        f"expected {len(needed)} inputs but got {len(feeds)} inputs for model '{name}'. Got"
        f" input(s) {[one[:80] for one in feeds][:20]}, but missing required input(s)"
        f" {lacking[:20]}. Please provide all required input(s).",
    )


def _unexpected(name: str, specs: Sequence[TensorSpec], feeds: dict[str, Array]) -> InvalidInput:
    known = [spec.name for spec in specs]
    unknown = next(one for one in feeds if one not in known)
    return InvalidInput(
        "bad-inputs",
        f"unexpected inference input '{unknown[:80]}' for model '{name}'",
        hint=f"it takes {', '.join(known[:20])}",
    )
