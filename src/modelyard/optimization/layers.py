"""Tensors as layers: a quantized one stands for the numbers that it is used as.

Names are those that ONNX Runtime's quantizers write: `X_quantized` with `X_scale` and
`X_zero_point`; `X_Q4` (packed by blocks, MatMulNBits) with `X_scales` and `X_zero_points`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelyard.optimization.weights import Weights

    Array = np.ndarray[Any, Any]

__all__ = ["Layer", "layers_of"]

_PACKED = re.compile(r"(?P<name>.+?)(?P<dq>_DQ)?_Q(?P<bits>[248])\Z")


@dataclass(slots=True)
class Layer:
    """A tensor under the name that people know it by."""

    name: str
    weights: Weights
    scale: Array | None = None
    """What its whole numbers are multiplied by: one, one for each channel, or one a block."""
    zero: Array | None = None
    """The whole number that means zero; None: 0."""
    bits: int = 0
    """Of numbers that are packed by blocks."""
    axis: int | None = None
    """Which of its axes has a scale for each place; None: not known yet."""

    @property
    def shape(self) -> tuple[int, ...]:
        return self.weights.shape

    @property
    def dtype(self) -> str:
        return f"uint{self.bits}" if self.bits else self.weights.dtype

    @property
    def elements(self) -> int:
        if self.bits:
            return prod(self.shape) * 8 // self.bits
        return prod(self.shape)

    def axes(self) -> tuple[int, ...]:
        """Those that may be its `axis`, by their length."""
        if self.scale is None or self.scale.ndim != 1 or self.scale.size < 2:
            return ()
        return tuple(i for i, side in enumerate(self.shape) if side == self.scale.size)

    def flat(self, at: int, count: int) -> Array | None:
        """Some of its values, as they are used; None if that can't be told."""
        if self.bits or (self.scale is not None and self.scale.ndim > 1):
            values = self.values()
            return None if values is None else values.reshape(-1)[at : at + count]
        found = self.weights.flat(at, count)
        if found is None or self.scale is None:
            return found
        place: Any = 0
        if self.scale.size > 1:
            if self.axis is None:
                return None
            inner = prod(self.shape[self.axis + 1 :])
            place = np.arange(at, at + len(found)) // inner % self.scale.size
        zero = 0.0 if self.zero is None else self.zero.reshape(-1)[place]
        made: Array = (found - zero) * self.scale.reshape(-1)[place]
        return made

    def values(self, shape: tuple[int, ...] | None = None) -> Array | None:
        """All of its values, as they are used.

        Args:
            shape: Of a packed layer: what it was before it was packed, as (inputs, outputs).
        """
        if self.bits:
            return self._unpacked(shape)
        if self.scale is not None and self.scale.ndim > 1:
            return self._by_blocks()
        found = self.flat(0, self.elements)
        return None if found is None else found.reshape(self.shape)

    def _by_blocks(self) -> Array | None:
        """A scale for each block of rows, as DequantizeLinear has it."""
        assert self.scale is not None
        found = self.weights.values()
        if found is None or found.ndim != self.scale.ndim:
            return None
        scale, zero = self.scale, np.zeros(1) if self.zero is None else self.zero
        for axis, (side, blocks) in enumerate(zip(found.shape, self.scale.shape, strict=True)):
            if side != blocks:
                scale = np.repeat(scale, -(-side // blocks), axis).take(range(side), axis)
                if zero.ndim == scale.ndim:
                    zero = np.repeat(zero, -(-side // blocks), axis).take(range(side), axis)
        return (found - zero) * scale

    def _unpacked(self, shape: tuple[int, ...] | None) -> Array | None:
        """(outputs, blocks, bytes) of MatMulNBits as (inputs, outputs)."""
        raw = self.weights.raw()
        if raw is None or self.scale is None or len(self.shape) != 3 or shape is None:
            return None
        outputs, blocks, _ = self.shape
        numbers = _numbers(raw, self.bits).reshape(outputs, blocks, -1)
        zero: Any = 1 << (self.bits - 1)
        if self.zero is not None:
            packed = self.zero.astype(np.uint8).reshape(-1)
            # each output's zero points begin with a byte of their own
            zero = _numbers(packed, self.bits).reshape(outputs, -1)[:, :blocks, None]
        values = (numbers - zero) * self.scale.reshape(outputs, blocks, 1)
        if len(shape) != 2 or shape[1] != outputs or shape[0] > values[0].size:
            return None
        turned: Array = values.reshape(outputs, -1)[:, : shape[0]].T
        return turned


def layers_of(weights: Sequence[Weights]) -> list[Layer]:
    """Tensors by layer; scales and zero points are part of what they scale."""
    there = {each.name: each for each in weights}
    taken: set[str] = set()
    found = []
    for each in weights:
        layer, parts = _quantized(each, there)
        taken |= parts
        found.append(layer)
    return [layer for layer in found if layer.weights.name not in taken]


def _quantized(weights: Weights, there: dict[str, Weights]) -> tuple[Layer, set[str]]:
    """A layer, and the names of tensors that it needs to be read."""
    name = weights.name
    packed = _PACKED.match(name)
    if name.endswith("_quantized"):
        plain, bits = name.removesuffix("_quantized"), 0
        stem = name if f"{name}_scale" in there else plain  # a bias has them under its new name
        names = (f"{stem}_scale", f"{stem}_zero_point")
    elif packed is not None:
        plain, part = packed["name"], packed["dq"] or ""
        names = (f"{plain}{part}_scales", f"{plain}{part}_zero_points")
        bits = 0 if part else int(packed["bits"])
    else:
        return Layer(name, weights), set()
    scale = there.get(names[0])
    if scale is None or (numbers := scale.values()) is None:
        return Layer(name, weights), set()
    zero = there[names[1]].values() if names[1] in there else None
    layer = Layer(plain, weights, numbers, zero, bits)
    axes = layer.axes()
    layer.axis = axes[0] if len(axes) == 1 else None
    return layer, {each for each in names if each in there}


def _numbers(packed: Array, bits: int) -> Array:
    """Whole numbers of so many bits, the lowest bits first."""
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    return ((packed[:, None] >> shifts) & ((1 << bits) - 1)).reshape(-1).astype(np.float32)
