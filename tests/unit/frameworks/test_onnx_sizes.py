"""ONNX models above what one protobuf can hold, and how large a model is."""

from __future__ import annotations

import numpy as np
import pytest

from modelyard.core.table import Table
from modelyard.core.trust import Trust
from modelyard.frameworks import FolderFiles, named
from modelyard.frameworks.onnx import sizes
from modelyard.frameworks.onnx.sizes import LIMIT, is_below, size_of
from modelyard.optimization.passes.onnx.sessions import answers, simplified
from modelyard.runtimes import runtime_of

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
framework = named("onnx")


def adding(weights):
    """`y = x + 1`, and weights that nothing needs."""
    make = onnx.helper
    ports = [make.make_tensor_value_info(name, 1, ["N", 2]) for name in "xy"]
    one = onnx.numpy_helper.from_array(np.float32([1]), "one")
    graph = make.make_graph(
        [make.make_node("Add", ["x", "one"], ["y"], "add")], "g", ports[:1], ports[1:],
        [one, *weights],
    )  # fmt: skip
    return make.make_model(graph, opset_imports=[make.make_opsetid("", 18)], ir_version=9)


def kinds():
    """Tensors as protobuf can hold them: raw, in typed fields, packed, as text, in a branch."""
    make, kind = onnx.helper, onnx.TensorProto
    values = np.arange(6000, dtype=np.float32)
    branch = make.make_graph(
        [], "b", [], [make.make_tensor_value_info("w", 1, [6000])],
        [onnx.numpy_helper.from_array(values, "w")],
    )  # fmt: skip
    model = adding([
        onnx.numpy_helper.from_array(values, "raw"),
        make.make_tensor("floats", kind.FLOAT, [6000], values),
        make.make_tensor("longs", kind.INT64, [3], [-1, 2, 3]),
        onnx.TensorProto(name="nibbles", data_type=kind.UINT4, dims=[5001], raw_data=b"1" * 2501),
        make.make_tensor("texts", kind.STRING, [2], [b"a" * 900, b"b"]),
    ])  # fmt: skip
    constant = onnx.numpy_helper.from_array(values, "c")
    model.graph.node.append(make.make_node("Constant", [], ["c"], value=constant))
    model.graph.node.append(
        make.make_node("If", ["x"], ["z"], then_branch=branch, else_branch=branch)
    )
    return model


def test_a_small_model_is_counted_exactly():
    model = kinds()
    assert size_of(model) == model.ByteSize()


def test_a_large_model_is_counted_nearly_and_without_protobuf(monkeypatch):
    model = kinds()
    monkeypatch.setattr(sizes, "_EXACT", 0)
    assert model.ByteSize() * 0.99 < size_of(model) < model.ByteSize() * 1.02


def test_a_tensor_is_small_with_its_name():
    tensor = onnx.numpy_helper.from_array(np.zeros(250, np.float32), "a" * 30)
    assert is_below(tensor, 1500)
    assert not is_below(tensor, 1024)  # its values alone would be
    assert not is_below(tensor, 999)


def test_a_large_model_is_saved_asked_and_made_simpler(tmp_path, monkeypatch):
    from modelyard.frameworks.onnx import saving
    from modelyard.optimization.passes.onnx import sessions
    from modelyard.runtimes import onnx as runtime_module

    monkeypatch.setattr(sizes, "_EXACT", 0)
    for module in (saving, sessions, runtime_module):
        monkeypatch.setattr(module, "LIMIT", 10_000)
    model = adding([onnx.numpy_helper.from_array(np.ones(6000, np.float32), "w")])
    saved = framework.save(model, tmp_path, "onnx")
    assert (tmp_path / "model.onnx.data").stat().st_size == 24_000
    assert framework.load(FolderFiles(tmp_path), saved, Trust()).graph.initializer[1].raw_data
    rows = Table({"x": np.float32([[1, 2]])})
    with runtime_of("onnx", model, None) as runtime:
        assert runtime.predict(rows).outputs["y"].tolist() == [[2, 3]]
    (found,) = answers(model, [{"x": np.float32([[1, 2]])}])
    assert found["y"].tolist() == [[2, 3]]
    assert size_of(simplified(model, "basic")) < 1000  # nothing needs the weights


@pytest.mark.slow
def test_a_model_above_2_gib_is_counted_and_changed():
    each, raw = 560_000_000, bytes(560_000_000)
    model = adding([])
    for at in range(4):
        model.graph.initializer.add(
            name=f"w{at}", data_type=onnx.TensorProto.INT8, dims=[each], raw_data=raw
        )
    del raw
    assert 4 * each < size_of(model) < 4 * each + 1000
    assert size_of(model) > LIMIT
    _, said = framework.set_structure(model, {"rename_inputs": {"x": "a"}}, Trust())
    assert "the model is too large for ONNX's checker" in said
