"""Graphs that fewer bits could ruin: masks, tables looked up by columns, names that clash."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from modelyard.core.table import Table
from modelyard.errors import InvalidInput, Unsupported
from modelyard.optimization.passes import pass_named
from modelyard.optimization.passes.onnx.masks import masking
from modelyard.optimization.passes.onnx.protos import operators_of
from modelyard.optimization.passes.onnx.sessions import answers, feeds_of

if TYPE_CHECKING:
    from collections.abc import Callable

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

QUANTIZE: Any = pass_named("quantize")
FLOAT, INT64 = 1, 7
WHOLE = [{"kind": "static"}, {"kind": "dynamic"}]
PACKED = [{"kind": "weights"}, {"kind": "blocks"}, {"kind": "weights", "bits": 4}]
HALVES = [{"kind": "float16"}, {"kind": "bfloat16"}]


def short(params: dict[str, Any]) -> str:
    return " ".join(map(str, params.values()))


def graph(
    nodes: list[Any], inputs: list[Any], outputs: list[Any], weights: dict[str, Any],
    opset: int = 17,
) -> Any:  # fmt: skip
    make = onnx.helper
    tensors = [onnx.numpy_helper.from_array(value, name) for name, value in weights.items()]
    ports = [[make.make_tensor_value_info(*each) for each in side] for side in (inputs, outputs)]
    made = make.make_graph(nodes, "g", *ports, tensors)
    return make.make_model(made, opset_imports=[make.make_opsetid("", opset)], ir_version=8)


def node(op: str, inputs: str, output: str, **more: Any) -> Any:
    return onnx.helper.make_node(op, inputs.split(), [output], name=f"{op}_{output}", **more)


def normal(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def far(before: Any, after: Any, signature: Any, rows: Table) -> float:
    """The largest difference, of the largest number."""
    feeds = feeds_of(before, signature, rows)
    pairs = zip(answers(before, feeds), answers(after, feeds), strict=True)
    return max(
        float(np.abs(found[name] - wanted[name]).max() / np.abs(wanted[name]).max())
        for wanted, found in pairs
        for name in wanted
    )


@pytest.fixture
def quantized(bench: Callable[..., Any]) -> Callable[..., tuple[Any, float]]:
    """The graph with fewer bits, or None, and how far its answers are."""

    def run(proto: Any, params: dict[str, Any], rows: Table) -> tuple[Any, float]:
        model, work = bench(proto, rows)
        made = QUANTIZE.run(model, params, work())
        if made.model is None:
            return None, 0.0
        after = made.model.load()
        return after, far(proto, after, model.signature, rows)

    return run


def words() -> tuple[Any, Table]:
    """A table looked up and multiplied, as encoders begin."""
    proto = graph(
        [node("Gather", "table ids", "e"), node("MatMul", "e inner", "y")],
        [("ids", INT64, ["b", "s"])], [("y", FLOAT, ["b", "s", 64])],
        {"table": normal(500, 64), "inner": normal(64, 64, seed=1)},
    )  # fmt: skip
    return proto, Table({"ids": np.random.default_rng(2).integers(0, 500, (40, 7))})


@pytest.mark.parametrize("params", WHOLE + PACKED, ids=short)
@pytest.mark.parametrize("axis", [1, -1])
def test_columns_that_are_looked_up_stay_columns(
    quantized: Any, params: dict[str, Any], axis: int
) -> None:
    proto = graph(
        [node("Gather", "w i", "g", axis=axis), node("MatMul", "x g", "y")],
        [("x", FLOAT, ["b", 64]), ("i", INT64, ["b"])], [("y", FLOAT, ["b", "b"])],
        {"w": normal(64, 64)},
    )  # fmt: skip
    order = np.random.default_rng(3).permutation(64)
    _, error = quantized(proto, params, Table({"x": normal(64, 64, seed=1), "i": order}))
    assert error < 0.2


def test_rows_counted_from_the_end_are_looked_up_too(quantized: Any) -> None:
    proto, rows = words()
    proto.graph.node[0].attribute.append(onnx.helper.make_attribute("axis", -2))
    made, error = quantized(proto, {"kind": "weights"}, rows)
    assert "table_row_scale" in {tensor.name for tensor in made.graph.initializer}
    assert error < 0.02


@pytest.mark.parametrize("params", WHOLE + PACKED, ids=short)
def test_a_lookup_that_is_multiplied_can_be_quantized(
    bench: Callable[..., Any], params: dict[str, Any]
) -> None:
    proto, rows = words()
    model, work = bench(proto, rows)
    made = QUANTIZE.run(model, params, work())
    assert made.params.get("operators") is None  # the whole plan, not what was left of it
    assert made.model.size < 0.32 * model.size
    assert far(proto, made.model.load(), model.signature, rows) < 0.2


@pytest.mark.parametrize("params", WHOLE + PACKED + HALVES, ids=short)
def test_names_of_the_graph_are_not_taken_twice(quantized: Any, params: dict[str, Any]) -> None:
    own = ("scale", "zero_point", "quantized", "int8", "float", "step", "int4", "half", "zero")
    weights = {f"w_{name}": np.abs(normal(64, seed=at)) + 1 for at, name in enumerate(own)}
    nodes = [node("MatMul", "x w", "h0")]
    nodes += [node("Mul", f"h{at} {name}", f"h{at + 1}") for at, name in enumerate(weights)]
    proto = graph(
        nodes, [("x", FLOAT, ["b", 64])], [(f"h{len(own)}", FLOAT, ["b", 64])],
        {"w": normal(64, 64), **weights},
    )  # fmt: skip
    _, error = quantized(proto, params, Table({"x": normal(40, 64, seed=1)}))
    assert error < 0.3


def test_ports_called_as_the_quantizer_calls_things_make_others_change_names(
    quantized: Any,
) -> None:
    def proto(inner: str) -> Any:
        return graph(
            [node("MatMul", f"x {inner}", "h"), node("Mul", "h w_scale", "y")],
            [("x", FLOAT, ["b", 64]), ("w_scale", FLOAT, ["b", 1])], [("y", FLOAT, ["b", 64])],
            {inner: normal(64, 64)},
        )  # fmt: skip

    rows = Table({"x": normal(40, 64, seed=1), "w_scale": np.ones((40, 1), np.float32)})
    for params in WHOLE:
        _, error = quantized(proto("w"), params, rows)
        assert error < 0.05
    both = graph(
        [node("MatMul", "w v", "h"), node("Mul", "h w_scale", "y")],
        [("w", FLOAT, ["b", 64]), ("w_scale", FLOAT, ["b", 1])], [("y", FLOAT, ["b", 64])],
        {"v": normal(64, 64)},
    )  # fmt: skip
    rows = Table({"w": normal(40, 64, seed=1), "w_scale": np.ones((40, 1), np.float32)})
    with pytest.raises(Unsupported, match="adds to 'w' as 'w_scale' is called"):
        quantized(both, {"kind": "static"}, rows)


@pytest.mark.parametrize("low", [-np.inf, np.finfo(np.float32).min, -1e9], ids=str)
@pytest.mark.parametrize("params", WHOLE + PACKED + HALVES, ids=short)
def test_a_mask_stays_a_mask(quantized: Any, params: dict[str, Any], low: float) -> None:
    mask = np.triu(np.full((1, 64, 64), low, np.float32), 1)
    proto = graph(
        [node("MatMul", "x w", "a"), node("Add", "a mask", "b"), node("Softmax", "b", "y")],
        [("x", FLOAT, ["b", 64, 64])], [("y", FLOAT, ["b", 64, 64])],
        {"w": normal(64, 64) / 8, "mask": mask},
    )  # fmt: skip
    made, error = quantized(proto, params, Table({"x": normal(8, 64, 64, seed=1)}))
    assert made is not None
    assert error < 0.3
    named = {tensor.name for tensor in made.graph.initializer}
    assert not any(name.startswith("mask_") and name != "mask_half" for name in named)


def test_what_comes_after_a_mask_stays_floats_until_it_is_small_again() -> None:
    proto = graph(
        [
            node("Where", "c low x", "a"), node("Reshape", "a shape", "b"),
            node("Softmax", "b", "d"), node("Add", "d one", "e"), node("Max", "e low", "f"),
            node("MaxPool", "f", "y", kernel_shape=[1, 1]),
        ],
        [("c", 9, ["b", 1, 4, 4]), ("x", FLOAT, ["b", 1, 4, 4])], [("y", FLOAT, None)],
        {"low": np.array(-np.inf, np.float32), "shape": np.array([-1, 1, 4, 4]),
         "one": np.ones(1, np.float32)},
    )  # fmt: skip
    assert masking(proto) == ("Where_a", "Reshape_b", "Softmax_d")


@pytest.mark.parametrize("params", PACKED, ids=short)
def test_weights_that_are_not_finite_are_left_alone(quantized: Any, params: Any) -> None:
    odd = normal(64, 64)
    odd[3, 3] = np.inf
    proto = graph(
        [node("MatMul", "x w", "h"), node("MatMul", "x odd", "g"), node("Min", "g top", "t"),
         node("Max", "t floor", "k"), node("Add", "h k", "y")],
        [("x", FLOAT, ["b", 64])], [("y", FLOAT, ["b", 64])],
        {"w": normal(64, 64, seed=1), "odd": odd, "top": np.full(1, 9, np.float32),
         "floor": np.full(1, -9, np.float32)},
    )  # fmt: skip
    made, error = quantized(proto, params, Table({"x": normal(16, 64, seed=2)}))
    assert "odd" in {tensor.name for tensor in made.graph.initializer}
    assert error < 0.15


def test_places_that_are_added_stay_exact(quantized: Any) -> None:
    places = (np.arange(6400, dtype=np.float32) * 8.1).reshape(1, 6400)
    proto = graph(
        [node("Add", "x places", "y")], [("x", FLOAT, ["b", 6400])],
        [("y", FLOAT, ["b", 6400])], {"places": places},
    )  # fmt: skip
    made, _ = quantized(proto, {"kind": "weights"}, Table({"x": normal(4, 6400)}))
    assert made is None


def test_a_weight_is_followed_where_it_is_only_turned(quantized: Any) -> None:
    proto = graph(
        [node("Gather", "table ids", "e"), node("Transpose", "table", "t", perm=[1, 0]),
         node("MatMul", "e t", "y")],
        [("ids", INT64, ["b", "s"])], [("y", FLOAT, ["b", "s", 500])],
        {"table": normal(500, 64)},
    )  # fmt: skip
    rows = Table({"ids": np.random.default_rng(2).integers(0, 500, (20, 7))})
    made, error = quantized(proto, {"kind": "weights"}, rows)
    assert made.ByteSize() < 0.3 * proto.ByteSize()
    assert error < 0.02


def test_a_row_of_zeros_does_not_ruin_the_others_in_4_bits(quantized: Any) -> None:
    proto, rows = words()
    table = normal(500, 64) * 0.02
    table[:250] *= 0.01
    table[0] = 0
    proto.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(table, "table"))
    rows = Table({"ids": np.arange(1, 8)[None].repeat(4, 0)})  # rows of small numbers
    made, error = quantized(proto, {"kind": "weights", "bits": 4}, rows)
    assert operators_of(made)["com.microsoft::GatherBlockQuantized"] == 1
    assert error < 0.2


@pytest.mark.parametrize("params", WHOLE + PACKED, ids=short)
def test_what_is_quantized_is_not_quantized_again(
    bench: Callable[..., Any], params: dict[str, Any]
) -> None:
    proto, rows = words()
    model, work = bench(proto, rows)
    once = QUANTIZE.run(model, params, work()).model
    model, work = bench(once.load(), rows)
    twice = QUANTIZE.run(model, params, work())
    assert twice.model is None
    assert twice.why == "no weight of the graph could take fewer bits"


def test_4_bits_can_follow_8(bench: Callable[..., Any]) -> None:
    proto = graph(
        [node("MatMul", "x w", "y")], [("x", FLOAT, ["b", 256])], [("y", FLOAT, ["b", 256])],
        {"w": normal(256, 256)},
    )  # fmt: skip
    rows = Table({"x": normal(4, 256, seed=1)})
    model, work = bench(proto, rows)
    once = QUANTIZE.run(model, {"kind": "weights"}, work()).model
    model, work = bench(once.load(), rows)
    twice = QUANTIZE.run(model, {"kind": "weights", "bits": 4}, work()).model
    assert twice.size < 0.7 * once.size


@pytest.mark.parametrize("calibration", ["percentile", "entropy"])
def test_any_number_of_rows_can_be_measured(
    quantized: Any, calibration: str, capsys: pytest.CaptureFixture[str]
) -> None:
    proto = graph(
        [node("MatMul", "x w", "y")], [("x", FLOAT, ["b", 64])], [("y", FLOAT, ["b", 64])],
        {"w": normal(64, 64)},
    )  # fmt: skip
    rows = Table({"x": normal(90, 64, seed=1)})  # 45 to learn from: two batches and 13 rows
    params = {"kind": "static", "calibration": calibration}
    _, error = quantized(proto, params, rows)
    assert error < 0.2
    assert capsys.readouterr().out == ""


def test_a_batch_larger_than_the_rows_is_filled_with_them(quantized: Any) -> None:
    proto = graph(
        [node("MatMul", "x w", "y")], [("x", FLOAT, [32, 64])], [("y", FLOAT, [32, 64])],
        {"w": normal(64, 64)},
    )  # fmt: skip
    rows = Table({"x": normal(10, 64, seed=1)})
    (feeds,) = feeds_of(proto, None, rows)
    assert np.array_equal(feeds["x"][10:20], rows.column("x"))
    _, error = quantized(proto, {"kind": "static"}, rows)
    assert 0 < error < 0.2


def test_bfloat16_needs_operators_that_know_it(quantized: Any) -> None:
    proto = graph(
        [node("MatMul", "x w", "y")], [("x", FLOAT, ["b", 64])], [("y", FLOAT, ["b", 64])],
        {"w": normal(64, 64)}, opset=12,
    )  # fmt: skip
    rows = Table({"x": normal(10, 64, seed=1)})
    with pytest.raises(Unsupported, match="operators of opset 12 know no bfloat16"):
        quantized(proto, {"kind": "bfloat16"}, rows)
    _, error = quantized(proto, {"kind": "float16"}, rows)
    assert 0 < error < 0.001


def test_what_onnx_runtime_can_not_load_is_no_success(
    bench: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from modelyard.optimization.passes.onnx import lowbit

    proto, rows = words()
    packed = lowbit.packed

    def spoiled(*args: Any, **options: Any) -> tuple[Any, int]:
        found, count = packed(*args, **options)
        del found.graph.initializer[0]
        return found, count

    monkeypatch.setattr(lowbit, "packed", spoiled)
    model, work = bench(proto, rows)
    with pytest.raises(Unsupported, match="onnxruntime can't load it") as caught:
        QUANTIZE.run(model, {"kind": "weights"}, work())
    assert caught.value.kind == "not-improvable"


@pytest.mark.parametrize("kind", ["static", "dynamic", "weights", "float16"])
def test_nodes_to_keep_must_be_there(quantized: Any, kind: str) -> None:
    proto, rows = words()
    with pytest.raises(InvalidInput, match="keep names 'nosuch'") as caught:
        quantized(proto, {"kind": kind, "keep": ["nosuch"]}, rows)
    assert caught.value.kind == "bad-pass-option"


def test_nodes_without_names_can_be_kept_by_those_they_are_given(
    bench: Callable[..., Any],
) -> None:
    proto, rows = words()
    for each in proto.graph.node:
        each.name = ""
    model, work = bench(proto, rows)
    made = QUANTIZE.run(model, {"kind": "dynamic", "keep": ["Gather_0"]}, work()).model
    assert "table" in {tensor.name for tensor in made.load().graph.initializer}


def test_answers_that_are_no_numbers_any_more_are_no_success(
    quantized: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from modelyard.optimization.passes.onnx import quantize

    mask = np.triu(np.full((1, 64, 64), -np.inf, np.float32), 1)
    proto = graph(
        [node("MatMul", "x w", "a"), node("Add", "a mask", "b"), node("Softmax", "b", "y")],
        [("x", FLOAT, ["b", 64, 64])], [("y", FLOAT, ["b", 64, 64])],
        {"w": normal(64, 64) / 8, "mask": mask},
    )  # fmt: skip
    monkeypatch.setattr(quantize, "masking", lambda proto: ())
    params = {"kind": "static", "operators": ["MatMul", "Add"]}
    with pytest.raises(Unsupported, match="in 8 bits, 'y' is not finite any more"):
        quantized(proto, params, Table({"x": normal(8, 64, 64, seed=1)}))
