"""Objects into models, as a commit would save them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.core.manifest import plain
from modelyard.core.table import Table
from modelyard.frameworks import framework_of, serializer_of
from modelyard.optimization.state import Model
from modelyard.registry.examples import kept_example

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from modelyard.frameworks import Saved

__all__ = ["canonical", "described", "model_of_files", "model_of_object"]

_LINES = 400
_ROOM = 24_000
"""Bytes of JSON that each part of a description may take."""
_EXAMPLE = 5


def model_of_object(
    obj: Any,
    folder: Path,
    *,
    like: Model,
    example: Table | None = None,
    serializer: str | None = None,
) -> Model:
    """Save an object into an empty folder.

    Args:
        like: What it was made from: its serializer is taken if that fits, and its signature and
            example if nothing better is known.
        example: Rows that it takes: five of them tell its signature. They are kept nowhere, for who
            may read a version may not always read its data.

    Raises:
        InvalidInput: `not-savable`.
    """
    framework = framework_of(obj)
    if serializer is None and like.saved.framework == framework.NAME:
        serializer = like.saved.serializer
    rows = None if example is None else example.take(slice(0, _EXAMPLE))
    saved = framework.save(obj, folder, serializer_of(framework, serializer), rows)
    signature = framework.signature(obj, rows) or like.signature
    return Model(
        folder=folder, saved=_with_structure(saved, framework.structure(obj)), signature=signature,
        example=_example(obj, signature, like), trust=like.trust,
    )  # fmt: skip


def _with_structure(saved: Saved, lines: Sequence[str]) -> Saved:
    """As a version keeps it: later passes see the steps of a pipeline without loading it."""
    kept = list(lines[:_LINES])
    room = len(canonical(kept)) <= _ROOM
    return replace(saved, details={**saved.details, "structure": kept}) if room else saved


def model_of_files(
    folder: Path,
    saved: Saved,
    *,
    like: Model,
    signature: Mapping[str, Any] | None = None,
) -> Model:
    """Files that a pass wrote itself."""
    return Model(
        folder=folder, saved=saved, signature=signature or like.signature, example=like.example,
        trust=like.trust,
    )  # fmt: skip


def _example(obj: Any, signature: Mapping[str, Any] | None, like: Model) -> Any:
    """The one of what it was made from, if that fits; else rows of nothing; never rows of data.

    None where it does not take rows of nothing: a category may have to be one that it knows.
    """
    if like.example is not None and _inputs(signature) == _inputs(like.signature):
        return like.example
    try:
        rows = Table({name: _blank(dtype, sides) for name, dtype, sides in _inputs(signature)})
        framework_of(obj).signature(obj, rows)
    except Exception:  # made-up rows may be refused in any way
        return None
    return kept_example(rows, signature)


def _inputs(signature: Mapping[str, Any] | None) -> list[tuple[str, str, tuple[int, ...]]]:
    """Names, dtypes, and shapes of a row."""
    entries = (signature or {}).get("inputs") or ()
    return [(str(e["name"]), str(e["dtype"]), tuple(e["shape"])[1:]) for e in entries]


def _blank(dtype: str, sides: tuple[int, ...]) -> np.ndarray[Any, Any]:
    shape = (2, *(max(side, 1) for side in sides))
    if dtype == "string":
        return np.full(shape, "", object)
    return np.zeros(shape, "datetime64[us]" if dtype == "datetime" else dtype)


def described(model: Model) -> dict[str, Any]:
    """What a manifest says of a model beside its files: `params`, `structure`, `environment`."""
    from modelyard.registry.origin import environment

    obj = model.load()
    framework = framework_of(obj)
    optimizer = {f"optimizer.{key}": value for key, value in framework.optimizer(obj).items()}
    found = {
        "params": plain({**framework.params(obj), **optimizer}),
        "structure": list(framework.structure(obj)[:_LINES]),
        "environment": environment(),
    }
    return {name: value for name, value in found.items() if len(canonical(value)) <= _ROOM}


def canonical(value: Any) -> str:
    """JSON with one spelling, for keys and digests."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
