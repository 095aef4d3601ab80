"""What every format gives, and how much work it may do for it.

Nothing here reads a file. A format is a module of this folder that is imported on first use,
because most commands touch one or two of them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np

    from modelyard.core.tensor import TensorInfo
    from modelyard.core.version import Finding

__all__ = ["Budget", "Format", "Inspection", "ReadsTensors"]


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a file tells of itself without being loaded."""

    format: str
    """A word of the glossary: `safetensors`, `onnx`, ...; else `text`, `zip` or `unknown`."""
    framework: str | None = None
    """`sklearn`, `torch`, ..., when the file tells."""
    tensors: tuple[TensorInfo, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Small and JSON-able. `signature` holds inputs and outputs, `external` other files."""
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Budget:
    """How much one inspection may cost, so that no file can hold up or exhaust the process.

    A scan that hits a limit tells so with the finding `scan-incomplete`; a header that hits one
    is refused.
    """

    seconds: float = 0.9
    max_header: int = 100_000_000
    """Bytes of a header that is read as a whole."""
    max_memory: int = 120_000_000
    """What parsed JSON may occupy, estimated before it is parsed."""
    max_ops: int = 20_000_000
    """Opcode bytes of all pickles of a file."""
    max_nodes: int = 1_000_000
    """Values that simulated pickle stacks, memos and containers hold together."""
    max_tensors: int = 100_000
    max_depth: int = 64
    max_output: int = 256_000_000
    """Bytes that decompression may give."""
    clock: Callable[[], float] = time.thread_time
    """By default the thread's processor time: a busy machine refuses no honest file."""
    deadline: float = float("inf")
    """Time of `clock` at which `seconds` are over; set by `begun`."""

    def begun(self) -> Budget:
        """The same budget with its clock running."""
        return replace(self, deadline=self.clock() + self.seconds)

    @property
    def spent(self) -> bool:
        return self.clock() > self.deadline


class Format(Protocol):
    """A module that opens one format. `detect` says which module a file belongs to."""

    def inspect(self, file: BinaryIO, path: str, budget: Budget) -> Inspection:
        """Read the structure; raise `InvalidInput` where it contradicts itself or the file."""
        ...


class ReadsTensors(Protocol):
    """A format whose tensors may lie compressed or scattered, so that it must read them itself."""

    def read(self, file: BinaryIO, inspection: Inspection, tensor: TensorInfo) -> np.ndarray:
        """The values of one tensor that has no byte range."""
        ...
