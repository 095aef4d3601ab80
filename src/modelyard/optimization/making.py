"""Objects into models, as a commit would save them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from modelyard.core.manifest import plain
from modelyard.frameworks import framework_of, serializer_of
from modelyard.optimization.state import Model
from modelyard.registry.examples import kept_example

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from modelyard.core.table import Table
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
        example: Rows that it takes; the first five are used.

    Raises:
        InvalidInput: `not-savable`.
    """
    framework = framework_of(obj)
    if serializer is None and like.saved.framework == framework.NAME:
        serializer = like.saved.serializer
    rows = None if example is None else example.take(slice(0, _EXAMPLE))
    saved = framework.save(obj, folder, serializer_of(framework, serializer), rows)
    signature = framework.signature(obj, rows) or like.signature
    kept = kept_example(rows, signature) if rows is not None else None
    return Model(
        folder=folder, saved=saved, signature=signature, example=kept or like.example,
        trust=like.trust,
    )  # fmt: skip


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
