"""Weights as 16-bit floats, widened again when the graph is loaded: half the size, same speed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.errors import Unsupported
from modelyard.frameworks.onnx.naming import names_of
from modelyard.frameworks.onnx.walking import library
from modelyard.optimization.passes.onnx.names import free
from modelyard.optimization.passes.onnx.weights import replaced, weights_of

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["halved"]

_BFLOAT16 = 13
"""The first opset whose Cast takes it."""


def halved(proto: Any, dtype: str, keep: Collection[str] = ()) -> tuple[Any, int]:
    """A copy with weights of `float16` or `bfloat16`, and how many were changed.

    A Cast follows each: ONNX Runtime does it once, when it loads the graph. Weights that float16
    can't hold (above 65,504; bfloat16: the very largest) stay as they are.

    Raises:
        Unsupported: `not-improvable`: operators of the graph are older than bfloat16.
    """
    onnx = library()
    opset = next((o.version for o in proto.opset_import if o.domain in ("", "ai.onnx")), 0)
    if dtype == "bfloat16" and 0 < opset < _BFLOAT16:
        raise Unsupported(
            "not-improvable",
            f"operators of opset {opset} know no bfloat16: those of 13 do",
            hint="take kind float16 or weights",
        )  # fmt: skip
    kind = onnx.TensorProto.FLOAT16 if dtype == "float16" else onnx.TensorProto.BFLOAT16
    found = onnx.ModelProto()
    found.CopyFrom(proto)
    taken = names_of(found)
    count = 0
    for weight in weights_of(found, keep=keep, sides=1):
        values = weight.array()
        if dtype == "float16":
            with np.errstate(over="ignore"):
                short = values.astype(np.float16)
            if not np.isfinite(short).all():
                continue
            raw = short.tobytes()
        else:
            upper = _bfloat16(values)
            if (np.isinf(_widened(upper)) & np.isfinite(values)).any():
                continue
            raw = upper.tobytes()
        stored = onnx.TensorProto(
            name=free(f"{weight.name}_half", taken), data_type=kind, dims=weight.dims, raw_data=raw
        )
        cast = onnx.helper.make_node(
            "Cast", [stored.name], [weight.name], name=f"{weight.name}_wide",
            to=onnx.TensorProto.FLOAT,
        )  # fmt: skip
        replaced(weight, [stored], [cast])
        count += 1
    return found, count


def _bfloat16(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The upper half of float32, rounded to the nearest, ties to even."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    odd = np.isnan(values)
    found: np.ndarray[Any, Any] = np.where(odd, 0x7FC0, rounded).astype(np.uint16)
    return found


def _widened(upper: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return (upper.astype(np.uint32) << 16).view(np.float32)
