"""Pruning: what goes, what stays, and what it costs in accuracy."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from modelyard.core.table import Table
from modelyard.errors import InvalidInput, Unsupported
from modelyard.frameworks import Saved
from modelyard.optimization.measuring import costs
from modelyard.optimization.passes import pass_named
from modelyard.optimization.passes.torch.chains import channels_in, narrowed, parameters_left
from modelyard.optimization.passes.torch.masks import masks_of, prunable, sparsity_of
from modelyard.optimization.state import Model, Rows, Subject

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.slow, pytest.mark.heavy]

PRUNE = pass_named("prune")
FEW = {"epochs": 3}


@pytest.mark.parametrize(("kind", "loss"), [("magnitude", 0.02), ("movement", 0.04)])
def test_most_weights_become_zero_and_the_digits_are_still_known(
    kind: str,
    loss: float,
    trained: Any,
    given: Callable[..., Any],
    accuracy: Callable[[Model], float],
) -> None:
    model, work = given(trained)
    made = PRUNE.run(model, {"kind": kind, "sparsity": 0.8, **FEW}, work)
    assert made.model is not None
    assert sparsity_of(made.model.load()) == pytest.approx(0.8, abs=0.01)
    assert accuracy(made.model) > accuracy(model) - loss
    assert costs(made.model)["stored"] < 0.5 * costs(model)["stored"]
    assert made.model.signature == model.signature
    assert {entry["layer"] for entry in made.changed} >= {"0.weight", "5.weight"}


@pytest.mark.parametrize("scope", ["global", "adaptive", "layer"])
def test_a_share_of_the_smallest_weights_goes(scope: str, trained: Any) -> None:
    weights = prunable(trained)
    masks = masks_of(weights, 0.7, scope)
    total = sum(mask.numel() for mask in masks.values())
    kept = sum(int(mask.sum()) for mask in masks.values())
    assert kept / total == pytest.approx(0.3, abs=0.001)
    for name, mask in masks.items():
        gone, left = weights[name].abs()[mask == 0], weights[name].abs()[mask == 1]
        assert not len(gone) or not len(left) or gone.max() <= left.min()


def test_channels_are_really_removed(
    trained: Any, given: Callable[..., Any], accuracy: Callable[[Model], float]
) -> None:
    model, work = given(trained)
    made = PRUNE.run(model, {"kind": "structured", "sparsity": 0.6, **FEW}, work)
    assert made.model is not None
    smaller = made.model.load()
    assert sum(p.numel() for p in smaller.parameters()) < 0.41 * sum(
        p.numel() for p in trained.parameters()
    )
    assert smaller[0].out_channels < 12
    assert smaller[1].num_features == smaller[0].out_channels
    assert smaller[5].in_features == 16 * smaller[0].out_channels
    assert accuracy(made.model) > accuracy(model) - 0.03


def test_the_same_seed_gives_the_same_bytes(trained: Any, given: Callable[..., Any]) -> None:
    for kind in ("magnitude", "movement", "structured"):
        params = {"kind": kind, "sparsity": 0.5, "epochs": 1}
        digests = set()
        for _ in range(2):
            made = PRUNE.run(*_with(given(trained), params))
            assert made.model is not None
            digests.add(made.model.digest)
        assert len(digests) == 1


def test_without_rows_the_smallest_weights_go_and_nothing_is_trained(
    trained: Any, given: Callable[..., Any]
) -> None:
    model, work = given(trained, rows=False)
    made = PRUNE.run(model, {"sparsity": 0.5}, work)
    assert made.model is not None
    before, after = trained.state_dict(), made.model.load().state_dict()
    same = before["5.weight"] == after["5.weight"]
    assert bool((same | (after["5.weight"] == 0)).all())
    made = PRUNE.run(*_with(given(trained, rows=False), {"kind": "structured", "sparsity": 0.3}))
    assert made.model is not None


def test_without_a_target_it_learns_to_say_what_it_said(
    trained: Any, given: Callable[..., Any], digits: dict[str, Rows],
    accuracy: Callable[[Model], float],
) -> None:  # fmt: skip
    train, valid = (Rows(digits[name].inputs) for name in ("train", "valid"))
    for kind in ("magnitude", "structured"):
        model, work = given(trained, train, valid, task="other")
        made = PRUNE.run(model, {"kind": kind, "sparsity": 0.6, **FEW}, work)
        assert made.model is not None
        assert accuracy(made.model) > accuracy(model) - 0.03


def test_numbers_are_predicted_as_well_by_fewer_neurons(given: Callable[..., Any]) -> None:
    from sklearn.datasets import load_diabetes
    from torch import nn

    x, y = load_diabetes(return_X_y=True)
    columns = {f"c{i}": x[:, i].astype(np.float32) * 20 for i in range(10)}
    rows = Rows(Table(columns), ((y - y.mean()) / y.std()).astype(np.float32))
    net = nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, 1))
    model, work = given(
        net, rows.take(slice(0, 300)), rows.take(slice(300, 370)), task="regression"
    )
    tuned = pass_named("finetune").run(model, {"rate": 3e-3, "epochs": 20}, work).model
    assert tuned is not None
    _, work = given(net, rows.take(slice(0, 300)), rows.take(slice(300, 370)), task="regression")
    made = PRUNE.run(tuned, {"kind": "structured", "sparsity": 0.7, **FEW}, work)
    assert made.model is not None
    said = made.model.load().eval()(_tensor(rows))
    error = float(((said.detach().numpy()[:, 0] - rows.target) ** 2)[370:].mean())
    assert error < 0.75


def test_hidden_neurons_of_transformer_layers_can_go(given: Callable[..., Any]) -> None:
    import torch
    from torch import nn

    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 32, batch_first=True)
    net = nn.Sequential(
        nn.Unflatten(1, (4, 8)), nn.TransformerEncoder(layer, 2, enable_nested_tensor=False),
        nn.Flatten(), nn.Linear(32, 2),
    ).eval()  # fmt: skip
    groups = channels_in(net)
    assert [group.channels for group in groups] == [32, 32]
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(80, 32)).astype(np.float32)
    rows = Rows(Table({"data": inputs}), (inputs[:, 0] > 0).astype(np.int64))
    made = PRUNE.run(*_with(
        given(net, rows, rows), {"kind": "structured", "sparsity": 0.3, "epochs": 1}
    ))  # fmt: skip
    assert made.model is not None
    again = made.model.load()
    widths = {layer.linear1.out_features for layer in again[1].layers}
    assert len(widths) == 1
    assert widths.pop() < 32


def test_channels_are_followed_through_depthwise_convolutions_and_slopes() -> None:
    import torch
    from torch import nn

    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.PReLU(8), nn.Conv2d(8, 8, 3, groups=8, padding=1),
        nn.BatchNorm2d(8), nn.Conv2d(8, 6, 1, bias=False), nn.Flatten(), nn.BatchNorm1d(216),
        nn.Linear(216, 3),
    ).eval()  # fmt: skip
    groups = channels_in(net)
    assert [(g.producer, g.channels, g.consumer, g.repeat) for g in groups] == [
        ("0", 8, "4", 1), ("4", 6, "7", 36),
    ]  # fmt: skip
    inputs = torch.randn(5, 1, 8, 8)
    with torch.no_grad():  # channels that say nothing may go without any loss
        net[0].weight[[1, 4]] = 0
        net[0].bias[[1, 4]] = 0
        net[2].bias[[1, 4]] = 0
        net[4].weight[2] = 0
        net[7].weight[:, 2 * 36 : 3 * 36] = 0
    before = net(inputs)
    keep = [torch.tensor([0, 2, 3, 5, 6, 7]), torch.tensor([0, 1, 3, 4, 5])]
    wanted = parameters_left(net, groups, [6, 5])
    narrowed(net, groups, keep)
    assert torch.allclose(net(inputs), before, atol=1e-5)
    assert sum(p.numel() for p in net.parameters()) == wanted


def test_layers_that_are_used_twice_are_left_alone() -> None:
    from torch import nn

    shared = nn.Linear(4, 4)
    assert channels_in(nn.Sequential(shared, nn.ReLU(), shared)) == ()


def test_what_cannot_be_pruned_says_why(trained: Any, given: Callable[..., Any]) -> None:
    subject = Subject(framework="sklearn", serializer="skops", class_name="x", size=1, rows=9)
    assert "modules of torch" in (PRUNE.why_not(subject) or "")
    model, work = given(trained)
    with pytest.raises(InvalidInput, match="sparsity") as caught:
        PRUNE.run(model, {"sparsity": 2}, work)
    assert caught.value.kind == "bad-pass-option"
    with pytest.raises(InvalidInput, match="kind"):
        PRUNE.run(model, {"kind": "luck"}, work)
    from torch import nn

    model, work = given(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)))
    with pytest.raises(Unsupported) as refused:
        PRUNE.run(model, {"kind": "structured"}, work)
    assert refused.value.kind == "not-improvable"
    other = Saved(framework="onnx", serializer="onnx", class_name="onnx.ModelProto")
    with pytest.raises(Unsupported):
        PRUNE.run(Model(folder=model.folder, saved=other), {}, work)


def test_a_saved_optimizer_is_left_behind_and_modes_are_kept(
    trained: Any, given: Callable[..., Any]
) -> None:
    import torch

    module = copy.deepcopy(trained).train()
    module[0].requires_grad_(False)
    pair = (module, torch.optim.Adam([p for p in module.parameters() if p.requires_grad]))
    model, work = given(pair)
    made = PRUNE.run(model, {"sparsity": 0.5, "epochs": 1}, work)
    assert made.model is not None
    again = made.model.load()
    assert again.training
    assert torch.equal(again[0].weight, module[0].weight)
    assert not again[0].weight.requires_grad


def _with(made: tuple[Any, Any], params: dict[str, Any]) -> tuple[Any, dict[str, Any], Any]:
    return made[0], params, made[1]


def _tensor(rows: Rows) -> Any:
    import torch

    return torch.from_numpy(rows.inputs.matrix())
