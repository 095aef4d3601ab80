"""Rows to try a version with: those that were stored with it, or made from what it takes."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from modelyard.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from modelyard.runtimes.tensors import Array, TensorSpec

__all__ = ["EXAMPLE_PATH", "example_of", "made_example", "put_example"]

EXAMPLE_PATH: Final = ".modelyard/example.json"
"""Where the manifest's example lies beside a version's files while it is served."""
_LARGEST: Final = 4 << 20
_MADE_ROWS: Final = 2
_ELEMENTS: Final = 4 << 20
_SIDES: Final = (1, 8, 64, 224, 512)


def put_example(folder: Path, example: Mapping[str, Any] | None) -> bool:
    """Put the example of a version's manifest beside its files; whether there is one."""
    if not example:
        return False
    place = folder / EXAMPLE_PATH
    place.parent.mkdir(exist_ok=True)
    place.write_text(json.dumps(example), encoding="utf-8")
    return True


def example_of(
    folder: Path,
    signature: Any,
    specs: Sequence[TensorSpec],
    ask: Callable[[Mapping[str, Array]], object] | None = None,
) -> Mapping[str, Array] | None:
    """Inputs for a version: stored ones if they fit what it takes, else made ones.

    Args:
        folder: The version's files.
        signature: Of the version.
        specs: What it takes.
        ask: Asked with what was made: where sides may vary, longer ones are tried until it does
            not raise InvalidInput.

    Returns:
        None if nothing can be made.
    """
    stored = _stored(folder / EXAMPLE_PATH)
    if stored is not None:
        fitting = _fitted(stored, specs)
        if fitting is not None:
            return fitting
    del signature
    first = made_example(specs)
    if ask is None or first is None or not any(-1 in spec.shape[1:] for spec in specs):
        return first
    for side in _SIDES:  # pictures and sounds are not one point long
        made = made_example(specs, side=side)
        try:
            if made is not None:
                ask(made)
                return made
        except InvalidInput:
            continue
    return first


def made_example(
    specs: Sequence[TensorSpec], rows: int = _MADE_ROWS, side: int = 1
) -> dict[str, Array] | None:
    """Numbers between 0 and 1, and short texts: always the same.

    Args:
        side: Length of sides that may vary, but for rows.
    """
    try:
        return {spec.name: _made(spec, rows, side) for spec in specs if not spec.optional}
    except (MemoryError, TypeError, ValueError):
        return None


def _stored(path: Path) -> dict[str, tuple[str, Any]] | None:
    """`{"inputs": [{"name", "dtype", "shape", "data"}]}` as names, dtypes and arrays."""
    try:
        if path.stat().st_size > _LARGEST:
            return None
        content = json.loads(path.read_bytes())
        found = {}
        for entry in content["inputs"]:
            dtype = str(entry["dtype"])
            shape = tuple(int(side) for side in entry["shape"])
            data = np.array(entry["data"], object).reshape(shape)
            found[str(entry["name"])] = (dtype, data)
    except (OSError, LookupError, RecursionError, TypeError, ValueError):
        return None
    return found or None


def _fitted(
    stored: Mapping[str, tuple[str, Any]], specs: Sequence[TensorSpec]
) -> dict[str, Array] | None:
    """The stored rows as these inputs; None if they aren't for them."""
    try:
        needed = [spec for spec in specs if not spec.optional]
        if all(spec.name in stored for spec in needed):
            return {spec.name: _shaped(stored[spec.name][1], spec) for spec in needed}
        if len(needed) != 1:
            return None
        arrays = [array for _, array in stored.values()]
        if len(arrays) == 1:
            return {needed[0].name: _shaped(arrays[0], needed[0])}
        flat = [array.reshape(len(array), -1) for array in arrays]
        return {needed[0].name: _shaped(np.concatenate(flat, axis=1), needed[0])}
    except (TypeError, ValueError):
        return None


def _shaped(array: Array, spec: TensorSpec) -> Array:
    """ValueError, TypeError: it is none for this input."""
    if array.ndim != len(spec.shape):
        array = array.reshape(-1, 1) if array.ndim == 1 else array.reshape(-1)
    fits = len(array.shape) == len(spec.shape) and all(
        wanted in (-1, side) for side, wanted in zip(array.shape, spec.shape, strict=True)
    )
    if not fits:
        raise ValueError("shape")
    if spec.dtype in ("string", "bytes"):
        texts = ["" if item is None else str(item) for item in array.ravel().tolist()]
        found = np.empty(len(texts), object)
        found[:] = texts
        return found.reshape(array.shape)
    if spec.dtype.startswith("float"):
        items = [np.nan if item is None else item for item in array.ravel().tolist()]
        return np.array(items, spec.dtype).reshape(array.shape)
    return array.astype(spec.dtype)


def _made(spec: TensorSpec, rows: int, free: int) -> Array:
    if spec.shape and spec.shape[0] >= 0:
        free = rows  # as in a state that goes with a batch
    shape = [side if side >= 0 else free for side in spec.shape]
    if spec.shape and spec.shape[0] < 0:
        shape[0] = rows
    count = math.prod(shape)
    if count > _ELEMENTS:
        raise ValueError("too large to try")
    if spec.dtype in ("string", "bytes"):
        return np.full(shape, "a" if spec.dtype == "string" else b"a", object)
    if spec.dtype.startswith("float"):
        return ((np.arange(count) % 7 + 1) / 8).astype(spec.dtype).reshape(shape)
    return (np.arange(count) % 2).astype(spec.dtype).reshape(shape)
