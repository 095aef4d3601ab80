"""Encoders of transformers as ONNX graphs answer as they do, for texts of any length."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from modelyard.core.table import Table
from modelyard.errors import Unsupported
from modelyard.optimization.passes import pass_named
from modelyard.runtimes import runtime_of

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.heavy
torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("onnxruntime")

CONVERT: Any = pass_named("to-onnx")


def config(**more: Any) -> Any:
    return transformers.BertConfig(
        vocab_size=60, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=32, **more,
    )  # fmt: skip


def tokens(rows: int, length: int, seed: int) -> Table:
    rng = np.random.default_rng(seed)
    mask = (np.arange(length) < rng.integers(2, length + 1, (rows, 1))).astype(np.int64)
    return Table({"input_ids": rng.integers(5, 60, (rows, length)), "attention_mask": mask})


@pytest.mark.parametrize("head", ["embedding", "classes", "number"])
def test_an_encoder_answers_the_same_as_a_graph(bench: Callable[..., Any], head: str) -> None:
    torch.manual_seed(1)
    made = {
        "embedding": lambda: transformers.BertModel(config()),
        "classes": lambda: transformers.BertForSequenceClassification(
            config(id2label={0: "bad", 1: "fair", 2: "good"})
        ),
        "number": lambda: transformers.BertForSequenceClassification(config(num_labels=1)),
    }[head]().eval()
    model, work = bench(made, tokens(20, 9, seed=1))
    graph = CONVERT.run(model, {}, work()).model
    assert graph.saved.details["parity"]["max_difference"] < 1e-5
    longer = tokens(7, 17, seed=2)
    wanted = runtime_of("transformers", model.load(), model.signature).predict(longer).outputs
    found = runtime_of("onnx", graph.load(), graph.signature).predict(longer).outputs
    assert set(found) == set(wanted)
    for name, values in wanted.items():
        if values.dtype.kind == "f":
            np.testing.assert_allclose(found[name], values, atol=1e-5)
        else:
            assert found[name].tolist() == values.tolist()


def test_texts_can_not_go_into_a_graph(bench: Callable[..., Any]) -> None:
    model, work = bench(transformers.BertModel(config()).eval(), tokens(6, 4, seed=0))
    with pytest.raises(Unsupported, match="a graph takes tokens"):
        list(_ways(model, None))
    assert CONVERT.run(model, {}, work()).model is not None


def _ways(model: Any, rows: Table | None) -> Any:
    from modelyard.optimization.passes.onnx.from_transformers import transformers_graphs

    return transformers_graphs(model.load(), rows)
