"""Graphs made simpler say the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from modelyard.errors import InvalidInput, Unsupported
from modelyard.optimization.passes import pass_named
from modelyard.optimization.passes.onnx.names import shortened
from modelyard.optimization.passes.onnx.sessions import answers, feeds_of, simplified

if TYPE_CHECKING:
    from collections.abc import Callable

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

GRAPH: Any = pass_named("graph")


def padded(proto: Any) -> Any:
    """With a dead node, and a constant that could be folded."""
    found = onnx.ModelProto()
    found.CopyFrom(proto)
    make = onnx.helper.make_node
    half = onnx.numpy_helper.from_array(np.array([0.5], np.float32), "half")
    found.graph.initializer.append(half)
    found.graph.node.insert(0, make("Add", ["half", "half"], ["one"], name="fold"))
    found.graph.node.insert(0, make("Relu", ["image"], ["dead"], name="dead"))
    last = found.graph.node[-1]
    last.output[0] = "raw"
    found.graph.node.append(make("Mul", ["raw", "one"], ["scores"], name="times"))
    return found


@pytest.mark.parametrize("level", ["basic", "extended"])
def test_constants_are_folded_and_dead_parts_go(
    bench: Callable[..., Any], network: Any, level: str
) -> None:
    proto, rows = network
    model, work = bench(padded(proto), rows)
    made = GRAPH.run(model, {"level": level}, work())
    assert made.model is not None
    after = made.model.load()
    assert len(after.graph.node) < len(proto.graph.node) + 2
    feeds = feeds_of(proto, model.signature, rows)
    for wanted, found in zip(answers(proto, feeds), answers(after, feeds), strict=True):
        np.testing.assert_allclose(found["scores"], wanted["scores"], atol=1e-4)
    assert GRAPH.run(model, {"level": level}, work()).model.digest == made.model.digest


def test_what_is_simple_already_is_left_alone(bench: Callable[..., Any], network: Any) -> None:
    proto, rows = network
    model, work = bench(simplified(proto, "basic"), rows)
    made = GRAPH.run(model, {"level": "basic"}, work())
    assert made.model is None
    assert made.why == "the graph is as simple as it can be"


def test_packed_weights_stay_packed(bench: Callable[..., Any], network: Any) -> None:
    proto, rows = network
    model, work = bench(proto, rows)
    packed = pass_named("quantize").run(model, {"kind": "weights"}, work()).model
    assert packed is not None
    after = GRAPH.run(packed, {"level": "extended"}, work()).model or packed
    assert after.size < 0.5 * model.size


def test_a_number_for_all_rows_can_be_compared(bench: Callable[..., Any], network: Any) -> None:
    proto, rows = network
    long = padded(proto)
    make = onnx.helper
    long.graph.node.append(make.make_node("ReduceSum", ["scores"], ["sum"], name="s", keepdims=0))
    long.graph.output.append(make.make_tensor_value_info("sum", 1, []))
    model, work = bench(long, rows)
    assert GRAPH.run(model, {"level": "basic"}, work()).model is not None


def test_a_batch_larger_than_the_rows_is_compared_all_the_same(
    bench: Callable[..., Any], network: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from modelyard.optimization.passes.onnx import graph

    proto, rows = network
    long = padded(proto)
    long.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 100
    model, work = bench(long, rows)

    def wrong(before: Any, *args: Any, **options: Any) -> Any:
        found = simplified(before, *args, **options)
        found.graph.node.add(op_type="Neg", input=["scores"], output=["less"])
        found.graph.output[0].name = "scores"
        found.graph.node[-2].output[0], found.graph.node[-1].input[0] = "less_", "less_"
        found.graph.node[-1].output[0] = "scores"
        return found

    monkeypatch.setattr(graph, "simplified", wrong)
    with pytest.raises(Unsupported, match="the converted model differs"):
        GRAPH.run(model, {"level": "basic"}, work())


def test_a_level_that_is_not_known_is_refused(bench: Callable[..., Any], network: Any) -> None:
    proto, rows = network
    model, work = bench(proto, rows)
    with pytest.raises(InvalidInput, match="level is one of"):
        GRAPH.run(model, {"level": "all"}, work())


def test_names_become_short_and_the_answers_stay(network: Any) -> None:
    proto, rows = network
    long = onnx.ModelProto()
    long.CopyFrom(proto)
    for node in long.graph.node:
        for side in (node.input, node.output):
            for at, name in enumerate(side):
                if name in "abcdef":
                    side[at] = f"{'scope/' * 40}{name}"
    short = shortened(long)
    assert short.ByteSize() < proto.ByteSize()
    assert {t.name for t in short.graph.initializer} > {"second.weight", "last.weight"}
    assert long.graph.node[0].output[0].startswith("scope/")  # the graph that was given stays
    feeds = feeds_of(proto, None, rows)
    for wanted, found in zip(answers(proto, feeds), answers(short, feeds), strict=True):
        np.testing.assert_array_equal(found["scores"], wanted["scores"])
