"""Modules of torch as ONNX graphs answer as they do, under the names that they answer by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from modelyard.core.table import Table
from modelyard.errors import Unsupported
from modelyard.optimization.passes import pass_named

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.heavy
torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

CONVERT: Any = pass_named("to-onnx")


def modules() -> dict[str, tuple[Any, list[str]]]:
    nn = torch.nn
    return {
        "scores": (nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 3)), ["output"]),
        "classes": (nn.Sequential(nn.Linear(6, 3), nn.Softmax(1)), ["probability", "label"]),
        "logs": (nn.Sequential(nn.Linear(6, 3), nn.LogSoftmax(1)), ["probability", "label"]),
        "chance": (nn.Sequential(nn.Linear(6, 1), nn.Sigmoid()), ["probability", "label"]),
        "number": (nn.Sequential(nn.Linear(6, 1)), ["prediction"]),
        "pictures": (
            nn.Sequential(
                nn.Unflatten(1, (1, 2, 3)), nn.Conv2d(1, 4, 2), nn.BatchNorm2d(4), nn.ReLU(),
                nn.Flatten(), nn.Dropout(0.5), nn.Linear(8, 3),
            ),
            ["output"],
        ),
    }  # fmt: skip


@pytest.mark.parametrize("named", [True, False], ids=["columns by name", "a matrix"])
@pytest.mark.parametrize("name", ["scores", "classes", "logs", "chance", "number", "pictures"])
def test_a_module_answers_the_same_as_a_graph(
    bench: Callable[..., Any], name: str, named: bool
) -> None:
    torch.manual_seed(2)
    module, outputs = modules()[name]
    values = np.random.default_rng(2).normal(size=(40, 6)).astype(np.float32)
    rows = Table({letter: values[:, at] for at, letter in enumerate("uvwxyz")})
    model, work = bench(module, rows if named else Table({"data": values}))
    made = CONVERT.run(model, {}, work())
    assert made.model.saved.details["parity"]["max_difference"] < 1e-5
    assert [each["name"] for each in made.model.signature["outputs"]] == outputs
    inputs = [each["name"] for each in made.model.signature["inputs"]]
    assert inputs == (list("uvwxyz") if named else ["data"])
    assert CONVERT.run(model, {}, work()).model.digest == made.model.digest


def test_the_names_of_weights_stay(bench: Callable[..., Any]) -> None:
    module, _ = modules()["scores"]
    rows = Table({"data": np.zeros((8, 6), np.float32)})
    model, work = bench(module, rows)
    graph = CONVERT.run(model, {}, work()).model.load().graph
    assert {"0.weight", "2.weight"} <= {tensor.name for tensor in graph.initializer}


def test_nothing_of_this_machine_is_in_a_graph(bench: Callable[..., Any]) -> None:
    module, _ = modules()["pictures"]
    rows = Table({"data": np.zeros((8, 6), np.float32)})
    model, work = bench(module, rows)
    content = CONVERT.run(model, {}, work()).model.load().SerializeToString()
    assert b"site-packages" not in content
    assert b".py" not in content


def test_tensors_alone_can_not_be_converted(bench: Callable[..., Any]) -> None:
    rows = Table({"data": np.zeros((8, 6), np.float32)})
    model, work = bench({"weight": torch.zeros(3)}, rows)
    with pytest.raises(Unsupported) as caught:
        CONVERT.run(model, {}, work())
    assert caught.value.kind in ("not-improvable", "no-predict")


@pytest.mark.slow
def test_what_tracing_can_not_follow_is_exported(bench: Callable[..., Any]) -> None:
    pytest.importorskip("onnxscript")
    from modelyard.optimization.passes.onnx.from_torch import torch_graphs

    module, _ = modules()["scores"]
    rows = Table({"data": np.zeros((8, 6), np.float32)})
    model, _work = bench(module, rows)
    ways = dict(torch_graphs(model.load(), model.signature, rows, columns=False))
    graph = ways["torch.export"]().graph
    assert [value.name for value in graph.output] == ["output"]
