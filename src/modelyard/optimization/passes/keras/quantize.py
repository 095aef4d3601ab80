"""`keras-quantize`: layers of a Keras model keep their weights in 8 or 4 bits."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Literal

from modelyard.errors import Unsupported
from modelyard.optimization.passes.interface import Choice, Made, Option
from modelyard.optimization.passes.keras import networks
from modelyard.optimization.passes.torch.networks import option

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from modelyard.core.lineage import LineageKind
    from modelyard.optimization.state import Model, Subject, Work

__all__ = ["PASS"]

Json = Any

MODES = ("int8", "int4", "int4-blocks")


class Quantize:
    """`mode`: `int8`, `int4` (a scale for each unit) or `int4-blocks` (one for each 128 inputs of
    it: nearer to the original, a little larger)."""

    NAME = "keras-quantize"
    KIND: Literal["model"] = "model"
    LINEAGE: LineageKind = "quantized-from"
    SUMMARY = "Keeps the weights of dense and embedding layers of a Keras model in 8 or 4 bits"

    def why_not(self, subject: Subject) -> str | None:
        """It takes models of Keras."""
        return networks.why_no_network(subject)

    def options(self, subject: Subject) -> Mapping[str, Option]:
        """`mode`."""
        del subject
        return {"mode": Choice(MODES)}

    def run(self, model: Model, params: Mapping[str, Json], work: Work) -> Made:
        """Quantize as Keras 3 does; the files stay `.keras` or `.h5` and load without any code.

        Dense, EinsumDense and Embedding layers take part; convolutions stay (`to-litert`
        and `to-onnx` quantize them). What it makes is not compiled.

        Raises:
            InvalidInput: `bad-pass-option`.
            Unsupported: `not-improvable`, `no-extra`.
        """
        mode = option(params, "mode", MODES)
        network = networks.bare(networks.network_in(model))
        if any("int" in str(each.dtype) for _, each in _weights(network)):
            raise Unsupported("not-improvable", "it is quantized already")
        before = {path: (str(each.dtype), each.shape) for path, each in _weights(network)}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of layers that stay as they are: we tell them too
            _quantized(network, mode)
        after = {path: (str(each.dtype), each.shape) for path, each in _weights(network)}
        changed = tuple(
            {"layer": path, "dtype": dtype, "shape": list(shape)}
            for path, (dtype, shape) in after.items()
            if path in before and before[path][0] != dtype
        )
        if not changed:
            return Made(model=None, why="none of its layers can be quantized by Keras")
        left = [path for path, (dtype, shape) in after.items()
                if len(shape) >= 2 and before.get(path, ("",))[0] == dtype]  # fmt: skip
        notes = [f"{len(changed)} layers keep {mode.partition('-')[0]}"]
        if left:
            shown = ", ".join(left[:5]) + (", ..." if len(left) > 5 else "")
            notes.append(f"as they were: {shown}")
        notes.append("the state of its optimizer is left out")
        made = networks.saved(network, model, work)
        return Made(model=made, notes=tuple(notes), changed=changed[:200])


def _quantized(network: Any, mode: str) -> None:
    from modelyard.frameworks.keras.library import keras

    library = keras()
    if mode == "int8":
        network.quantize("int8")
        return
    size = 128 if mode == "int4-blocks" else None
    network.quantize(config=library.quantizers.Int4QuantizationConfig(block_size=size))


def _weights(network: Any) -> Iterator[tuple[str, Any]]:
    return ((each.path, each) for each in network.weights)


PASS = Quantize()
