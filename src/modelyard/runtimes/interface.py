"""What every runtime gives: predictions of one loaded version, as named arrays.

A runtime is a module of this folder with a function `open(obj, saved) -> Runtime`, where `obj` is
what the framework of the same name loaded. Evaluation, explanation, serving and improvement ask
models only through it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

if TYPE_CHECKING:  # numpy starts threads, and a sandbox must be entered before there are any
    from collections.abc import Mapping

    import numpy as np

    from modelyard.core.table import Table

__all__ = ["About", "Array", "Prediction", "Runtime", "RuntimeModule", "why_no_output"]

Array: TypeAlias = "np.ndarray[Any, Any]"


_NUMBERS: Final = frozenset({"probability", "prediction", "embedding"})
"""Outputs that are numbers, whatever the model."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model said of some rows. The first axis of every array is the row."""

    outputs: Mapping[str, Array]
    """By name. Where a runtime knows what they mean: `label` (the class, of the dtype that the
    model was fitted with), `probability` (rows x classes), `prediction` (a number), `embedding`.
    Else as the model names them."""
    seconds: float = 0.0
    """Time that the model itself took, by the wall clock."""


@dataclass(frozen=True, slots=True)
class About:
    """What is known of a runtime before it predicts."""

    framework: str
    task: str | None = None
    """`classification`, `regression`, `embedding`, or None where the model does not tell."""
    classes: Array | None = None
    """The classes in the order of `probability`'s columns."""
    features: tuple[str, ...] | None = None
    """Names of the columns that it was fitted with; None if it takes them by position."""
    signature: Any = None
    extra: Mapping[str, Any] = field(default_factory=dict)


class Runtime(Protocol):
    """One loaded version. Close it, or use it in a `with` statement."""

    about: About

    def predict(self, inputs: Table) -> Prediction:
        """Ask for all rows at once.

        Columns are taken by name where the model knows names, else all of them in their order.

        Raises:
            InvalidInput: `no-column`, `not-numeric`, `bad-inputs`: the model can't take them.
        """

    def close(self) -> None: ...


class RuntimeModule(Protocol):
    """A module of this folder."""

    def open(self, obj: Any, signature: Any) -> Runtime:
        """Make a loaded object answer."""


def why_no_output(name: str, array: Array, rows: int) -> str | None:
    """What keeps an array from being an output of so many rows; None if nothing does."""
    if array.ndim == 0 or len(array) != rows:
        got = "a single value" if array.ndim == 0 else f"{len(array)}"
        return f"expected a row of {name!r} for each of {rows} rows, got {got}"
    if array.dtype.kind not in ("biuf" if name in _NUMBERS else "biufcmMSUO"):
        return f"{name!r} has values of type {array.dtype}"
    return None
