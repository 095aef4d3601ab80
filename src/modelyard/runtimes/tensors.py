"""Models as services see them: named tensors in, named tensors out. Only the interface.

`opening.open_version` gives one for each framework. Unlike `interface.Runtime`, which takes tables
and knows what outputs mean, nothing here looks at values: it is on the path of every request.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

__all__ = ["Array", "TensorRuntime", "TensorSpec"]

Array: TypeAlias = "np.ndarray[Any, Any]"


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output."""

    name: str
    dtype: str
    """As numpy names it (`float32`, `int64`, `bool`); `string` for text, which comes and goes as
    an object array of `str`; `bytes` where elements are no text."""
    shape: tuple[int, ...]
    """-1 for a side that may vary."""
    optional: bool = False


class TensorRuntime(Protocol):
    """One loaded version. All its methods may be called by several threads."""

    framework: str
    platform: str
    """As the Open Inference Protocol has it: `onnxruntime_onnx`, `sklearn_skops`, ..."""
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    rows: bool
    """Whether the first axis of every input and output is the row, so that requests may be
    joined."""
    parallel: bool
    """Whether it computes without Python's lock, so that threads help."""
    pid: int | None
    """Of the process it lives in, if that is not this one."""
    columns: bool
    """Whether each input is a column of a table (shape [-1]), as with pipelines that take names;
    such inputs may come as [-1, 1] too."""

    def run(
        self,
        feeds: Mapping[str, Array],
        outputs: Sequence[str] | None = None,
        seconds: float | None = None,
    ) -> dict[str, Array]:
        """Predict.

        Args:
            feeds: All inputs that are not optional, with the dtypes and shapes of `inputs` (the
                caller has checked names, dtypes and fixed sides). Arrays may be read-only.
            outputs: Those that are wanted; all if None.
            seconds: In which it is to be done. Only what lives in a process of its own keeps to
                it: who takes longer is ended (`model-timeout`), and has to be loaded again.

        Raises:
            InvalidInput: `bad-inputs`: the model can't take these values.
            Unavailable: `model-died`, `model-timeout`, `model-failed`.
        """

    def close(self) -> None:
        """Free it. It may be called again, and never while `run` is under way."""
