"""The classes of torch.nn that are rebuilt by name, and how to ask an object for its arguments.

Exact: the class itself, as torch.nn names it. What is not here is a foreign class for us.
"""

from __future__ import annotations

import inspect
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["CONTAINERS", "SETTABLE", "arguments_of", "known_class", "name_of"]

Json = Any

_LEFT_OUT = frozenset({
    "Module", "Container", "DataParallel", "ParameterDict", "ParameterList", "RNNBase",
    "RNNCellBase", "SyncBatchNorm", "CrossMapLRN2d", "TripletMarginWithDistanceLoss",
    "LinearCrossEntropyLoss",
})  # fmt: skip
CONTAINERS = frozenset({"Sequential", "ModuleList", "ModuleDict"})
_IGNORED = frozenset({
    "self", "device", "dtype", "args", "kwargs", "size_average", "reduce", "min_value",
    "max_value", "_weight", "_freeze", "_random_samples", "process_group", "custom_encoder",
    "custom_decoder",
})  # fmt: skip
_RNN = (
    "input_size", "hidden_size", "num_layers", "nonlinearity", "bias", "batch_first", "dropout",
    "bidirectional", "proj_size",
)  # fmt: skip

SETTABLE: Mapping[str, type] = {
    "p": float, "dropout": float, "eps": float, "momentum": float, "negative_slope": float,
    "alpha": float, "beta": float, "lambd": float, "lower": float, "upper": float,
    "min_val": float, "max_val": float, "margin": float, "label_smoothing": float,
    "inplace": bool, "add_zero_attn": bool, "ceil_mode": bool, "count_include_pad": bool,
    "align_corners": bool,
}  # fmt: skip
"""Attributes that may change while the weights stay."""


@cache
def _classes() -> dict[str, type]:
    import torch

    found = {}
    for name in dir(torch.nn):
        cls = getattr(torch.nn, name)
        if not isinstance(cls, type) or not issubclass(cls, torch.nn.Module):
            continue
        if name in _LEFT_OUT or name.startswith("Lazy"):
            continue
        if cls.__module__.startswith("torch.nn.modules.") and cls.__name__ == name:
            found[f"{cls.__module__}.{name}"] = cls
    return found


def known_class(name: str) -> type | None:
    """A class by `torch.nn.Linear`, or by the module where it is defined."""
    classes = _classes()
    if name in classes:
        return classes[name]
    short = name.removeprefix("torch.nn.")
    if short == name or "." in short:
        return None
    return next((cls for cls in classes.values() if cls.__name__ == short), None)


def name_of(module: Any) -> str | None:
    """The name of a module's class if it is one of torch.nn, exactly."""
    cls = type(module)
    name = f"{cls.__module__}.{cls.__qualname__}"
    return name if _classes().get(name) is cls else None


def arguments_of(module: Any) -> dict[str, Any] | None:
    """Arguments that make such a module again, or None if one is not to be found.

    Most constructors keep each argument under its own name; the table below knows the others.
    """
    name = type(module).__name__
    if name in ("RNN", "LSTM", "GRU"):
        names = _RNN if name == "LSTM" else _RNN[:-1]
        return {arg: getattr(module, arg) for arg in names if hasattr(module, arg)}
    asked = _ASKED.get(name, {})
    found: dict[str, Any] = {}
    for arg, parameter in inspect.signature(type(module).__init__).parameters.items():
        if arg in asked:
            found[arg] = asked[arg](module)
        elif arg in _IGNORED:
            continue
        elif arg == "bias" and "bias" in module._parameters:
            found[arg] = module.bias is not None
        elif hasattr(module, arg):
            found[arg] = getattr(module, arg)
        elif parameter.default is parameter.empty:
            return None
    return found


def _activation(layer: Any) -> str | None:
    return getattr(layer.activation, "__name__", None)


_LAYER: dict[str, Callable[[Any], Any]] = {
    "d_model": lambda m: m.self_attn.embed_dim,
    "nhead": lambda m: m.self_attn.num_heads,
    "dim_feedforward": lambda m: m.linear1.out_features,
    "dropout": lambda m: m.dropout.p,
    "activation": _activation,
    "layer_norm_eps": lambda m: m.norm1.eps,
    "batch_first": lambda m: m.self_attn.batch_first,
    "bias": lambda m: m.linear1.bias is not None,
}
_STACK: dict[str, Callable[[Any], Any]] = {
    "encoder_layer": lambda m: m.layers[0],
    "decoder_layer": lambda m: m.layers[0],
}


def _of_layers(ask: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda transformer: ask(transformer.encoder.layers[0])


_ASKED: dict[str, dict[str, Callable[[Any], Any]]] = {
    "TransformerEncoderLayer": _LAYER,
    "TransformerDecoderLayer": _LAYER,
    "TransformerEncoder": _STACK,
    "TransformerDecoder": _STACK,
    "Transformer": {
        **{arg: _of_layers(ask) for arg, ask in _LAYER.items() if arg not in ("d_model", "nhead")},
        "num_encoder_layers": lambda m: m.encoder.num_layers,
        "num_decoder_layers": lambda m: m.decoder.num_layers,
        "norm_first": lambda m: m.encoder.layers[0].norm_first,
    },
    "MultiheadAttention": {
        "bias": lambda m: m.in_proj_bias is not None,
        "add_bias_kv": lambda m: m.bias_k is not None,
    },
    "RNNCell": {"bias": lambda m: m.bias},
    "LSTMCell": {"bias": lambda m: m.bias},
    "GRUCell": {"bias": lambda m: m.bias},
    "AdaptiveLogSoftmaxWithLoss": {"cutoffs": lambda m: list(m.cutoffs[:-1])},
}
