"""ONNX graphs as services see them, straight from the file."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from modelyard.errors import InvalidInput, Unavailable, Unsupported
from modelyard.runtimes.examples import example_of
from modelyard.runtimes.graphs import open_graph

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
FLOAT, INT, TEXT = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64, onnx.TensorProto.STRING
BOOL = onnx.TensorProto.BOOL
node = onnx.helper.make_node


@pytest.fixture
def opened(tmp_path):
    def make(nodes, inputs, outputs, initializers=(), domains=()):
        values = [
            [onnx.helper.make_tensor_value_info(*value) for value in side]
            for side in (inputs, outputs)
        ]
        opsets = [onnx.helper.make_opsetid(domain, 1) for domain in domains]
        model = onnx.helper.make_model(
            onnx.helper.make_graph(nodes, "g", *values, list(initializers)),
            opset_imports=[onnx.helper.make_opsetid("", 18), *opsets], ir_version=9,
        )  # fmt: skip
        (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
        return open_graph(tmp_path, "model.onnx")

    return make


def told(specs):
    return [(spec.name, spec.dtype, spec.shape) for spec in specs]


def test_names_dtypes_and_sides_are_those_of_the_graph(opened):
    runtime = opened(
        [node("Add", ["x", "x"], ["y"]), node("Shape", ["x"], ["n"])],
        [("x", FLOAT, ["N", 3, "W"])], [("y", FLOAT, ["N", 3, "W"]), ("n", INT, [3])],
    )  # fmt: skip
    assert told(runtime.inputs) == [("x", "float32", (-1, 3, -1))]
    assert told(runtime.outputs) == [("y", "float32", (-1, 3, -1)), ("n", "int64", (3,))]
    assert not runtime.rows  # the second output is no row for each row


def test_text_comes_and_goes(opened):
    runtime = opened([node("Identity", ["x"], ["y"])], [("x", TEXT, [-1])], [("y", TEXT, [-1])])
    assert told(runtime.inputs) == [("x", "string", (-1,))]
    found = runtime.run({"x": np.array(["Grüße", "", "你好"], object)})
    assert found["y"].dtype == object
    assert found["y"].tolist() == ["Grüße", "", "你好"]


def test_rows_that_are_called_differently_are_no_rows(opened):
    runtime = opened(
        [node("NonZero", ["x"], ["y"])], [("x", FLOAT, ["N"])], [("y", INT, ["K", "M"])]
    )
    assert not runtime.rows


def test_a_shape_that_the_graph_does_not_tell_is_found(opened):
    weights = onnx.helper.make_tensor("w", FLOAT, [3, 2], [1.0] * 6)
    runtime = opened(
        [node("MatMul", ["x", "w"], ["y"])], [("x", FLOAT, ["N", 3])], [("y", FLOAT, None)],
        [weights],
    )  # fmt: skip
    assert told(runtime.outputs) == [("y", "float32", (-1, 2))]
    assert runtime.rows


def test_columns_of_a_table_may_come_flat(opened):
    runtime = opened(
        [node("Add", ["a", "b"], ["y"])],
        [("a", FLOAT, ["N", 1]), ("b", FLOAT, ["N", 1])], [("y", FLOAT, ["N", 1])],
    )  # fmt: skip
    assert runtime.columns
    ones = np.ones(3, np.float32)
    np.testing.assert_array_equal(runtime.run({"a": ones, "b": ones})["y"], np.full((3, 1), 2.0))
    assert runtime.run({"a": ones.reshape(3, 1), "b": ones.reshape(3, 1)})["y"].shape == (3, 1)


def test_only_what_is_wanted_is_given(opened):
    runtime = opened(
        [node("Neg", ["x"], ["a"]), node("Abs", ["x"], ["b"])],
        [("x", FLOAT, ["N"])], [("a", FLOAT, ["N"]), ("b", FLOAT, ["N"])],
    )  # fmt: skip
    feeds = {"x": np.array([-1.0], np.float32)}
    assert list(runtime.run(feeds, ["b"])) == ["b"]
    assert runtime.run(feeds)["a"].tolist() == [1.0]


def test_arrays_that_may_not_be_written_are_taken(opened):
    runtime = opened([node("Neg", ["x"], ["y"])], [("x", FLOAT, ["N"])], [("y", FLOAT, ["N"])])
    rows = np.frombuffer(np.ones(4, np.float32).tobytes(), np.float32)
    assert runtime.run({"x": rows})["y"].tolist() == [-1.0] * 4


def test_values_that_the_graph_can_not_take_are_invalid_input(opened):
    table = onnx.helper.make_tensor("t", FLOAT, [2], [1.0, 2.0])
    runtime = opened(
        [node("Gather", ["t", "x"], ["y"])], [("x", INT, ["N"])], [("y", FLOAT, ["N"])], [table]
    )
    with pytest.raises(InvalidInput) as caught:
        runtime.run({"x": np.array([7])})
    assert caught.value.kind == "bad-inputs"
    assert "/" not in str(caught.value)
    assert runtime.run({"x": np.array([1])})["y"].tolist() == [2.0]


def test_operators_of_others_are_refused(opened):
    with pytest.raises(InvalidInput) as caught:
        opened(
            [onnx.helper.make_node("Run", ["x"], ["y"], domain="com.evil")],
            [("x", FLOAT, ["N"])], [("y", FLOAT, ["N"])], domains=["com.evil"],
        )  # fmt: skip
    assert caught.value.kind == "not-loadable"


def test_what_gives_no_tensor_is_refused(tmp_path):
    helper = onnx.helper
    rows = helper.make_tensor_type_proto(FLOAT, ["N"])
    given = helper.make_value_info("y", helper.make_sequence_type_proto(rows))
    graph = helper.make_graph(
        [node("SequenceConstruct", ["x"], ["y"])], "g",
        [helper.make_tensor_value_info("x", FLOAT, ["N"])], [given],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 18)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(Unsupported) as caught:
        open_graph(tmp_path, "model.onnx")
    assert caught.value.kind == "no-tensors"


@pytest.mark.parametrize("data", [b"", b"no graph", b"\x08\x09" * 50])
def test_what_is_no_graph_is_refused(tmp_path, data):
    (tmp_path / "model.onnx").write_bytes(data)
    with pytest.raises(InvalidInput) as caught:
        open_graph(tmp_path, "model.onnx")
    assert caught.value.kind == "not-loadable"


@pytest.mark.parametrize("file", ["../model.onnx", "nothing.onnx", "/etc/hostname"])
def test_files_outside_of_the_version_are_not_opened(tmp_path, file):
    inner = tmp_path / "inner"
    inner.mkdir()
    (tmp_path / "model.onnx").write_bytes(b"x")
    with pytest.raises(InvalidInput):
        open_graph(inner, file)


def varint(value):
    out = b""
    while value > 0x7F:
        out += bytes((value & 0x7F | 0x80,))
        value >>= 7
    return out + bytes((value,))


def field(number, raw):
    return varint(number << 3 | 2) + varint(len(raw)) + raw


def weight(location, elsewhere=b"\x70\x01", name="w"):
    """A tensor in another file.

    Args:
        elsewhere: How it says so: the bytes of the field `data_location`.
    """
    tensor = onnx.TensorProto(name=name, data_type=FLOAT, dims=[2])
    for key, value in {"location": location, "length": "8"}.items():
        tensor.external_data.add(key=key, value=value)
    return tensor.SerializeToString() + elsewhere


def sums(*weights, nodes=b""):
    """A model that adds `w` to its rows, with weights as they are written."""
    ports = [onnx.helper.make_tensor_value_info(name, FLOAT, ["N", 2]) for name in "xy"]
    graph = onnx.helper.make_graph([node("Add", ["x", "w"], ["y"])], "g", ports[:1], ports[1:])
    raw = graph.SerializeToString() + b"".join(field(5, each) for each in weights) + nodes
    opsets = [onnx.helper.make_opsetid("", 18)]
    model = onnx.helper.make_model(onnx.GraphProto(), opset_imports=opsets, ir_version=9)
    model.ClearField("graph")
    return model.SerializeToString() + field(7, raw)


def constant(attribute):
    return field(1, field(2, b"c") + field(4, b"Constant") + field(5, field(1, b"v") + attribute))


OUT, IN = "../out.bin", "in.bin"
WAYS = {
    "plain": sums(weight(OUT)),
    "64 bits": sums(weight(OUT, b"\x70" + varint((1 << 32) + 1))),
    "and another value": sums(weight(OUT, b"\x70\x01\x70\x07")),
    "a longer number of the field": sums(weight(OUT, b"\xf0\x80\x80\x80\x10\x01")),
    "behind the mark of HDF5": b"\x89HDF\r\n\x1a\n\0\0" + sums(weight(OUT)),
    "names of others": sums(
        weight(IN), weight(IN, name="w#3"), weight(OUT, name="w#3#3"), weight(IN)
    ),
    "in two pieces": sums(
        weight(IN), nodes=constant(field(5, weight(IN)) + field(5, weight(OUT, b"")))
    ),
    "sparse": sums(weight(IN), nodes=constant(field(22, field(1, weight(OUT))))),
    "sparse in two pieces": sums(
        weight(IN), nodes=constant(field(22, field(1, weight(IN)) + field(1, weight(OUT, b""))))
    ),
    "of a function": sums(weight(IN))
    + field(25, field(11, field(1, b"v") + field(5, weight(OUT)))),
    "in memory": sums(weight("*/_ORT_MEM_ADDR_/*")),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_weights_outside_are_refused_however_it_is_said(tmp_path, way):
    inner = tmp_path / "inner"
    (inner / "*" / "_ORT_MEM_ADDR_").mkdir(parents=True)
    for place in (tmp_path / "out.bin", inner / IN, inner / "*" / "_ORT_MEM_ADDR_" / "*"):
        place.write_bytes(np.array([1, 2], "<f4").tobytes())
    (inner / "model.onnx").write_bytes(WAYS[way])
    with pytest.raises(InvalidInput) as caught:
        open_graph(inner, "model.onnx")
    assert caught.value.kind in ("not-loadable", "bad-onnx")
    assert "onnxruntime" not in str(caught.value), "we must not rely on it"


def test_weights_in_files_of_the_version_are_loaded(tmp_path):
    (tmp_path / IN).write_bytes(np.array([1, 2], "<f4").tobytes())
    (tmp_path / "model.onnx").write_bytes(sums(weight(IN)))
    runtime = open_graph(tmp_path, "model.onnx")
    assert runtime.run({"x": np.zeros((1, 2), np.float32)})["y"].tolist() == [[1.0, 2.0]]


def test_weights_are_not_looked_for_where_the_server_was_started(tmp_path, monkeypatch):
    """Graphs whose lists of maps are made arrays are given to onnxruntime without a place."""
    folder, elsewhere = tmp_path / "version", tmp_path / "elsewhere"
    for place, value in ((folder, 1.0), (elsewhere, 7.0)):
        place.mkdir()
        (place / IN).write_bytes(np.array([value, value], "<f4").tobytes())
    zipped = onnx.helper.make_map_type_proto(INT, onnx.helper.make_tensor_type_proto(FLOAT, []))
    given = onnx.helper.make_value_info("z", onnx.helper.make_sequence_type_proto(zipped))
    maps = node("ZipMap", ["y"], ["z"], domain="ai.onnx.ml", classlabels_int64s=[0, 1])
    graph = onnx.helper.make_graph(
        [node("Add", ["x", "w"], ["y"]), maps], "g",
        [onnx.helper.make_tensor_value_info("x", FLOAT, ["N", 2])], [given],
    )  # fmt: skip
    graph.initializer.append(onnx.TensorProto.FromString(weight(IN)))
    opsets = [onnx.helper.make_opsetid("", 18), onnx.helper.make_opsetid("ai.onnx.ml", 1)]
    model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=9)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    monkeypatch.chdir(elsewhere)
    runtime = open_graph(folder, "model.onnx")
    assert runtime.run({"x": np.zeros((1, 2), np.float32)})["z"].tolist() == [[1.0, 1.0]]


def test_a_closed_one_says_so(opened):
    runtime = opened([node("Neg", ["x"], ["y"])], [("x", FLOAT, ["N"])], [("y", FLOAT, ["N"])])
    runtime.close()
    runtime.close()
    with pytest.raises(Unavailable):
        runtime.run({"x": np.ones(1, np.float32)})


def test_no_other_library_is_imported_for_it(opened, tmp_path):
    opened([node("Neg", ["x"], ["y"])], [("x", FLOAT, ["N"])], [("y", FLOAT, ["N"])])
    code = (
        "import sys; from pathlib import Path\n"
        "from modelyard.frameworks import Saved\n"
        "from modelyard.runtimes.opening import open_version\n"
        "saved = Saved(framework='onnx', serializer='onnx', class_name='')\n"
        f"open_version(Path({str(tmp_path)!r}), saved)\n"
        "print(sorted({'onnx', 'sklearn', 'pandas', 'yaml', 'sqlalchemy', 'fastapi'} & "
        "set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_longer_sides_are_tried_where_one_is_too_short(opened, tmp_path):
    place = onnx.helper.make_tensor("at", INT, [1], [40])
    runtime = opened(
        [node("Gather", ["x", "at"], ["y"], axis=1)],
        [("x", FLOAT, ["N", "W"])], [("y", FLOAT, ["N", 1])], [place],
    )  # fmt: skip
    assert example_of(tmp_path, None, runtime.inputs)["x"].shape == (2, 1)
    found = example_of(tmp_path, None, runtime.inputs, runtime.run)
    assert found["x"].shape == (2, 64)
    assert runtime.run(found)["y"].shape == (2, 1)
