"""Fine-tuning, distillation, low rank and soups of small networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from modelyard.core.table import Table
from modelyard.errors import InvalidInput, Unsupported
from modelyard.optimization.passes import pass_named
from modelyard.optimization.passes.torch.masks import sparsity_of
from modelyard.optimization.state import Rows, Subject

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelyard.optimization.state import Model

pytestmark = [pytest.mark.slow, pytest.mark.heavy]

NAMES = ("finetune", "distil", "factorize", "soup")


def test_a_network_that_knows_little_learns_and_keeps_its_best_epoch(
    given: Callable[..., Any], accuracy: Callable[[Model], float]
) -> None:
    import torch
    from torch import nn

    torch.manual_seed(0)
    model, work = given(
        nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    )
    told: list[tuple[str, float | None]] = []
    object.__setattr__(work, "tell", lambda what, score: told.append((what, score)))
    made = pass_named("finetune").run(model, {"rate": 3e-3, "epochs": 8}, work)
    assert made.model is not None
    assert accuracy(made.model) > 0.85 > accuracy(model)
    scores = [score for _, score in told if score is not None]
    assert len(scores) == 8
    assert scores[-1] > scores[0]


def test_training_ends_when_it_no_longer_helps(trained: Any, given: Callable[..., Any]) -> None:
    model, work = given(trained)
    told: list[str] = []
    object.__setattr__(work, "tell", lambda what, _score: told.append(what))
    made = pass_named("finetune").run(model, {"rate": 0.5, "epochs": 40, "patience": 2}, work)
    assert made.model is None
    assert made.why == "no epoch was better than the weights that were there"
    assert len(told) <= 4


def test_zeros_of_pruning_stay_zero_when_it_is_trained_on(
    trained: Any, given: Callable[..., Any]
) -> None:
    model, work = given(trained, rows=False)
    sparse = pass_named("prune").run(model, {"sparsity": 0.8}, work).model
    _, work = given(trained)
    tuned = pass_named("finetune").run(sparse, {"epochs": 3, "rate": 1e-3}, work).model
    assert tuned is not None
    assert sparsity_of(tuned.load()) == pytest.approx(0.8, abs=0.01)


def test_a_student_is_narrower_and_nearly_as_good(
    trained: Any, given: Callable[..., Any], accuracy: Callable[[Model], float]
) -> None:
    model, work = given(trained)
    made = pass_named("distil").run(model, {"width": 0.5, "epochs": 12}, work)
    assert made.model is not None
    assert accuracy(made.model) > accuracy(model) - 0.03
    student = made.model.load()
    assert student[0].out_channels == 6
    assert student[5].out_features == 32
    assert made.model.signature == model.signature
    new = pass_named("distil").run(*_with(given(trained), {"start": "new", "epochs": 1}))
    assert new.model is not None
    assert new.model.load()[0].out_channels == 3


def test_a_student_of_words_is_taught_without_mixing_them(given: Callable[..., Any]) -> None:
    import torch
    from torch import nn

    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Embedding(20, 8), nn.Flatten(), nn.Linear(40, 16), nn.ReLU(), nn.Linear(16, 2)
    )
    words = np.random.default_rng(0).integers(0, 20, (60, 5))
    rows = Rows(Table({"words": words}), (words[:, 0] > 9).astype(np.int64))
    made = pass_named("distil").run(*_with(given(net, rows, rows), {"width": 0.5, "epochs": 2}))
    assert made.model is not None


def test_layers_of_low_rank_keep_what_the_network_says(
    trained: Any, given: Callable[..., Any], accuracy: Callable[[Model], float]
) -> None:
    model, work = given(trained)
    made = pass_named("factorize").run(model, {"energy": 0.97, "epochs": 2}, work)
    assert made.model is not None
    assert made.model.size < 0.7 * model.size
    assert accuracy(made.model) > accuracy(model) - 0.02
    assert all(entry["rank"] < min(entry["shape"][:2]) for entry in made.changed)
    alone = pass_named("factorize").run(*_with(given(trained, rows=False), {"energy": 0.8}))
    assert alone.model is not None
    refused = pass_named("factorize").run(*_with(given(trained), {"energy": 1.0}))
    assert refused.model is None
    assert "no layer gets smaller" in refused.why


def test_a_layer_whose_rank_is_low_is_factorized_without_loss(given: Callable[..., Any]) -> None:
    import torch
    from torch import nn

    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(8, 32, 3, stride=2, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(512, 64)
    ).eval()
    with torch.no_grad():
        net[0].weight.copy_((torch.randn(32, 3) @ torch.randn(3, 72)).reshape(32, 8, 3, 3))
        net[3].weight.copy_(torch.randn(64, 4) @ torch.randn(4, 512))
    pictures = torch.randn(20, 8, 8, 8)
    rows = Rows(Table({"data": pictures.numpy()}))
    work = given(net, rows, task="other")
    made = pass_named("factorize").run(*_with(work, {"energy": 0.99999, "epochs": 0}))
    assert made.model is not None
    assert [entry["rank"] for entry in made.changed] == [3, 4]
    with torch.no_grad():
        error = (made.model.load().eval()(pictures) - net(pictures)).abs().max()
    assert float(error) < 0.05


def test_a_soup_is_no_worse_than_what_went_in(
    trained: Any, given: Callable[..., Any], digits: dict[str, Rows]
) -> None:
    from modelyard.optimization.measuring import quality

    model, work = given(trained)
    made = pass_named("soup").run(model, {"count": 3, "epochs": 2}, work)
    valid = digits["valid"]
    if made.model is not None:
        before = quality(model, valid, task="classification")
        assert quality(made.model, valid, task="classification") >= before
    made = pass_named("soup").run(
        *_with(given(trained), {"greedy": False, "epochs": 1, "count": 2})
    )
    assert made.model is not None
    assert made.notes == ("the mean of 2 fine-tunes",)


def test_a_soup_says_what_it_is_the_mean_of() -> None:
    from modelyard.optimization.passes.torch.soup import _told

    assert _told([1], 3) == "the best of 3 fine-tunes"
    assert _told([1, 0], 3) == "the mean of 2 of 3 fine-tunes"
    assert _told([0, 3], 3) == "the mean of 1 of 3 fine-tunes and the weights before"
    assert _told([3, 2, 1, 0], 3) == "the mean of 3 of 3 fine-tunes and the weights before"


def test_a_soup_of_the_best_alone_says_so(
    given: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from torch import nn

    from modelyard.optimization.passes.torch import soup

    monkeypatch.setattr(soup, "_greedy", lambda _module, _tuned, _valid: [1])
    model, work = given(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)))
    made = pass_named("soup").run(model, {"count": 2, "epochs": 1}, work)
    assert made.notes == ("the best of 2 fine-tunes",)


@pytest.mark.parametrize("name", NAMES)
def test_each_makes_the_same_bytes_again(
    name: str, trained: Any, given: Callable[..., Any]
) -> None:
    found = [
        pass_named(name).run(*_with(given(trained), {"epochs": 1, "count": 2})).model
        for _ in range(2)
    ]
    if found[0] is None:
        assert found[1] is None
    else:
        assert found[1] is not None
        assert found[0].digest == found[1].digest


@pytest.mark.parametrize("name", NAMES)
def test_each_says_what_it_cannot_take(name: str, trained: Any, given: Callable[..., Any]) -> None:
    import torch

    step = pass_named(name)
    foreign = Subject(framework="onnx", serializer="onnx", class_name="x", size=1, rows=9)
    assert step.why_not(foreign) is not None
    exported = Subject(framework="torch", serializer="export", class_name="x", size=1, rows=9)
    assert "exported" in (step.why_not(exported) or "")
    tensors, work = given({"w": torch.ones(3, 3)})
    with pytest.raises(Unsupported) as refused:
        step.run(tensors, {}, work)
    assert refused.value.kind == "not-improvable"
    wrong = {"finetune": "rate", "distil": "width", "factorize": "energy", "soup": "count"}[name]
    with pytest.raises(InvalidInput) as bad:
        step.run(*_with(given(trained), {wrong: "much"}))
    assert bad.value.kind == "bad-pass-option"


def _with(made: tuple[Any, Any], params: dict[str, Any]) -> tuple[Any, dict[str, Any], Any]:
    return made[0], params, made[1]
