"""Graphs that were exported for one row at a time, asked about many."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelyard.runtimes.tensors import Array, TensorRuntime, TensorSpec

__all__ = ["by_rows"]

_LEAST: Final = 1e-3
"""Seconds that the last rows have, however long the others took."""


def by_rows(runtime: TensorRuntime) -> TensorRuntime:
    """The runtime itself; or, if all its tensors have a first side of 1, one that takes rows."""
    sides = [spec.shape[:1] for spec in (*runtime.inputs, *runtime.outputs)]
    if runtime.rows or any(side != (1,) for side in sides):
        return runtime
    return _OneByOne(runtime)


class _OneByOne:
    rows = True
    columns = False

    def __init__(self, runtime: TensorRuntime) -> None:
        self._runtime = runtime
        self.framework, self.platform = runtime.framework, runtime.platform
        self.inputs = tuple(map(_open, runtime.inputs))
        self.outputs = tuple(map(_open, runtime.outputs))
        self.parallel, self.pid = runtime.parallel, runtime.pid
        self.classes = getattr(runtime, "classes", None)

    def run(
        self,
        feeds: Mapping[str, Array],
        outputs: Sequence[str] | None = None,
        seconds: float | None = None,
    ) -> dict[str, Array]:
        until = None if seconds is None else time.monotonic() + seconds
        found = []
        for at in range(len(next(iter(feeds.values())))):
            left = None if until is None else max(_LEAST, until - time.monotonic())
            row = {name: array[at : at + 1] for name, array in feeds.items()}
            found.append(self._runtime.run(row, outputs, left))
        return {name: np.concatenate([each[name] for each in found]) for name in found[0]}

    def close(self) -> None:
        self._runtime.close()


def _open(spec: TensorSpec) -> TensorSpec:
    return replace(spec, shape=(-1, *spec.shape[1:]))
