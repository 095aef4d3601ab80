"""`factorize`: a layer as two thin ones, whose product is nearly the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from modelyard.errors import Unsupported
from modelyard.optimization.passes.interface import Made, Option, Range
from modelyard.optimization.passes.torch import networks
from modelyard.optimization.passes.torch.precision import widened
from modelyard.optimization.passes.torch.results import made_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from modelyard.core.lineage import LineageKind
    from modelyard.optimization.state import Model, Subject, Work

__all__ = ["PASS"]

Json = Any
Tensor = Any

_ROWS = 1_024
_CONVS = ("Conv1d", "Conv2d", "Conv3d")


class Factorize:
    """Options beyond those that trials choose: `epochs` of training after it, `rate`, `batch`,
    `teach` (as of `prune`)."""

    NAME = "factorize"
    KIND: Literal["model"] = "model"
    LINEAGE: LineageKind = "pruned-from"
    SUMMARY = "Replaces layers of a network by two thinner ones each (low rank)"

    def why_not(self, subject: Subject) -> str | None:
        """It takes modules of torch; without rows it looks at weights alone, and trains nothing."""
        return networks.why_no_module(subject, rows=False, layers=True)

    def options(self, subject: Subject) -> Mapping[str, Option]:
        """`energy`: share of what a layer does that is kept; the rest is cut off."""
        return {"energy": Range(0.8, 0.9995, 0.98)}

    def run(self, model: Model, params: Mapping[str, Json], work: Work) -> Made:
        """Factorize every linear layer and convolution that gets smaller by it, and train on.

        The truncated singular value decomposition of the weights; of linear layers weighted by
        what they get to see of the rows (Chen et al.: DRONE: Data-aware Low-rank Compression for
        Large NLP Models, 2021). A convolution becomes one with fewer channels and one of 1x1
        (Zhang et al.: Accelerating Very Deep Convolutional Networks, 2015).

        Raises:
            InvalidInput: `bad-pass-option`, `bad-target`, `bad-inputs`.
            Unsupported: `no-extra`; `not-improvable`: no module that is rebuilt from layers.
        """
        from modelyard.frameworks.torch.tree import describe
        from modelyard.optimization.passes.torch.lessons import epochs_for, lessons_of
        from modelyard.optimization.passes.torch.training import Schooling, train

        energy = networks.number(params, "energy", 0.98, 0.01, 1.0)
        module = networks.module_in(model)
        if describe(module) is None:
            raise Unsupported(
                "not-improvable", "the module has code of its own, so its layers can't be replaced",
                hint="build it from layers of torch.nn in an nn.Sequential",
            )  # fmt: skip
        dtypes = widened(module)
        with networks.repeatable(work):
            lesson, valid = lessons_of(module, model, work)
            seen = {} if lesson is None else _seen(module, lesson.inputs)
            changed = []
            for parent, name, path in list(_replaceable(module)):
                layer = parent._modules[name]
                pair = _halves(layer, energy, seen.get(path))
                if pair is None:
                    continue
                changed.append({
                    "layer": path, "shape": list(layer.weight.shape),
                    "rank": pair[0].weight.shape[0], "change": _share(layer, pair),
                })  # fmt: skip
                parent._modules[name] = pair
            if not changed:
                return Made(model=None, why="no layer gets smaller without losing more than that")
            if lesson is not None:
                batch = networks.whole(params, "batch", 64, 1, 4096)
                how = Schooling(
                    epochs=networks.whole(
                        params, "epochs", epochs_for(len(lesson), batch, 20), 0, 1000
                    ),
                    rate=networks.number(params, "rate", 5e-4, 1e-7, 1.0), batch=batch,
                    soft=networks.number(params, "teach", 0.5, 0.0, 1.0),
                )  # fmt: skip
                train(module, lesson, how, valid=valid, tell=work.tell, what="training on")
        ranks = ", ".join(f"{entry['layer']} to rank {entry['rank']}" for entry in changed[:6])
        note = f"factorized {ranks}"
        return made_of(module, model, work, dtypes, notes=(note,), changed=tuple(changed[:200]))


def _replaceable(module: Any) -> Iterator[tuple[Any, str, str]]:
    """Layers that lie in a chain of torch.nn and are used once, with their parent and name."""
    count: dict[int, int] = {}
    for _, layer in module.named_modules(remove_duplicate=False):
        count[id(layer)] = count.get(id(layer), 0) + 1
    for path, parent in module.named_modules():
        if type(parent).__name__ != "Sequential":
            continue
        for name, layer in parent._modules.items():
            if type(layer).__name__ in ("Linear", *_CONVS) and count[id(layer)] == 1:
                yield parent, name, f"{path}.{name}" if path else name


def _seen(module: Any, inputs: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    """By path, mean and covariance of what linear layers are given."""
    import torch

    sums: dict[str, list[Tensor]] = {}

    def watching(path: str) -> Any:
        def look(_layer: Any, given: tuple[Tensor, ...]) -> None:
            rows = given[0].detach().flatten(0, -2).double()
            new = [torch.tensor(float(len(rows))), rows.sum(0), rows.T @ rows]
            old = sums.get(path)
            sums[path] = new if old is None else [a + b for a, b in zip(old, new, strict=True)]

        return look

    hooks = [
        layer.register_forward_pre_hook(watching(path))
        for path, layer in module.named_modules() if type(layer).__name__ == "Linear"
    ]  # fmt: skip
    modes = [(part, part.training) for part in module.modules()]
    try:
        module.eval()
        with torch.no_grad():
            for rows in inputs[:_ROWS].split(256):
                module(rows)
    finally:
        for hook in hooks:
            hook.remove()
        for part, training in modes:
            part.training = training
    return {
        path: (total / count, squares / count - torch.outer(total, total) / count**2)
        for path, (count, total, squares) in sums.items()
    }


def _halves(layer: Any, energy: float, seen: tuple[Tensor, Tensor] | None) -> Any:
    """Two layers in a row for one; None if they would not be smaller.

    Args:
        seen: Mean and covariance of what the layer is given. What is cut off loses its mean to the
            bias, and only its spread for good.
    """
    import torch

    if type(layer).__name__ in _CONVS and (layer.groups != 1 or layer.padding_mode != "zeros"):
        return None
    weight = layer.weight.detach().double().flatten(1)
    exact, root = weight, None
    if seen is not None:
        small = seen[1].diagonal().mean() * 1e-3 + 1e-12
        root = torch.linalg.cholesky(seen[1] + small * torch.eye(len(seen[1])).double())
        weight = weight @ root
    left, values, right = torch.linalg.svd(weight, full_matrices=False)
    share = values.square().cumsum(0) / values.square().sum().clamp_min(1e-300)
    rank = int((share < energy).sum()) + 1
    outputs, inputs = weight.shape
    if rank * (outputs + inputs) >= outputs * inputs:
        return None
    scale = values[:rank].sqrt()
    first, second = scale[:, None] * right[:rank], left[:, :rank] * scale
    if root is not None:
        first = torch.linalg.solve_triangular(root.T, first.T, upper=True).T
    pair: Any = torch.nn.Sequential(
        *_layers(layer, rank, bias=layer.bias is not None or seen is not None)
    )
    with torch.no_grad():
        pair[0].weight.copy_(first.reshape(pair[0].weight.shape))
        pair[1].weight.copy_(second.reshape(pair[1].weight.shape))
        if pair[1].bias is not None:
            values = torch.zeros(outputs, dtype=torch.float64)
            if layer.bias is not None:
                values += layer.bias
            if seen is not None:
                values += (exact - second @ first) @ seen[0]
            pair[1].bias.copy_(values)
    return pair.to(layer.weight.dtype).train(layer.training)


def _layers(layer: Any, rank: int, *, bias: bool) -> tuple[Any, Any]:
    import torch

    if type(layer).__name__ == "Linear":
        return (
            torch.nn.Linear(layer.in_features, rank, bias=False),
            torch.nn.Linear(rank, layer.out_features, bias=bias),
        )
    make: Any = type(layer)
    return (
        make(
            layer.in_channels, rank, layer.kernel_size, stride=layer.stride, padding=layer.padding,
            dilation=layer.dilation, bias=False,
        ),
        make(rank, layer.out_channels, 1, bias=bias),
    )  # fmt: skip


def _share(layer: Any, pair: Any) -> float:
    """How far the product of the two is from the layer, relative."""
    weight = layer.weight.detach().flatten(1)
    product = pair[1].weight.detach().flatten(1) @ pair[0].weight.detach().flatten(1)
    return float((product - weight).norm() / weight.norm().clamp_min(1e-12))


PASS = Factorize()
