"""The loop: batches of one row, sparse gradients, and the unit of what a teacher says."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from modelyard.core.table import Table
from modelyard.errors import InvalidInput
from modelyard.optimization.passes import pass_named
from modelyard.optimization.passes.torch.losses import loss_of
from modelyard.optimization.passes.torch.networks import Lesson
from modelyard.optimization.passes.torch.training import Schooling, train
from modelyard.optimization.state import Rows

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.slow, pytest.mark.heavy]


def lesson(rows: int = 40) -> Lesson:
    import torch

    torch.manual_seed(1)
    inputs = torch.randn(rows, 6)
    return Lesson(inputs, (inputs[:, 0] > 0).long())


@pytest.mark.parametrize(("rows", "batch"), [(40, 1), (1, 64)])
def test_a_single_row_is_learned_from_and_norms_keep_what_they_know(rows: int, batch: int) -> None:
    import torch
    from torch import nn

    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4), nn.Dropout(0.1), nn.Linear(4, 2))
    before = copy.deepcopy(module)
    train(module, lesson(rows), Schooling(epochs=1, batch=batch))
    assert not torch.equal(module[0].weight, before[0].weight)
    assert not torch.equal(module[1].weight, before[1].weight)
    assert torch.equal(module[1].running_mean, before[1].running_mean)
    assert all(part.training for part in module.modules())


def test_a_norm_that_must_see_rows_together_says_so() -> None:
    from torch import nn

    module = nn.Sequential(nn.BatchNorm1d(6, track_running_stats=False), nn.Linear(6, 2))
    with pytest.raises(InvalidInput, match="more than 1 value per channel"):
        train(module, lesson(), Schooling(epochs=1, batch=1))


def test_sparse_gradients_teach_what_dense_ones_do(given: Callable[..., Any]) -> None:
    import torch
    from torch import nn

    words = np.random.default_rng(0).integers(0, 20, (120, 5))
    rows = Rows(Table({"words": words}), (words[:, 0] > 9).astype(np.int64))
    found = []
    for sparse in (False, True):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Embedding(20, 8, sparse=sparse), nn.Flatten(), nn.Linear(40, 2))
        for name, params in (("finetune", {"rate": 1e-2}), ("prune", {"sparsity": 0.4})):
            model, work = given(net, rows, rows)
            made = pass_named(name).run(model, {**params, "epochs": 3}, work)
            assert made.model is not None
            found.append(made.model.load().state_dict()["0.weight"])
    assert torch.equal(found[0], found[2])
    assert torch.equal(found[1], found[3])


def test_numbers_are_compared_in_one_unit_however_small_the_batch() -> None:
    import torch
    from torch import nn

    torch.manual_seed(0)
    inputs = torch.randn(40, 6)
    module = nn.Linear(6, 1)
    taught = Lesson(inputs, inputs[:, 0]).taught(10 * inputs[:, :1] + 3)
    assert taught.scale == pytest.approx(float((10 * inputs[:, 0]).var(correction=0)))
    losses = {
        size: float(torch.stack([_loss(module, taught, rows) for rows in rows_by(size)]).mean())
        for size in (1, 2, 8, 40)
    }
    assert losses == {size: pytest.approx(losses[40], rel=1e-4) for size in losses}


def test_a_teacher_that_says_the_same_of_all_can_be_learned_from() -> None:
    import torch

    some = lesson()
    assert some.taught(torch.full((40, 1), 7.0)).scale == 1.0
    assert Lesson(some.inputs[:1]).taught(torch.ones(1, 1)).scale == 1.0


def test_mixed_rows_are_told_in_the_unit_of_the_others() -> None:
    import torch
    from torch import nn

    torch.manual_seed(0)
    inputs = torch.randn(65, 6)  # the last batch has one row more than none
    teacher = nn.Linear(6, 1).requires_grad_(requires_grad=False)
    taught = Lesson(inputs, inputs[:, 0]).taught(teacher(inputs))
    module = nn.Linear(6, 1)
    how = Schooling(epochs=30, rate=0.03, batch=3, mix=1.0, soft=1.0)
    train(module, taught, how, teacher=teacher)
    assert torch.allclose(module.weight, teacher.weight, atol=0.02)


def rows_by(size: int) -> Any:
    import torch

    return torch.arange(40).split(size)


def _loss(module: Any, taught: Lesson, rows: Any) -> Any:
    batch = taught.take(rows)
    return loss_of(module, batch, module(batch.inputs), soft=1.0).detach()
