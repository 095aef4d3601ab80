"""Which options recipes may give each pass, and what they may be: all others are refused.

Trials choose among those of `Pass.options`. These are all that a pass asks for when it runs: with
what only a recipe says, and what a pass chose once and a published recipe says again.
"""

from __future__ import annotations

import difflib
import math
from typing import TYPE_CHECKING, Any, Final

from modelyard.errors import InvalidInput
from modelyard.optimization.passes.allowed import (
    Allowed,
    Anything,
    Either,
    ListOf,
    Number,
    OneOf,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["BY_MODEL", "TAKES", "check_name", "check_value", "given_values", "text_hint"]

Json = Any

_BOOL: Final = OneOf((True, False))
_SHARE: Final = Number(0, 1)
_BATCH: Final = Number(1, 4096, whole=True)
_EPOCHS: Final = Number(1, 10_000, whole=True)
_EPOCHS_AFTER: Final = Number(0, 1000, whole=True)
_ROUNDS: Final = Number(1, 20, whole=True)
_RATE: Final = Number(1e-7, 1)
_FILLS: Final = ("median", "mean", "most_frequent", "neighbours")

TAKES: Final[Mapping[str, Mapping[str, Allowed]]] = {
    "refit": {},
    "tune": {"early_stopping_by_valid": _BOOL},
    "choose": {"algorithm": Anything()},
    "combine": {
        "kind": OneOf(("greedy", "vote", "stack")),
        "members": Number(2, 6, whole=True),
        "algorithms": Either((ListOf(str), OneOf((None,)))),
        "weights": Either((ListOf(float), OneOf((None,)))),
    },
    "clean": {
        "missing": OneOf(("keep", *_FILLS)),
        "copies": OneOf(("keep", "drop")),
        "outliers": OneOf(("keep", "drop")),
    },
    "relabel": {"action": OneOf(("drop", "correct"))},
    "encode": {
        "categories": OneOf(("one-hot", "target", "ordinal")),
        "columns": OneOf(("known", "all")),
    },
    "features": {
        "kind": OneOf(("products", "ratios", "together", "times", "squares")),
        "columns": Number(1, whole=True),
    },
    "select": {
        "method": OneOf(("permutation", "information", "l1")),
        "share": Number(0, 1, above=True),
        "keep": Either((ListOf(str), OneOf((None,)))),
    },
    "balance": {
        "method": OneOf(("weights", "over", "smote", "under")),
        "metric": OneOf(("balanced_accuracy", "accuracy")),
    },
    "augment": {
        "kind": OneOf((
            "auto", "noise", "mixup", "shift", "flip", "rotate", "cut-out", "drop-words",
            "swap-words",
        )),
        "strength": Number(0, 1, above=True),
        "copies": Number(1, 10, whole=True),
        "shape": Either((ListOf(float), OneOf((None,)))),
        "epochs": Number(1, whole=True),
    },
    "finetune": {
        "epochs": _EPOCHS, "rate": Number(1e-8, 1), "batch": _BATCH, "decay": _SHARE,
        "patience": Number(1, 1000, whole=True),
    },
    "prune": {
        "kind": OneOf(("magnitude", "structured", "movement")),
        "sparsity": Number(0, 0.999),
        "scope": OneOf(("global", "adaptive", "layer")),
        "rounds": _ROUNDS, "epochs": _EPOCHS_AFTER, "rate": _RATE, "batch": _BATCH,
        "teach": _SHARE,
    },
    "factorize": {
        "energy": Number(0.01, 1), "epochs": _EPOCHS_AFTER, "rate": _RATE, "batch": _BATCH,
        "teach": _SHARE,
    },
    "distil": {
        "width": Number(0.01, 1), "start": OneOf(("pruned", "new")), "epochs": _EPOCHS,
        "rate": _RATE, "batch": _BATCH, "mix": _SHARE, "soft": _SHARE,
        "temperature": Number(0.5, 50),
    },
    "soup": {
        "count": Number(2, 20, whole=True), "rate": Number(1e-8, 1), "batch": _BATCH,
        "epochs": _EPOCHS, "greedy": _BOOL,
    },
    "cast": {
        "dtype": OneOf(("bfloat16", "float16", "float32", "same")),
        "sparsity": Number(0, 1, below=True),
    },
    "trim": {
        "tolerance": _SHARE, "share": Number(0, 1, above=True), "trees": ListOf(float),
        "rounds": Number(1, whole=True),
    },
    "shrink": {"tolerance": _SHARE, "alpha": Number(0, 1e30), "leaves": _SHARE},
    "to-onnx": {"tolerance": Number(0, above=True), "columns": _BOOL},
    "graph": {"level": OneOf(("basic", "extended"))},
    "quantize": {
        "kind": OneOf(("static", "dynamic", "weights", "blocks", "float16", "bfloat16")),
        "bits": OneOf((8, 4)),
        "block": OneOf((16, 32, 64, 128, 256)),
        "keep": Either((Number(0, whole=True), OneOf(("auto",)), ListOf(str))),
        "per_channel": _BOOL,
        "calibration": OneOf(("minmax", "percentile", "entropy")),
        "reduce_range": OneOf((None, True, False)),
        "rows": Number(1, whole=True),
        "fidelity": Number(),
        "adjust": _BOOL,
        "operators": Either((ListOf(str), OneOf((None,)))),
    },
    "keras-distil": {
        "width": Number(0.01, 1), "rate": Number(1e-6, 1), "hard": _SHARE, "epochs": _EPOCHS,
    },
    "keras-prune": {
        "sparsity": Number(0, 0.999), "rounds": _ROUNDS, "epochs": _EPOCHS_AFTER,
    },
    "keras-quantize": {"mode": OneOf(("int8", "int4", "int4-blocks"))},
    "to-litert": {"kind": OneOf(("int8-weights", "int8", "float16", "float32"))},
}  # fmt: skip
"""By pass, then by option."""

BY_MODEL: Final = frozenset({"tune", "choose"})
"""Passes that take other names too: the parameters of what they learn, see `tables.naming`."""


def check_name(name: str, key: str, known: Iterable[str] | None = None) -> None:
    """Whether a pass has an option. InvalidInput: `wrong-recipe`.

    Args:
        known: All options that it has; those of `TAKES` if None.
    """
    there = sorted(TAKES[name] if known is None else known)
    if key in there:
        return
    near = difflib.get_close_matches(key, [*there, "optional"], 1)
    if near:
        hint = f"did you mean {near[0]}?"
    else:
        hint = f"there are {', '.join(there[:30])}" if there else f"{name} takes none but optional"
    raise InvalidInput("wrong-recipe", f"{name} has no option {key[:60]!r}", hint=hint)


def check_value(name: str, key: str, value: Json, allowed: Allowed) -> None:
    """Whether an option can be what a recipe gives. InvalidInput: `wrong-recipe`."""
    if isinstance(value, dict) and {"low", "high"} <= value.keys():
        low, high = value["low"], value["high"]
        if _reaches(low, high, allowed):
            return
        raise _wrong(name, key, f"{low} to {high}", allowed)
    for each in given_values(value):
        if not allowed.takes(each):
            raise _wrong(name, key, repr(each)[:40], allowed, each)


def given_values(value: Json) -> list[Json]:
    """Values that a recipe names, but for ranges: a list is of what trials choose from."""
    return value if isinstance(value, list) else [value]


def _reaches(low: float, high: float, allowed: Allowed) -> bool:
    """Whether trials may choose between two numbers; of some values those in between are meant."""
    if isinstance(allowed, OneOf):
        return bool(allowed.within(low, high))
    return allowed.takes(low) and allowed.takes(high)


def _wrong(name: str, key: str, shown: str, allowed: Allowed, value: Json = None) -> InvalidInput:
    hint = text_hint(value)
    if isinstance(value, str):
        near = difflib.get_close_matches(value, map(str, getattr(allowed, "values", ())), 1)
        hint = f"did you mean {near[0]}?" if near else hint
    return InvalidInput("wrong-recipe", f"{key} of {name} is {allowed}, not {shown}", hint=hint)


def text_hint(value: Json) -> str | None:
    """How to write what was meant as a number, if it was read as text."""
    if not isinstance(value, str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    if not math.isfinite(number):
        return f"{value[:40]} is no number that can be reckoned with"
    return f"YAML takes {value[:40]} for text: write {number!r}"
