"""Rows for models that come without data: enough to compare a model with what it was."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.errors import InvalidInput, ModelyardError
from modelyard.formats import inspect
from modelyard.optimization.tensors_alone import is_tensors_alone, places

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from modelyard.optimization.state import Model

__all__ = ["write_made_up_rows"]

_ROWS, _LEAST = 96, 24
_SIDE = 32
"""What an axis of no known length gets."""
_MOST = 50_000_000
"""Numbers in all."""


def write_made_up_rows(model: Model, path: Path, *, seed: int) -> None:
    """Write an NPZ file of normally distributed numbers, as the model's signature has its inputs.

    Of tensors without a module, the places where they are compared.

    InvalidInput: `needs-data`: it takes text, or nobody knows what it takes; or so many numbers a
    row that the rows would fill the memory.
    """
    inputs = (model.signature or _signature(model) or {}).get("inputs") or ()
    sides = {str(each["name"]): _sides(each) for each in inputs}
    rows = _rows(sum(map(math.prod, sides.values())))
    rng = np.random.default_rng([seed, 7])
    columns: dict[str, np.ndarray[Any, Any] | None] = {
        name: _column(str(each["dtype"]), (rows, *sides[name]), rng)
        for each in inputs if (name := str(each["name"]))
    }  # fmt: skip
    if is_tensors_alone(model):
        columns = dict(places().columns)
    if not columns or any(column is None for column in columns.values()):
        raise InvalidInput(
            "needs-data", "nobody knows what rows this version takes",
            hint="--data FILE with some hundred of them, and --target COL if the truth is known",
        )  # fmt: skip
    with path.open("wb") as stream:
        np.savez(stream, allow_pickle=False, **{k: v for k, v in columns.items() if v is not None})


def _sides(entry: Mapping[str, Any]) -> tuple[int, ...]:
    return tuple(int(side) if side and side > 0 else _SIDE for side in list(entry["shape"])[1:])


def _rows(numbers: int) -> int:
    """How many there may be of so many numbers each."""
    found = min(_ROWS, _MOST // max(numbers, 1))
    if found < _LEAST:
        raise InvalidInput(
            "needs-data", f"rows of {numbers:,} numbers are too large to be made up",
            hint="--data FILE with some hundred of them",
        )  # fmt: skip
    return found


def _column(
    kind: str, shape: tuple[int, ...], rng: np.random.Generator
) -> np.ndarray[Any, Any] | None:
    if kind.startswith("float"):
        return rng.standard_normal(shape).astype("float32")
    if kind.startswith(("int", "uint")):
        return rng.integers(0, 10, shape).astype("int64")
    if kind == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    return None


def _signature(model: Model) -> Mapping[str, Any] | None:
    for path in sorted(model.folder.rglob("*")):
        if path.is_file():
            try:
                with path.open("rb") as stream:
                    found = inspect(stream, path.name, scan=False).metadata.get("signature")
            except ModelyardError:
                continue
            if found:
                return dict(found)
    return None
