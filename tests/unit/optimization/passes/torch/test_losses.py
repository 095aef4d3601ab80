"""What modules are taught by: one meaning, however a module spells its answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelyard.core.table import Table
from modelyard.errors import InvalidInput, Unsupported
from modelyard.frameworks import FolderFiles, Saved
from modelyard.optimization.passes.torch import networks
from modelyard.optimization.passes.torch.losses import loss_of, outputs_of, score_of
from modelyard.optimization.passes.torch.masks import Masks
from modelyard.optimization.passes.torch.networks import Lesson
from modelyard.optimization.passes.torch.training import Schooling, train
from modelyard.optimization.state import Model, Rows

pytestmark = [pytest.mark.slow, pytest.mark.heavy]


def lesson(rows: int = 40) -> Lesson:
    import torch

    torch.manual_seed(1)
    inputs = torch.randn(rows, 6)
    return Lesson(inputs, (inputs[:, 0] > 0).long())


def test_scores_chances_and_their_logarithms_give_the_same_loss() -> None:
    import torch
    from torch import nn

    linear = nn.Linear(6, 3)
    some = lesson()
    taught = some.taught(torch.randn(40, 3))
    losses, scores = [], []
    for last in (nn.Identity(), nn.Softmax(1), nn.LogSoftmax(1)):
        module = nn.Sequential(linear, last)
        said = nn.Sequential(nn.Identity(), last)(taught.soft)
        batch = some.taught(said)
        losses.append(float(loss_of(module, batch, module(some.inputs), soft=0.3).detach()))
        scores.append(score_of(module, some))
    assert losses == pytest.approx([losses[0]] * 3, rel=1e-4)
    assert [score[0] for score in scores] == [scores[0][0]] * 3


def test_one_number_for_two_classes_may_be_a_chance_or_a_score() -> None:
    import torch
    from torch import nn

    linear = nn.Linear(6, 1)
    some = lesson()
    plain, squashed = nn.Sequential(linear), nn.Sequential(linear, nn.Sigmoid())
    one = float(loss_of(plain, some, plain(some.inputs)).detach())
    other = float(loss_of(squashed, some, squashed(some.inputs)).detach())
    wanted = nn.functional.binary_cross_entropy_with_logits(
        linear(some.inputs)[:, 0], some.target.float()
    )
    assert one == pytest.approx(other, rel=1e-4)
    assert one == pytest.approx(float(wanted.detach()), rel=1e-4)
    flat = nn.Sequential(linear, nn.Flatten(0))
    assert score_of(plain, some)[0] == score_of(squashed, some)[0] == score_of(flat, some)[0]
    assert torch.is_tensor(outputs_of(flat, some.inputs))


def test_rows_of_more_weight_count_more() -> None:
    import torch
    from torch import nn

    module = nn.Linear(6, 2)
    some = lesson()
    weights = torch.zeros(40)
    weights[:5] = 2.0
    heavy = Lesson(some.inputs, some.target, weights)
    few = Lesson(some.inputs[:5], some.target[:5])
    assert float(loss_of(module, heavy, module(heavy.inputs)).detach()) == pytest.approx(
        float(loss_of(module, few, module(few.inputs)).detach()), rel=1e-5
    )


def test_what_a_module_cannot_learn_is_refused() -> None:
    from torch import nn

    some = lesson()
    module = nn.Linear(6, 1)
    numbers = Lesson(some.inputs, some.inputs[:, :3])
    with pytest.raises(InvalidInput) as caught:
        loss_of(module, numbers, module(some.inputs))
    assert caught.value.kind == "bad-target"
    three = Lesson(some.inputs, some.target + 2)
    with pytest.raises(InvalidInput, match="class 3"):
        loss_of(nn.Linear(6, 2), three, nn.Linear(6, 2)(some.inputs))
    with pytest.raises(Unsupported, match="one output"):
        loss_of(module, some, {"a": module(some.inputs)})
    with pytest.raises(InvalidInput, match="can't be trained"):
        train(nn.Linear(5, 2), some, Schooling(epochs=1))


def test_a_last_batch_of_one_row_does_not_stop_a_norm() -> None:
    import torch
    from torch import nn

    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))
    train(module, lesson(33), Schooling(epochs=1, batch=32))
    assert module.training


def test_masks_hold_while_all_else_learns() -> None:
    import torch
    from torch import nn

    torch.manual_seed(0)
    module = nn.Linear(6, 2)
    weights = {"weight": module.weight}
    mask = torch.ones(2, 6)
    mask[:, 3:] = 0
    keeper = Masks(weights, {"weight": mask})
    some = lesson(200)
    score = train(module, some, Schooling(epochs=10, rate=0.03), valid=some, keeper=keeper)
    assert score is not None
    assert score > 0.9
    assert bool((module.weight[:, 3:] == 0).all())


def test_columns_come_in_the_order_of_the_signature() -> None:
    from torch import nn

    signature = {"inputs": [{"name": n, "dtype": "float32", "shape": [-1]} for n in "ba"]}
    saved = Saved(framework="torch", serializer="safetensors", class_name="x")
    model = Model(folder=_nowhere(), saved=saved, signature=signature)
    table = Table({"a": np.zeros(3), "b": np.ones(3), "label": np.ones(3)})
    tensor = networks.tensor_of(nn.Linear(2, 2), model, table)
    assert tensor.tolist() == [[1.0, 0.0]] * 3
    learned = networks.lesson_of(
        nn.Linear(2, 2), model, Rows(table, np.array([0.0, 1.0, 1.0])), "classification"
    )
    assert not learned.target.is_floating_point()


def _nowhere() -> Any:
    from pathlib import Path

    return FolderFiles(Path()).folder()
