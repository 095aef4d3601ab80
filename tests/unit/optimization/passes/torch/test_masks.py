"""Which weights go: as many as were asked for, and none that nobody pruned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from modelyard.core.table import Table
from modelyard.optimization.passes import pass_named
from modelyard.optimization.passes.torch.masks import (
    all_but_lowest,
    masks_of,
    prunable,
    sparsity_of,
    zeros_of,
)
from modelyard.optimization.passes.torch.movement import Movement
from modelyard.optimization.state import Rows

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.slow, pytest.mark.heavy]


@pytest.mark.parametrize("scope", ["global", "adaptive", "layer"])
def test_of_weights_that_are_alike_no_more_go_than_were_asked_for(scope: str) -> None:
    import torch

    weights = {"a": torch.full((4, 5), 0.5), "b": torch.full((2, 10), -0.5)}
    kept = sum(int(mask.sum()) for mask in masks_of(weights, 0.3, scope).values())
    assert kept == 28


def test_of_a_tie_the_first_go_as_a_stable_sort_has_it() -> None:
    import torch

    torch.manual_seed(0)
    scores = torch.randint(0, 5, (200,)).float()
    order = torch.sort(scores, stable=True).indices
    for count in (0, 1, 50, 137, 200):
        wanted = torch.ones(200, dtype=torch.bool)
        wanted[order[:count]] = False
        assert torch.equal(all_but_lowest(scores, count), wanted)


def test_words_that_were_never_seen_do_not_go_all_at_once(given: Callable[..., Any]) -> None:
    import torch
    from torch import nn

    torch.manual_seed(0)
    net = nn.Sequential(nn.Embedding(500, 8), nn.Flatten(), nn.Linear(48, 8), nn.Linear(8, 2))
    words = np.random.default_rng(0).integers(0, 50, (200, 6))
    rows = Rows(Table({"words": words}), (words[:, 0] < 25).astype(np.int64))
    model, work = given(net, rows, rows)
    made = pass_named("prune").run(
        model, {"kind": "movement", "sparsity": 0.5, "epochs": 3}, work
    )  # fmt: skip
    assert made.model is not None
    assert sparsity_of(made.model.load()) == pytest.approx(0.5, abs=0.001)


def test_a_layer_of_one_weight_is_left_alone() -> None:
    import torch
    from torch import nn

    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(4, 1), nn.Linear(1, 1), nn.Linear(1, 4))
    assert list(prunable(module)) == ["0.weight", "2.weight"]
    moving = Movement(prunable(module), 0.5)
    for progress in (0.0, 0.3, 1.0):
        moving.before_forward(progress)
        module(torch.randn(3, 4)).square().sum().backward()
        moving.before_step()
        moving.after_step()
    assert sparsity_of(module) == 0.0
    moving.before_forward(1.0)
    assert sparsity_of(module) == 0.5
    assert bool((module[1].weight != 0).all())


def test_zeros_that_nobody_pruned_may_learn() -> None:
    import torch
    from torch import nn

    torch.manual_seed(0)
    module = nn.Sequential(nn.Embedding(20, 4), nn.Flatten(), nn.Linear(8, 2))
    with torch.no_grad():
        module[0].weight[:10] = 0  # words that nobody knows yet
        module[2].weight.zero_()  # a head that begins at nothing
    assert zeros_of(module) is None


def test_zeros_of_pruning_in_words_are_held_and_words_of_zeros_are_not() -> None:
    import torch
    from torch import nn

    torch.manual_seed(0)
    module = nn.Sequential(nn.Embedding(20, 4), nn.Flatten(), nn.Linear(8, 2))
    with torch.no_grad():
        module[0].weight[:5] = 0
        module[0].weight[5:, :2] = 0
        module[2].weight[:, ::2] = 0
    keeper = zeros_of(module)
    assert keeper is not None
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(1.0)
    keeper.after_step()
    words, head = module[0].weight, module[2].weight
    assert bool((words[5:, :2] == 0).all())
    assert bool((head[:, ::2] == 0).all())
    assert bool((words[:5] != 0).all())


def test_a_head_of_zeros_learns(given: Callable[..., Any]) -> None:
    import torch
    from torch import nn

    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    nn.init.zeros_(net[3].weight)
    model, work = given(net)
    made = pass_named("finetune").run(model, {"rate": 3e-3, "epochs": 2}, work)
    assert made.model is not None
    assert bool((_head(made.model) != 0).any())


def _head(model: Any) -> Any:
    return model.load()[3].weight
