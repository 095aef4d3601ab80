"""8-bit arithmetic: weights and activations as whole numbers, by ONNX Runtime's quantizer.

Static: ranges of activations are measured on rows beforehand. Dynamic: they are measured anew at
each call, which suits MatMul and LSTM; convolutions would become slower.
"""

from __future__ import annotations

import io
import logging
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from modelyard.core.extras import need
from modelyard.errors import Unsupported
from modelyard.frameworks.onnx.naming import names_of, renamed
from modelyard.frameworks.onnx.saving import write
from modelyard.frameworks.onnx.sizes import LIMIT, size_of
from modelyard.frameworks.onnx.walking import library
from modelyard.optimization.passes.onnx.lowbit import with_names
from modelyard.optimization.passes.onnx.names import free
from modelyard.optimization.passes.onnx.protos import EXTRA
from modelyard.optimization.passes.onnx.sessions import reason, simplified

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Array = np.ndarray[Any, Any]

__all__ = ["DYNAMIC", "HEAVY", "STATIC", "Integers", "has_vnni", "ready"]

HEAVY = ("Conv", "ConvTranspose", "Gemm", "MatMul")
"""Operators whose weights are most of a network."""
STATIC = (
    *HEAVY, "Add", "AveragePool", "Clip", "Concat", "Flatten", "GlobalAveragePool", "LeakyRelu",
    "MaxPool", "Mul", "Pad", "Relu", "Reshape", "Resize", "Split", "Squeeze", "Transpose",
    "Unsqueeze",
)  # fmt: skip
"""Those and what stands between them, so that numbers stay whole from one to the next. Softmax,
Sigmoid and ArgMax are not: they end a network, and 256 steps are too few for them."""
DYNAMIC = ("Attention", "Gemm", "LSTM", "MatMul")
_OPSET = 13
"""The first with scales by channel."""
_WARNINGS = 2
"""What ONNX Runtime logs by default."""
_ENDINGS = (
    "_quantized", "_scale", "_zero_point", "_QuantizeLinear", "_QuantizeLinear_Input",
    "_QuantizeLinear_Output", "_DequantizeLinear", "_DequantizeLinear_Input",
    "_DequantizeLinear_Output", "_output_quantized", "_scale_mul", "_bias_reshape_output",
    "_bias_reshape_shape", "_quantized_scale", "_quantized_zero_point", "_ReduceMax", "_ReduceMin",
)  # fmt: skip
"""Of the names that the quantizer makes of a value's own."""
Calibration = Literal["minmax", "percentile", "entropy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Integers:
    """How a graph is quantized."""

    static: bool
    per_channel: bool = True
    reduce_range: bool = False
    """7 bits for weights: on processors without VNNI sums of 8 bits may saturate."""
    operators: tuple[str, ...] = STATIC
    calibration: Calibration = "minmax"
    adjust: bool = True
    """Whether scales of weights grow where a bias would not fit 32 bits with them."""

    def apply(
        self, proto: Any, feeds: Sequence[Mapping[str, Array]], keep: Sequence[str], scratch: Path
    ) -> Any:
        """The graph with fewer bits.

        Args:
            proto: As `ready` made it. It is not changed.
            feeds: What ranges are measured on; dynamic quantization needs none.
            keep: Names of nodes that stay floats.
            scratch: A folder in which measured ranges are kept from call to call.

        Raises:
            Unsupported: `not-improvable`: ONNX Runtime can't.
        """
        with _quiet(), TemporaryDirectory(prefix="modelyard-onnx-") as folder:
            (Path(folder) / "before").mkdir()
            source = write(proto, Path(folder) / "before", LIMIT)
            made = Path(folder) / "after" / "model.onnx"
            made.parent.mkdir()
            try:
                self._quantize(source, made, feeds, list(keep), scratch, size_of(proto) > LIMIT)
            except MemoryError:
                raise
            except Exception as error:  # it raises whatever it meets
                raise Unsupported(
                    "not-improvable", f"onnxruntime can't quantize it: {reason(error)}",
                    hint="kind weights packs the weights of any graph",
                ) from error  # fmt: skip
            found = library().load(made)
        found.producer_name = proto.producer_name
        return found

    def _quantize(
        self, source: Path, made: Path, feeds: Sequence[Mapping[str, Array]], keep: list[str],
        scratch: Path, large: bool,
    ) -> None:  # fmt: skip
        from onnxruntime import quantization

        if not self.static:
            quantization.quantize_dynamic(
                source, made, op_types_to_quantize=list(self.operators),
                per_channel=self.per_channel, reduce_range=self.reduce_range,
                weight_type=quantization.QuantType.QInt8, nodes_to_exclude=keep,
                use_external_data_format=large,
            )  # fmt: skip
            return
        methods = quantization.CalibrationMethod
        method = {
            "minmax": methods.MinMax, "percentile": methods.Percentile, "entropy": methods.Entropy
        }[self.calibration]  # fmt: skip
        quantization.quantize_static(
            source, made, _Reader(feeds), quant_format=quantization.QuantFormat.QDQ,
            op_types_to_quantize=list(self.operators), per_channel=self.per_channel,
            reduce_range=self.reduce_range, activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8, nodes_to_exclude=keep,
            use_external_data_format=large, calibrate_method=method,
            calibration_cache_path=scratch / f"ranges-{self.calibration}.json",
            extra_options={"QDQDisableWeightAdjustForInt32Bias": not self.adjust},
        )  # fmt: skip


class _Reader:
    """Gives batches one by one, as the calibrator wants them."""

    def __init__(self, feeds: Sequence[Mapping[str, Array]]) -> None:
        self._feeds = iter([dict(batch) for batch in feeds])

    def get_next(self) -> dict[str, Array] | None:
        return next(self._feeds, None)

    def __iter__(self) -> Iterator[dict[str, Array]]:
        return self._feeds


def ready(proto: Any) -> Any:
    """A graph as the quantizer wants it: constants folded, every node with a name of its own.

    Raises:
        Unsupported: `not-improvable`: its operators are older than scales by channel; its inputs
            and outputs are called as the quantizer would call what it adds.
    """
    onnx = library()
    found = simplified(proto, "basic")
    version = next((o.version for o in found.opset_import if o.domain in ("", "ai.onnx")), 0)
    if version < _OPSET:
        try:
            found = onnx.version_converter.convert_version(found, _OPSET)
        except Exception as error:  # the converter has classes of its own
            raise Unsupported(
                "not-improvable",
                f"operators of opset {version} can't be raised to {_OPSET}: {reason(error)}",
                hint="kind weights packs the weights of any graph",
            ) from None  # fmt: skip
    found = _without_clashes(with_names(found))
    from onnxruntime.quantization.quant_utils import add_pre_process_metadata

    add_pre_process_metadata(found)
    return found


def _without_clashes(proto: Any) -> Any:
    """Values called as the quantizer calls what it adds to others, by names of their own."""
    taken = names_of(proto)
    outer = {value.name for value in (*proto.graph.input, *proto.graph.output)}
    clashes = [(name, name.removesuffix(end)) for name in sorted(taken) for end in _ENDINGS
               if name.endswith(end) and name.removesuffix(end) in taken]  # fmt: skip
    names: dict[str, str] = {}
    for name, base in clashes:
        if name in outer and base in outer:
            raise Unsupported(
                "not-improvable",
                f"the quantizer would call what it adds to {base!r} as {name!r} is called",
                hint="kind weights packs the weights of any graph",
            )  # fmt: skip
        inner = base if name in outer else name
        if inner not in names:
            names[inner] = free(f"{inner}_own", taken)
    return renamed(proto, names) if names else proto


def has_vnni() -> bool:
    """Whether this processor adds products of 8 bits without saturating; true if unknown."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return True
    return "vnni" in text or "flags" not in text


@contextmanager
def _quiet() -> Iterator[None]:
    """The quantizer logs to the root logger what is for those who write it, and prints more."""
    runtime = need("onnxruntime", EXTRA)
    logger = logging.getLogger()
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    runtime.set_default_logger_severity(4)
    try:
        with redirect_stdout(io.StringIO()), np.errstate(all="ignore"):  # scales of masks
            yield
    finally:
        runtime.set_default_logger_severity(_WARNINGS)
        logger.setLevel(before)
