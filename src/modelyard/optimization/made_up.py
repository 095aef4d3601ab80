"""Rows for models that come without data: enough to compare a model with what it was."""

from __future__ import annotations

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

_ROWS = 96
_SIDE = 32
"""What an axis of no known length gets."""
_MOST = 50_000_000
"""Numbers in all."""


def write_made_up_rows(model: Model, path: Path, *, seed: int) -> None:
    """Write an NPZ file of normally distributed numbers, as the model's signature has its inputs.

    Of tensors without a module, the places where they are compared.

    InvalidInput: `needs-data`: it takes text, or nobody knows what it takes.
    """
    inputs = (model.signature or _signature(model) or {}).get("inputs") or ()
    rng = np.random.default_rng([seed, 7])
    columns: dict[str, np.ndarray[Any, Any] | None]
    columns = {str(each["name"]): _column(each, rng) for each in inputs}
    if is_tensors_alone(model):
        columns = dict(places().columns)
    if not columns or any(column is None for column in columns.values()):
        raise InvalidInput(
            "needs-data", "nobody knows what rows this version takes",
            hint="--data FILE with some hundred of them, and --target COL if the truth is known",
        )  # fmt: skip
    with path.open("wb") as stream:
        np.savez(stream, allow_pickle=False, **{k: v for k, v in columns.items() if v is not None})


def _column(entry: Mapping[str, Any], rng: np.random.Generator) -> np.ndarray[Any, Any] | None:
    sides = [int(side) if side and side > 0 else _SIDE for side in list(entry["shape"])[1:]]
    rows = max(24, min(_ROWS, _MOST // max(int(np.prod(sides)), 1)))
    kind = str(entry["dtype"])
    if kind.startswith("float"):
        return rng.standard_normal((rows, *sides)).astype("float32")
    if kind.startswith(("int", "uint")):
        return rng.integers(0, 10, (rows, *sides)).astype("int64")
    if kind == "bool":
        return rng.integers(0, 2, (rows, *sides)).astype(bool)
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
