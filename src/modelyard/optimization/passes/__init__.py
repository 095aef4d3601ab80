"""Steps of improvement. A pass and its libraries are imported when it is first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

from modelyard.errors import InvalidInput
from modelyard.optimization.passes.interface import Choice, Made, Option, Pass, Range

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["NAMES", "Choice", "Made", "Option", "Pass", "Range", "all_passes", "pass_named"]

NAMES = {
    # algorithm
    "refit": "tables.refit",
    "tune": "tables.tune",
    "choose": "tables.choose",
    "combine": "tables.combine",
    # data
    "clean": "data.clean",
    "relabel": "data.relabel",
    "encode": "data.encode",
    "features": "data.features",
    "select": "data.select",
    "balance": "data.balance",
    "augment": "data.augment",
    # model: networks
    "finetune": "torch.finetune",
    "prune": "torch.prune",
    "factorize": "torch.factorize",
    "distil": "torch.distil",
    "soup": "torch.soup",
    "cast": "weights.cast",
    # model: trees
    "trim": "trees.trim",
    "shrink": "trees.shrink",
    # model: graphs
    "to-onnx": "onnx.convert",
    "graph": "onnx.graph",
    "quantize": "onnx.quantize",
    # model: Keras
    "keras-distil": "keras.distil",
    "keras-prune": "keras.prune",
    "keras-quantize": "keras.quantize",
    "to-litert": "keras.litert",
}
"""Every pass by its name, and the module of this folder that has it as `PASS`."""


def pass_named(name: str) -> Pass:
    """InvalidInput: `no-pass`."""
    if name not in NAMES:
        raise InvalidInput(
            "no-pass", f"there is no pass {name[:40]!r}", hint=f"one of {', '.join(NAMES)}"
        )
    module = import_module(f"modelyard.optimization.passes.{NAMES[name]}")
    return cast("Pass", module.PASS)


def all_passes() -> Iterator[Pass]:
    """In the order of `NAMES`, which is one in which they can follow each other."""
    return map(pass_named, NAMES)
