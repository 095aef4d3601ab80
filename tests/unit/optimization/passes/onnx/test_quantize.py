"""Graphs with fewer bits say nearly the same, and are made again bit for bit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from modelyard.core.table import Table
from modelyard.errors import InvalidInput, Unsupported
from modelyard.optimization.passes import pass_named
from modelyard.optimization.passes.onnx.protos import operators_of
from modelyard.optimization.passes.onnx.sessions import answers, feeds_of, fidelity
from modelyard.optimization.state import Subject

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelyard.optimization.state import Model

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

QUANTIZE: Any = pass_named("quantize")


def likeness(before: Model, after: Model, rows: Table) -> float:
    feeds = feeds_of(before.load(), before.signature, rows)
    return fidelity(answers(before.load(), feeds), answers(after.load(), feeds))


@pytest.mark.parametrize(
    ("params", "smaller", "alike"),
    [
        ({"kind": "static"}, 2.5, 0.999),
        ({"kind": "weights"}, 3.0, 0.9999),
        ({"kind": "blocks"}, 3.0, 0.99995),
        ({"kind": "float16"}, 1.8, 0.999999),
        ({"kind": "bfloat16"}, 1.8, 0.99999),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)
def test_convolutions_take_fewer_bits(
    bench: Callable[..., Any], network: Any, params: dict[str, Any], smaller: float, alike: float
) -> None:
    proto, rows = network
    model, work = bench(proto, rows)
    made = QUANTIZE.run(model, params, work())
    assert made.model is not None
    assert model.size / made.model.size > smaller
    assert likeness(model, made.model, rows) > alike
    again = QUANTIZE.run(model, {**params, **made.params}, work())
    assert again.model is not None
    assert again.model.digest == made.model.digest


@pytest.mark.parametrize(
    ("params", "smaller", "alike"),
    [
        ({"kind": "dynamic"}, 3.0, 0.999),
        ({"kind": "weights"}, 3.0, 0.999),
        ({"kind": "blocks"}, 2.8, 0.9995),
        ({"kind": "weights", "bits": 4, "block": 32}, 4.5, 0.98),
        ({"kind": "weights", "bits": 4, "block": 64}, 5.0, 0.97),
    ],
    ids=["dynamic", "weights", "blocks", "4 bits by 32", "4 bits by 64"],
)
def test_products_and_embeddings_take_fewer_bits(
    bench: Callable[..., Any], reader: Any, params: dict[str, Any], smaller: float, alike: float
) -> None:
    proto, rows = reader
    model, work = bench(proto, rows)
    made = QUANTIZE.run(model, params, work())
    assert made.model is not None
    assert model.size / made.model.size > smaller
    assert likeness(model, made.model, rows) > alike
    again = QUANTIZE.run(model, {**params, **made.params}, work())
    assert again.model is not None
    assert again.model.digest == made.model.digest


def test_an_embedding_stays_small_in_memory(bench: Callable[..., Any], reader: Any) -> None:
    proto, rows = reader
    model, work = bench(proto, rows)
    made = QUANTIZE.run(model, {"kind": "weights"}, work()).model.load()
    gathered = [node.input[0] for node in made.graph.node if node.op_type == "Gather"]
    kinds = {tensor.name: tensor.data_type for tensor in made.graph.initializer}
    assert 3 in {kinds[name] for name in gathered}  # int8


def test_the_names_of_inputs_outputs_and_weights_stay(
    bench: Callable[..., Any], network: Any
) -> None:
    proto, rows = network
    model, work = bench(proto, rows)
    made = QUANTIZE.run(model, {"kind": "weights"}, work()).model
    graph = made.load().graph
    assert [value.name for value in graph.input] == ["image"]
    assert [value.name for value in graph.output] == ["scores"]
    assert "second.weight_int8" in {tensor.name for tensor in graph.initializer}
    assert made.signature == model.signature


def test_the_most_sensitive_layers_can_stay_floats(bench: Callable[..., Any], network: Any) -> None:
    proto, rows = network
    model, work = bench(proto, rows)
    all_short = QUANTIZE.run(model, {"kind": "static"}, work())
    some = QUANTIZE.run(model, {"kind": "static", "keep": 1}, work())
    assert len(some.params["keep"]) == 1
    assert likeness(model, some.model, rows) > likeness(model, all_short.model, rows)
    assert some.model.size > all_short.model.size
    again = QUANTIZE.run(model, {"kind": "static", **some.params}, work())
    assert again.model.digest == some.model.digest  # without a search


def test_auto_keeps_only_as_many_layers_as_it_must(bench: Callable[..., Any], network: Any) -> None:
    proto, rows = network
    model, work = bench(proto, rows)
    easy = QUANTIZE.run(model, {"kind": "static", "keep": "auto", "fidelity": 0.9}, work())
    assert easy.params["keep"] == []
    reached = likeness(model, easy.model, rows)
    goal = reached + 0.3 * (1 - reached)
    hard = QUANTIZE.run(model, {"kind": "static", "keep": "auto", "fidelity": goal}, work())
    assert 0 < len(hard.params["keep"]) < 3


def test_ranges_are_measured_on_made_up_rows_where_there_are_none(
    bench: Callable[..., Any], network: Any
) -> None:
    proto, rows = network
    model, work = bench(proto, rows, known=False)
    made = QUANTIZE.run(model, {"kind": "static"}, work())
    assert likeness(model, made.model, rows) > 0.99


def test_convolutions_are_never_quantized_dynamically(
    bench: Callable[..., Any], network: Any
) -> None:
    proto, rows = network
    model, work = bench(proto, rows)
    made = QUANTIZE.run(model, {"kind": "dynamic"}, work())
    assert operators_of(made.model.load())["Conv"] == 2
    with pytest.raises(InvalidInput) as caught:
        QUANTIZE.run(model, {"kind": "dynamic", "operators": ["Conv"]}, work())
    assert caught.value.kind == "bad-pass-option"


@pytest.mark.parametrize(
    "params",
    [
        {"kind": "int9"}, {"bits": 3}, {"kind": "static", "bits": 4}, {"keep": "most"},
        {"keep": -1}, {"keep": [1]}, {"block": 7}, {"rows": 0}, {"fidelity": "good"},
        {"per_channel": 1}, {"calibration": "guess"},
    ],
    ids=str,
)  # fmt: skip
def test_options_that_can_not_be_are_refused(
    bench: Callable[..., Any], network: Any, params: dict[str, Any]
) -> None:
    proto, rows = network
    model, work = bench(proto, rows)
    with pytest.raises(InvalidInput) as caught:
        QUANTIZE.run(model, params, work())
    assert caught.value.kind == "bad-pass-option"


def test_other_models_must_be_converted_first(bench: Callable[..., Any]) -> None:
    linear = pytest.importorskip("sklearn.linear_model")
    rows = Table({"data": np.random.default_rng(0).normal(size=(20, 3))})
    fitted = linear.LinearRegression().fit(rows.matrix(), rows.matrix()[:, 0])
    model, work = bench(fitted, rows)
    with pytest.raises(Unsupported) as caught:
        QUANTIZE.run(model, {"kind": "weights"}, work())
    assert (caught.value.kind, caught.value.hint) == (
        "not-improvable", "put the pass to-onnx before it"
    )  # fmt: skip


def test_it_says_why_it_can_not_help() -> None:
    def subject(framework: str, name: str, **operators: int) -> Subject:
        return Subject(
            framework=framework, serializer="x", class_name=name, size=1, operators=operators
        )

    assert QUANTIZE.why_not(subject("onnx", "onnx.ModelProto", Conv=1)) is None
    assert QUANTIZE.why_not(subject("onnx", "onnx.ModelProto", TreeEnsembleClassifier=1))
    assert QUANTIZE.why_not(subject("torch", "torch.nn.modules.container.Sequential")) is None
    assert QUANTIZE.why_not(subject("sklearn", "sklearn.svm._classes.SVC"))
    kinds = QUANTIZE.options(subject("onnx", "x", MatMul=4, Gather=1))["kind"]
    assert kinds.values[0] == "dynamic"


def test_what_has_few_weights_is_left_as_it_is(bench: Callable[..., Any]) -> None:
    onnx = pytest.importorskip("onnx")
    node = onnx.helper.make_node("Relu", ["x"], ["y"])
    ports = [onnx.helper.make_tensor_value_info(name, 1, ["batch", 2]) for name in "xy"]
    graph = onnx.helper.make_graph([node], "g", ports[:1], ports[1:])
    proto = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=9
    )
    model, work = bench(proto, Table({"x": np.zeros((4, 2), np.float32)}))
    assert QUANTIZE.run(model, {"kind": "weights"}, work()).model is None
    with pytest.raises(Unsupported, match="the graph has none of"):
        QUANTIZE.run(model, {"kind": "static"}, work())
