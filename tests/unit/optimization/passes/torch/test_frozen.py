"""What is frozen: it may lose channels, but it never learns, and nothing crashes."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from modelyard.core.table import Table
from modelyard.optimization.passes import pass_named
from modelyard.optimization.passes.torch.networks import Lesson
from modelyard.optimization.passes.torch.structured import groups_of, importance_of
from modelyard.optimization.state import Rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelyard.optimization.state import Model

pytestmark = [pytest.mark.slow, pytest.mark.heavy]

NAMES = ("finetune", "prune", "distil", "soup")
KINDS = ("magnitude", "structured", "movement")


def test_channels_of_frozen_layers_are_measured_and_may_go(
    trained: Any, given: Callable[..., Any], accuracy: Callable[[Model], float]
) -> None:
    module = copy.deepcopy(trained)
    for layer in module[:2]:
        layer.requires_grad_(requires_grad=False)
    for name, params in (("prune", {"kind": "structured", "sparsity": 0.5}), ("distil", {})):
        model, work = given(module)
        made = pass_named(name).run(model, {"width": 0.5, "epochs": 4, **params}, work)
        assert made.model is not None
        found = made.model.load()
        assert found[0].out_channels < 12
        assert not any(p.requires_grad for p in found[:2].parameters())
        assert all(p.requires_grad for p in found[2:].parameters())
        assert accuracy(made.model) > 0.8


def test_measuring_leaves_a_module_as_it_was() -> None:
    import torch
    from torch import nn

    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 2))
    module[0].weight.requires_grad_(requires_grad=False)
    lesson = Lesson(torch.randn(9, 6), torch.ones(9, dtype=torch.long))
    whole = importance_of(copy.deepcopy(module).requires_grad_(), groups_of(module), lesson)
    assert torch.allclose(importance_of(module, groups_of(module), lesson)[0], whole[0])
    assert [p.requires_grad for p in module.parameters()] == [False, True, True, True]
    assert all(p.grad is None for p in module.parameters())
    assert module.training
    with pytest.raises(IndexError):
        importance_of(module, groups_of(module), Lesson(lesson.inputs, lesson.target[:3]))
    assert [p.requires_grad for p in module.parameters()] == [False, True, True, True]
    assert module.training


@pytest.mark.parametrize("name", NAMES)
def test_a_module_that_is_all_frozen_learns_nothing(
    name: str, trained: Any, given: Callable[..., Any]
) -> None:
    model, work = given(copy.deepcopy(trained).requires_grad_(requires_grad=False))
    for kind in KINDS if name == "prune" else ("",):
        params = {"kind": kind, "epochs": 1} if kind else {"epochs": 1}
        made = pass_named(name).run(model, params, work)
        assert made.model is None
        assert made.why.startswith("all its weights are frozen")


def test_without_rows_channels_of_a_frozen_module_go(
    trained: Any, given: Callable[..., Any]
) -> None:
    module = copy.deepcopy(trained).requires_grad_(requires_grad=False)
    model, work = given(module, rows=False)
    made = pass_named("prune").run(model, {"kind": "structured", "sparsity": 0.3}, work)
    assert made.model is not None
    assert not any(p.requires_grad for p in made.model.load().parameters())


def test_what_has_no_weights_to_prune_says_so(trained: Any, given: Callable[..., Any]) -> None:
    module = copy.deepcopy(trained)
    for parameter in module.parameters():
        parameter.requires_grad_(parameter.ndim == 1)
    model, work = given(module)
    for kind in ("magnitude", "movement"):
        made = pass_named("prune").run(model, {"kind": kind, "epochs": 1}, work)
        assert made.model is None
        assert "none of its weights can be pruned" in made.why
    model, work = given(trained)
    made = pass_named("prune").run(model, {"kind": "movement", "epochs": 0}, work)
    assert made.model is None
    assert "none of its weights became zero" in made.why


def test_a_new_student_has_the_frozen_parts_of_its_teacher(given: Callable[..., Any]) -> None:
    import torch
    from torch import nn

    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Embedding(20, 8), nn.Flatten(), nn.Linear(40, 16), nn.ReLU(), nn.Linear(16, 2)
    )
    net[0].requires_grad_(requires_grad=False)
    words = np.random.default_rng(0).integers(0, 20, (60, 5))
    rows = Rows(Table({"words": words}), (words[:, 0] > 9).astype(np.int64))
    model, work = given(net, rows, rows)
    made = pass_named("distil").run(model, {"width": 0.5, "epochs": 1, "start": "new"}, work)
    assert made.model is not None
    student = made.model.load()
    assert torch.equal(student[0].weight, net[0].weight)
    assert not student[0].weight.requires_grad
    assert student[2].out_features == 8
