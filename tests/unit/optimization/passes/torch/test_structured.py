"""How far channels can go, and what is said of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from modelyard.core.table import Table
from modelyard.optimization.passes import pass_named
from modelyard.optimization.state import Rows

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.slow, pytest.mark.heavy]


@pytest.mark.parametrize("rounds", [1, 2, 4])
def test_when_no_more_channels_can_go_it_trains_on_and_says_so(
    rounds: int, given: Callable[..., Any]
) -> None:
    import torch
    from torch import nn

    torch.manual_seed(0)
    net = nn.Sequential(  # most weights are before the norm, whose channels can't go
        nn.Linear(32, 64), nn.LayerNorm(64), nn.ReLU(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 2)
    )  # fmt: skip
    x = np.random.default_rng(0).standard_normal((300, 32)).astype(np.float32)
    rows = Rows(Table({"x": x}), (x[:, 0] > 0).astype(np.int64))
    model, work = given(net, rows.take(slice(0, 200)), rows.take(slice(200, 300)))
    told: list[str] = []
    object.__setattr__(work, "tell", lambda what, _score: told.append(what))
    made = pass_named("prune").run(
        model, {"kind": "structured", "sparsity": 0.8, "epochs": 1, "rounds": rounds}, work
    )
    assert made.model is not None
    assert made.model.load()[3].out_features == 1
    assert made.notes == (
        "16.9% of the parameters are gone: 3 8 to 1",
        "80.0% were to go, but no more of its channels can",
    )
    assert told[-1] == f"round {rounds} of {rounds}: epoch 2 of 2"


def test_what_came_as_far_as_was_asked_says_no_more(
    trained: Any, given: Callable[..., Any]
) -> None:
    model, work = given(trained)
    made = pass_named("prune").run(
        model, {"kind": "structured", "sparsity": 0.5, "epochs": 1}, work
    )
    assert len(made.notes) == 1
