"""Channels and neurons of a network that nobody outside of a chain of layers sees.

What a layer of an `nn.Sequential` gives goes through norms, activations and pooling to the next
layer with weights. A channel between the two can be taken out of all of them, and the network is
really smaller. The hidden neurons of transformer layers are such channels too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["Group", "channels_in", "narrowed", "parameters_left"]

Tensor = Any

_LINEAR = "Linear"
_CONVS = frozenset({"Conv1d", "Conv2d", "Conv3d"})
_NORMS = frozenset({"BatchNorm1d", "BatchNorm2d", "BatchNorm3d"})
_PASSING = frozenset({
    "ReLU", "ReLU6", "LeakyReLU", "GELU", "ELU", "SELU", "CELU", "SiLU", "Mish", "Tanh", "Sigmoid",
    "Hardswish", "Hardsigmoid", "Hardtanh", "Softplus", "Softsign", "Softshrink", "Hardshrink",
    "Tanhshrink", "LogSigmoid", "Threshold", "RReLU", "Dropout", "Dropout1d", "Dropout2d",
    "Dropout3d", "AlphaDropout", "FeatureAlphaDropout", "Identity", "MaxPool1d", "MaxPool2d",
    "MaxPool3d", "AvgPool1d", "AvgPool2d", "AvgPool3d", "AdaptiveAvgPool1d", "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d", "AdaptiveMaxPool1d", "AdaptiveMaxPool2d", "AdaptiveMaxPool3d", "LPPool1d",
    "LPPool2d", "Upsample", "UpsamplingNearest2d", "UpsamplingBilinear2d", "ZeroPad1d", "ZeroPad2d",
    "ZeroPad3d", "ReflectionPad1d", "ReflectionPad2d", "ReplicationPad1d", "ReplicationPad2d",
})  # fmt: skip
"""They do to each channel the same, whatever the others are."""


@dataclass(slots=True)
class Group:
    """Channels that can go: who makes them, what they pass, and who takes them."""

    producer: str
    """Path of a layer whose outputs they are."""
    channels: int
    convolved: bool = False
    followers: list[tuple[str, int]] = field(default_factory=list)
    """Norms, depthwise convolutions and slopes on the way, and how many of each channel's."""
    consumer: str = ""
    """Path of the layer whose inputs they are."""
    repeat: int = 1
    """Inputs of the consumer for each channel: places of a picture that was flattened."""
    family: str = ""
    """Groups of one family keep equally many: layers of one transformer."""
    flattened: bool = False


def channels_in(module: Any) -> tuple[Group, ...]:
    """All groups of a module, in the order of its layers; none where it can't be followed."""
    from modelyard.frameworks.torch.tree import describe

    if describe(module) is None:
        return ()
    walk = _Walk()
    for path, layer in _leaves(module, ""):
        walk.meet(path, layer)
    once = _used_once(module)
    return tuple(g for g in walk.found if all(path in once for path in _paths(g)))


def narrowed(module: Any, groups: Sequence[Group], keep: Sequence[Tensor]) -> None:
    """Take channels out of a module, in place.

    Args:
        keep: For each group, indices of the channels that stay.
    """
    import torch

    layers = dict(module.named_modules())
    with torch.no_grad():
        for group, places in zip(groups, keep, strict=True):
            _cut_outputs(layers[group.producer], places)
            for path, repeat in group.followers:
                _cut_follower(layers[path], _repeated(places, repeat))
            _cut_inputs(layers[group.consumer], _repeated(places, group.repeat))


def parameters_left(module: Any, groups: Sequence[Group], counts: Sequence[int]) -> int:
    """How many parameters there would be if each group kept so many channels."""
    share: dict[str, list[float]] = {}
    for group, count in zip(groups, counts, strict=True):
        ratio = count / group.channels
        share.setdefault(group.producer, [1.0, 1.0])[0] *= ratio
        share.setdefault(group.consumer, [1.0, 1.0])[1] *= ratio
        for path, _ in group.followers:
            share.setdefault(path, [1.0, 1.0])[0] *= ratio
    total = 0.0
    for path, layer in module.named_modules():
        outputs, inputs = share.get(path, (1.0, 1.0))
        for parameter in layer.parameters(recurse=False):
            total += parameter.numel() * outputs * (inputs if parameter.ndim > 1 else 1.0)
    return round(total)


class _Walk:
    """Goes along a chain, with the channels that are open at the moment."""

    def __init__(self) -> None:
        self.found: list[Group] = []
        self._open: Group | None = None

    def meet(self, path: str, layer: Any) -> None:
        name = type(layer).__name__
        if not type(layer).__module__.startswith("torch.nn.modules."):
            self._open = None
        elif name == _LINEAR:
            self._close(path, layer.in_features, fits=self._lies_flat(layer))
            self._open = Group(path, layer.out_features)
        elif name in _CONVS:
            self._meet_convolution(path, layer)
        elif name in _NORMS and layer.affine:
            self._follow(path, layer.num_features)
        elif name == "PReLU" and layer.num_parameters > 1:
            self._follow(path, layer.num_parameters)
        elif name == "Flatten" and layer.start_dim == 1 and layer.end_dim == -1:
            if self._open is not None:
                self._open.flattened = True
        elif name in ("TransformerEncoder", "TransformerDecoder"):
            self._open = None
            for place, inner in enumerate(layer.layers):
                self._add_hidden(
                    f"{path}.layers.{place}" if path else f"layers.{place}", inner, path
                )
        elif name in ("TransformerEncoderLayer", "TransformerDecoderLayer"):
            self._open = None
            self._add_hidden(path, layer, "")
        elif name not in _PASSING and name != "PReLU":
            self._open = None

    def _meet_convolution(self, path: str, layer: Any) -> None:
        opened = self._open
        depthwise = layer.groups == layer.in_channels == layer.out_channels > 1
        if depthwise and opened is not None and opened.convolved and not opened.flattened:
            self._follow(path, layer.out_channels)
            return
        fits = opened is not None and opened.convolved and not opened.flattened
        self._close(path, layer.in_channels, fits=fits and layer.groups == 1)
        self._open = Group(path, layer.out_channels, convolved=True) if layer.groups == 1 else None

    def _lies_flat(self, layer: Any) -> bool:
        opened = self._open
        if opened is None:
            return False
        return opened.flattened if opened.convolved else layer.in_features == opened.channels

    def _close(self, path: str, inputs: int, *, fits: bool) -> None:
        opened, self._open = self._open, None
        if opened is None or not fits or inputs % opened.channels or opened.channels < 2:
            return
        opened.consumer, opened.repeat = path, inputs // opened.channels
        self.found.append(opened)

    def _follow(self, path: str, features: int) -> None:
        opened = self._open
        if opened is None:
            return
        if features % opened.channels or (features != opened.channels and not opened.flattened):
            self._open = None
            return
        opened.followers.append((path, features // opened.channels))

    def _add_hidden(self, path: str, layer: Any, family: str) -> None:
        prefix = f"{path}." if path else ""
        self.found.append(
            Group(
                f"{prefix}linear1", layer.linear1.out_features, consumer=f"{prefix}linear2",
                family=family,
            )
        )  # fmt: skip


def _leaves(module: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Layers of nested chains in the order in which they are called."""
    if type(module).__name__ == "Sequential":
        for key, child in module._modules.items():
            yield from _leaves(child, f"{path}.{key}" if path else key)
    else:
        yield path, module


def _used_once(module: Any) -> frozenset[str]:
    """Paths of layers that occur once, and whose tensors are nobody else's."""
    layers: dict[int, list[str]] = {}
    tensors: dict[int, set[str]] = {}
    for path, layer in module.named_modules(remove_duplicate=False):
        layers.setdefault(id(layer), []).append(path)
        for parameter in layer.parameters(recurse=False):
            tensors.setdefault(id(parameter), set()).add(path)
    twice = {path for paths in layers.values() if len(paths) > 1 for path in paths}
    twice |= {path for paths in tensors.values() if len(paths) > 1 for path in paths}
    return frozenset(path for paths in layers.values() for path in paths) - twice


def _paths(group: Group) -> list[str]:
    return [group.producer, group.consumer, *(path for path, _ in group.followers)]


def _repeated(places: Tensor, repeat: int) -> Tensor:
    import torch

    if repeat == 1:
        return places
    return (places[:, None] * repeat + torch.arange(repeat)).flatten()


def _cut_outputs(layer: Any, places: Tensor) -> None:
    _cut(layer, "weight", places, 0)
    _cut(layer, "bias", places, 0)
    _count(layer, ("out_features", "out_channels"), len(places))


def _cut_inputs(layer: Any, places: Tensor) -> None:
    _cut(layer, "weight", places, 1)
    _count(layer, ("in_features", "in_channels"), len(places))


def _cut_follower(layer: Any, places: Tensor) -> None:
    for name in ("weight", "bias", "running_mean", "running_var"):
        _cut(layer, name, places, 0)
    _count(
        layer, ("num_features", "num_parameters", "in_channels", "out_channels", "groups"),
        len(places),
    )  # fmt: skip


def _cut(layer: Any, name: str, places: Tensor, axis: int) -> None:
    import torch

    tensors: Mapping[str, Any] = layer._parameters if name in layer._parameters else layer._buffers
    old = tensors.get(name)
    if old is None:
        return
    new = old.detach().index_select(axis, places).clone()
    if name in layer._parameters:
        new = torch.nn.Parameter(new, requires_grad=old.requires_grad)
    setattr(layer, name, new)


def _count(layer: Any, names: tuple[str, ...], count: int) -> None:
    for name in names:
        if name in vars(layer):
            setattr(layer, name, count)
