"""`keras-quantize`: layers of a Keras model keep their weights in 8 or 4 bits."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Literal

from modelyard.core.listing import listed
from modelyard.errors import Unsupported
from modelyard.optimization.passes.interface import Choice, Made, Option
from modelyard.optimization.passes.keras import networks
from modelyard.optimization.passes.keras.states import every_layer, own
from modelyard.optimization.passes.torch.networks import option

if TYPE_CHECKING:
    from collections.abc import Mapping

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
        if any(each.quantization_mode is not None for each in every_layer(network)):
            raise Unsupported("not-improvable", "it is quantized already")
        before = _weights(network)
        _quantized(network, mode)
        forgetful = _forgetful(network)
        if forgetful:
            network = networks.bare(networks.network_in(model))
            _quantized(network, mode, forgetful)
        after = _weights(network)
        changed = tuple(
            {"layer": key[1], "dtype": dtype, "shape": list(shape)}
            for key, (dtype, shape) in after.items()
            if key in before and before[key][0] != dtype
        )
        if not changed:
            return Made(model=None, why="none of its layers can be quantized by Keras")
        left = [key[1] for key, (dtype, shape) in after.items()
                if len(shape) >= 2 and key in before and before[key][0] == dtype]  # fmt: skip
        notes = [f"{len(changed)} layers keep {mode.partition('-')[0]}"]
        if left:
            shown = listed(left, 5)
            notes.append(f"as they were: {shown}")
        notes.append("the state of its optimizer is left out")
        made = networks.saved(network, model, work)
        return Made(model=made, notes=tuple(notes), changed=changed[:200])


def _quantized(network: Any, mode: str, without: frozenset[int] = frozenset()) -> None:
    """Quantize the layers but for those at some places."""
    from modelyard.frameworks.keras.library import keras

    config = None
    if mode != "int8":
        size = 128 if mode == "int4-blocks" else None
        config = keras().quantizers.Int4QuantizationConfig(block_size=size)
    left = {id(each) for at, each in enumerate(every_layer(network)) if at in without}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of layers that stay as they are: we tell them too
        network.quantize(
            "int8" if config is None else None, config=config,
            filters=(lambda layer: id(layer) not in left) if left else None,
        )  # fmt: skip


def _forgetful(network: Any) -> frozenset[int]:
    """Places of layers that a file would bring back as they were before: layers of other people
    make those inside of them without a word on their precision."""
    pairs = zip(every_layer(network), every_layer(networks.rebuilt(network)), strict=False)
    return frozenset(
        at for at, (old, new) in enumerate(pairs)
        if old.quantization_mode != new.quantization_mode
    )  # fmt: skip


def _weights(network: Any) -> dict[tuple[int, str], tuple[str, tuple[int, ...]]]:
    """Dtype and shape by the place of a layer and a path: two models inside may have equal ones."""
    places = {id(each): at for at, layer in enumerate(every_layer(network)) for each in own(layer)}
    return {
        (places.get(id(each), 0), str(each.path)): (str(each.dtype), tuple(each.shape))
        for each in network.weights
    }


PASS = Quantize()
