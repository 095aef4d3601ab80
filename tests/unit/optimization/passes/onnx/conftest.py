"""Networks and tables, as passes get them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from modelyard.core.table import Table
from modelyard.frameworks import framework_of
from modelyard.optimization.state import Model, Rows, Work

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def bench(tmp_path: Path) -> Callable[..., tuple[Model, Callable[[], Work]]]:
    """An object as a model, and a maker of work on it: with these rows, or with none."""
    count = 0

    def make(obj: Any, rows: Table, *, known: bool = True) -> tuple[Model, Callable[[], Work]]:
        nonlocal count
        count += 1
        place = tmp_path / f"bench{count}"
        (place / "source").mkdir(parents=True)
        framework = framework_of(obj)
        saved = framework.save(obj, place / "source", framework.SERIALIZERS[0], rows)
        signature = framework.signature(obj, rows.take(slice(0, 5)))
        model = Model(folder=place / "source", saved=saved, signature=signature)
        runs = 0

        def work() -> Work:
            nonlocal runs
            runs += 1
            scratch = place / f"scratch{runs}"
            scratch.mkdir()
            half = len(rows) // 2
            return Work(
                task="other", train=Rows(rows.take(slice(0, half))) if known else None,
                valid=Rows(rows.take(slice(half, None))) if known else None, source=model,
                scratch=scratch, seed=3,
            )  # fmt: skip

        return model, work

    return make


@pytest.fixture
def network() -> tuple[Any, Table]:
    """A graph of convolutions that knows nothing: random weights, ten outputs; and pictures."""
    onnx = pytest.importorskip("onnx")
    rng = np.random.default_rng(5)
    make, tensor = onnx.helper, onnx.numpy_helper.from_array
    weights = {
        "first.weight": rng.normal(0, 0.3, (16, 1, 3, 3)), "first.bias": rng.normal(0, 0.1, 16),
        "second.weight": rng.normal(0, 0.1, (32, 16, 3, 3)), "second.bias": rng.normal(0, 0.1, 32),
        "last.weight": rng.normal(0, 0.05, (10, 32 * 16)), "last.bias": rng.normal(0, 0.1, 10),
    }  # fmt: skip
    nodes = [
        make.make_node("Conv", ["image", "first.weight", "first.bias"], ["a"], name="first",
                       pads=[1, 1, 1, 1]),
        make.make_node("Relu", ["a"], ["b"], name="relu1"),
        make.make_node("Conv", ["b", "second.weight", "second.bias"], ["c"], name="second",
                       pads=[1, 1, 1, 1]),
        make.make_node("Relu", ["c"], ["d"], name="relu2"),
        make.make_node("MaxPool", ["d"], ["e"], name="pool", kernel_shape=[2, 2], strides=[2, 2]),
        make.make_node("Flatten", ["e"], ["f"], name="flat"),
        make.make_node("Gemm", ["f", "last.weight", "last.bias"], ["scores"], name="last",
                       transB=1),
    ]  # fmt: skip
    graph = make.make_graph(
        nodes, "net",
        [make.make_tensor_value_info("image", 1, ["batch", 1, 8, 8])],
        [make.make_tensor_value_info("scores", 1, ["batch", 10])],
        [tensor(value.astype(np.float32), name) for name, value in weights.items()],
    )  # fmt: skip
    proto = make.make_model(graph, opset_imports=[make.make_opsetid("", 18)], ir_version=9)
    return proto, Table({"image": rng.random((80, 1, 8, 8)).astype(np.float32)})


@pytest.fixture
def reader() -> tuple[Any, Table]:
    """A graph that looks words up and multiplies: random weights; and rows of words."""
    onnx = pytest.importorskip("onnx")
    rng = np.random.default_rng(6)
    make, tensor = onnx.helper, onnx.numpy_helper.from_array
    weights = {
        "words": rng.normal(0, 1, (200, 64)), "inner": rng.normal(0, 0.1, (64, 128)),
        "outer": rng.normal(0, 0.1, (128, 12)),
    }  # fmt: skip
    nodes = [
        make.make_node("Gather", ["words", "ids"], ["a"], name="lookup"),
        make.make_node("ReduceMean", ["a", "axis"], ["b"], name="mean", keepdims=0),
        make.make_node("MatMul", ["b", "inner"], ["c"], name="inner"),
        make.make_node("Relu", ["c"], ["d"], name="relu"),
        make.make_node("MatMul", ["d", "outer"], ["embedding"], name="outer"),
    ]
    graph = make.make_graph(
        nodes, "reader",
        [make.make_tensor_value_info("ids", onnx.TensorProto.INT64, ["batch", "words_each"])],
        [make.make_tensor_value_info("embedding", 1, ["batch", 12])],
        [tensor(value.astype(np.float32), name) for name, value in weights.items()]
        + [tensor(np.array([1], np.int64), "axis")],
    )  # fmt: skip
    proto = make.make_model(graph, opset_imports=[make.make_opsetid("", 18)], ir_version=9)
    return proto, Table({"ids": rng.integers(0, 200, (60, 7))})
