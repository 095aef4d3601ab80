"""Modules of halves learn as others do, and what is no number never wins."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from modelyard.optimization.passes import pass_named
from modelyard.optimization.passes.torch.losses import score_of
from modelyard.optimization.passes.torch.networks import Lesson
from modelyard.optimization.passes.torch.precision import restored, widened
from modelyard.optimization.passes.torch.training import Schooling, train

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelyard.optimization.state import Model

pytestmark = [pytest.mark.slow, pytest.mark.heavy]

PASSES = [
    ("finetune", {"rate": 1e-3, "epochs": 2}),
    ("prune", {"kind": "magnitude", "sparsity": 0.5, "epochs": 1}),
    ("prune", {"kind": "movement", "sparsity": 0.5, "epochs": 2}),
    ("prune", {"kind": "structured", "sparsity": 0.5, "epochs": 2}),
    ("distil", {"width": 0.5, "epochs": 10}),
    ("factorize", {"energy": 0.95, "epochs": 1}),
    ("soup", {"count": 2, "epochs": 1, "greedy": False}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "params"), PASSES)
def test_a_module_of_halves_learns_and_stays_one(
    name: str, params: dict[str, Any], trained: Any, given: Callable[..., Any],
    accuracy: Callable[[Model], float],
) -> None:  # fmt: skip
    import torch

    model, work = given(copy.deepcopy(trained).half())
    made = pass_named(name).run(model, params, replace(work, valid=None))
    assert made.model is not None
    tensors = made.model.load().state_dict()
    assert {t.dtype for t in tensors.values() if t.is_floating_point()} == {torch.float16}
    assert all(bool(t.isfinite().all()) for t in tensors.values())
    assert accuracy(made.model) > 0.85


def test_each_tensor_gets_its_own_dtype_back() -> None:
    import torch
    from torch import nn

    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Linear(4, 4).half(), nn.BatchNorm1d(4), nn.Linear(4, 2).bfloat16(), nn.Linear(2, 2)
    )
    module[3].double()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    dtypes = widened(module)
    assert {t.dtype for t in module[:3].state_dict().values()} == {torch.float32, torch.int64}
    restored(module, dtypes)
    for name, tensor in module.state_dict().items():
        assert tensor.dtype == before[name].dtype
        assert torch.equal(tensor, before[name])
    widened(module)
    module[0] = nn.Sequential(nn.Linear(4, 1, bias=False), nn.Linear(1, 4))
    restored(module, dtypes)
    assert {p.dtype for p in module[0].parameters()} == {torch.float16}


def test_what_is_no_number_is_worst_of_all() -> None:
    import torch
    from torch import nn

    torch.manual_seed(0)
    rows = torch.randn(20, 3)
    broken = nn.Linear(3, 2)
    nn.init.constant_(broken.weight, math.nan)
    worst = (-math.inf, -math.inf)
    classes, numbers = torch.zeros(20, dtype=torch.long), torch.zeros(20, 2)
    for lesson in (Lesson(rows, classes), Lesson(rows, numbers), Lesson(rows).taught(numbers)):
        assert score_of(broken, lesson) == worst


def test_a_module_that_breaks_while_it_learns_is_as_it_came() -> None:
    import torch
    from torch import nn

    torch.manual_seed(0)
    rows = torch.randn(64, 3)
    lesson = Lesson(rows, (rows[:, 0] > 0).long())
    module = nn.Linear(3, 2)
    before = copy.deepcopy(module.state_dict())
    told: list[float | None] = []
    train(
        module, lesson, Schooling(epochs=2, rate=math.inf), valid=lesson,
        tell=lambda _what, score: told.append(score),
    )  # fmt: skip
    assert told == [None, None]
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())


def test_a_model_whose_weights_are_no_numbers_is_not_made(
    trained: Any, given: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    def breaking(module: Any, *_args: Any, **_more: Any) -> None:
        with torch.no_grad():
            next(module.parameters()).fill_(math.nan)

    monkeypatch.setattr("modelyard.optimization.passes.torch.training.train", breaking)
    model, work = given(trained)
    for name in ("finetune", "prune", "factorize"):
        made = pass_named(name).run(model, {"energy": 0.9}, replace(work, valid=None))
        assert made.model is None
        assert "infinite or NaN" in made.why
