"""ONNX models: saved, loaded, changed; what they may name."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelyard.core.table import Table
from modelyard.core.trust import TRUST_ALL, Trust
from modelyard.errors import Denied, InvalidInput, Unsupported
from modelyard.frameworks import FolderFiles, Saved, claim, named
from modelyard.frameworks.onnx.saving import write
from modelyard.runtimes import runtime_of

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
framework = named("onnx")

RNG = np.random.default_rng(7)
X = RNG.normal(size=(6, 4)).astype(np.float32)
WEIGHTS = RNG.normal(size=(4, 300)).astype(np.float32)


def linear(domain="", op="MatMul", batch="N"):
    """Two outputs, one through a branch that only the second needs."""
    make = onnx.helper
    nodes = [
        make.make_node(op, ["x", "w"], ["h"], "first", domain=domain),
        make.make_node("Relu", ["h"], ["y"], "second"),
        make.make_node("Add", ["h", "b"], ["z"], "third"),
    ]
    sides = [batch, 300]
    graph = make.make_graph(
        nodes, "g",
        [make.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [batch, 4])],
        [make.make_tensor_value_info(name, onnx.TensorProto.FLOAT, sides) for name in "yz"],
        [onnx.numpy_helper.from_array(WEIGHTS, "w"),
         onnx.numpy_helper.from_array(np.float32([1.5]), "b")],
    )  # fmt: skip
    opsets = [make.make_opsetid("", 18)] + ([make.make_opsetid(domain, 1)] if domain else [])
    model = make.make_model(graph, producer_name="tests", opset_imports=opsets, ir_version=9)
    model.metadata_props.add(key="author", value="ann")
    return model


def with_branch():
    """A graph whose branches use a value from outside."""
    make = onnx.helper
    float_ = onnx.TensorProto.FLOAT
    branches = {
        f"{name}_branch": make.make_graph(
            [make.make_node(op, ["x"], [name])], name, [],
            [make.make_tensor_value_info(name, float_, None)],
        )
        for name, op in (("then", "Relu"), ("else", "Neg"))
    }  # fmt: skip
    graph = make.make_graph(
        [make.make_node("If", ["c"], ["y"], **branches)], "g",
        [make.make_tensor_value_info("c", onnx.TensorProto.BOOL, []),
         make.make_tensor_value_info("x", float_, ["N", 4])],
        [make.make_tensor_value_info("y", float_, ["N", 4])],
    )  # fmt: skip
    return make.make_model(graph, opset_imports=[make.make_opsetid("", 18)], ir_version=9)


def loaded(model, folder, trust=None):
    note = framework.save(model, folder, "onnx")
    note = Saved.decode(json.loads(json.dumps(note.encode())))
    return framework.load(FolderFiles(folder), note, trust or Trust())


def from_file(folder, trust=None, file="model.onnx"):
    note = Saved(framework="onnx", serializer="onnx", class_name="", details={"file": file})
    return framework.load(FolderFiles(folder), note, trust or Trust())


def asked(model, rows=X):
    return runtime_of("onnx", model).predict(Table({"x": rows})).outputs


def test_a_model_comes_back_the_same(tmp_path):
    model = linear()
    assert framework.recognises(model)
    assert not framework.recognises(model.SerializeToString())
    again = loaded(model, tmp_path)
    assert again == model
    for name, values in asked(model).items():
        assert np.array_equal(asked(again)[name], values)


def test_large_weights_lie_beside_the_graph_and_come_back(tmp_path):
    model = linear()
    before = model.SerializeToString(deterministic=True)
    write(model, tmp_path, limit=100)
    assert model.SerializeToString(deterministic=True) == before
    assert (tmp_path / "model.onnx").stat().st_size < 1000
    assert (tmp_path / "model.onnx.data").read_bytes() == WEIGHTS.tobytes()
    onnx.checker.check_model(str(tmp_path / "model.onnx"))
    again = from_file(tmp_path)
    assert np.array_equal(asked(again)["y"], asked(model)["y"])
    assert np.array_equal(onnx.numpy_helper.to_array(again.graph.initializer[0]), WEIGHTS)


def test_weights_that_were_not_loaded_are_not_saved(tmp_path):
    write(linear(), tmp_path, limit=100)
    model = onnx.load(tmp_path / "model.onnx", load_external_data=False)
    with pytest.raises(InvalidInput) as failure:
        framework.save(model, tmp_path, "onnx")
    assert failure.value.kind == "not-savable"
    with pytest.raises(InvalidInput, match="not loaded"):
        runtime_of("onnx", model)


def test_a_file_is_claimed_with_the_weights_beside_it(tmp_path):
    write(linear(), tmp_path, limit=100)
    note = framework.claims(FolderFiles(tmp_path))
    assert note.details["file"] == "model.onnx"
    (tmp_path / "second.onnx").write_bytes(linear().SerializeToString())
    assert framework.claims(FolderFiles(tmp_path)) is None


def test_operators_of_others_need_trust_by_name(tmp_path):
    model = linear("com.evil", "Run")
    inner = with_branch()
    inner.graph.node[0].attribute[0].g.node[0].domain = "deep.down"
    framework.save(model, tmp_path, "onnx")
    with pytest.raises(Denied, match=r"com\.evil::Run") as failure:
        from_file(tmp_path)
    assert failure.value.kind == "untrusted"
    assert from_file(tmp_path, Trust.of(["com.evil::Run"])) == model
    assert from_file(tmp_path, Trust.of(TRUST_ALL)) == model
    (tmp_path / "inner.onnx").write_bytes(inner.SerializeToString())
    with pytest.raises(Denied, match=r"deep\.down::(Relu|Neg)"):
        from_file(tmp_path, Trust.of(["com.evil::Run"]), "inner.onnx")


def test_operators_that_the_model_defines_are_its_own(tmp_path):
    make = onnx.helper
    model = linear("mine", "Mul2")
    model.functions.append(make.make_function(
        "mine", "Mul2", ["a", "b"], ["c"], [make.make_node("MatMul", ["a", "b"], ["c"])],
        [make.make_opsetid("", 18)],
    ))  # fmt: skip
    assert np.array_equal(asked(loaded(model, tmp_path))["y"], asked(linear())["y"])


@pytest.mark.parametrize("location", [
    "../secret", "/etc/passwd", "a/../../secret", "..\\secret", "C:\\secret", "missing.data", "",
    "file:///etc/passwd", ".modelyard/manifest.json",
])  # fmt: skip
def test_weights_outside_of_the_version_are_refused(location, tmp_path):
    folder = tmp_path / "version"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(WEIGHTS.tobytes())
    write(linear(), folder, limit=100)
    (folder / ".modelyard").mkdir()
    (folder / ".modelyard/manifest.json").write_bytes(WEIGHTS.tobytes())
    model = onnx.load(folder / "model.onnx", load_external_data=False)
    model.graph.initializer[0].external_data[0].value = location
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(InvalidInput) as failure:
        from_file(folder)
    assert failure.value.kind == "not-loadable"


def test_weights_through_a_link_out_of_the_version_are_refused(tmp_path):
    folder = tmp_path / "version"
    folder.mkdir()
    write(linear(), folder, limit=100)
    (folder / "model.onnx.data").rename(tmp_path / "secret")
    (folder / "model.onnx.data").symlink_to(tmp_path / "secret")
    with pytest.raises(InvalidInput) as failure:
        from_file(folder)
    assert failure.value.kind == "not-loadable"


def external(name, dims, location):
    tensor = onnx.TensorProto(name=name, data_type=onnx.TensorProto.UINT8, dims=dims)
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    return tensor


def test_weights_within_functions_come_from_the_version_alone(tmp_path):
    make = onnx.helper
    (tmp_path / "secret").write_bytes(bytes(16))
    folder = tmp_path / "version"
    folder.mkdir()

    def written(location):
        branches = {
            f"{side}_branch": make.make_graph(
                [make.make_node("Identity", ["w"], ["o"])], side, [],
                [make.make_tensor_value_info("o", onnx.TensorProto.UINT8, [16])],
                initializer=[external("w", [16], location)],
            )
            for side in ("then", "else")
        }  # fmt: skip
        choice = make.make_node("If", ["c"], ["y"], **branches)
        opsets = [make.make_opsetid("", 18)]
        function = make.make_function("local", "F", ["c"], ["y"], [choice], opsets)
        graph = make.make_graph(
            [make.make_node("F", ["c"], ["y"], domain="local")], "g",
            [make.make_tensor_value_info("c", onnx.TensorProto.BOOL, [])],
            [make.make_tensor_value_info("y", onnx.TensorProto.UINT8, [16])],
        )  # fmt: skip
        opsets = [*opsets, make.make_opsetid("local", 1)]
        model = make.make_model(graph, functions=[function], opset_imports=opsets, ir_version=9)
        (folder / "model.onnx").write_bytes(model.SerializeToString())

    for location in (str(tmp_path / "secret"), "secret"):
        written(location)
        with pytest.raises(InvalidInput) as failure:
            from_file(folder)
        assert failure.value.kind == "not-loadable"
    (folder / "w.bin").write_bytes(bytes(range(16)))
    written("w.bin")
    branch = from_file(folder).functions[0].node[0].attribute[0].g
    assert branch.initializer[0].raw_data == bytes(range(16))


def test_weights_elsewhere_are_as_long_as_their_shape_says(tmp_path):
    graph = onnx.helper.make_graph([], "g", [], [], [external("w", [3], "w.bin")])
    (tmp_path / "model.onnx").write_bytes(onnx.helper.make_model(graph).SerializeToString())
    (tmp_path / "w.bin").write_bytes(bytes(1000))
    assert from_file(tmp_path).graph.initializer[0].raw_data == bytes(3)
    (tmp_path / "w.bin").write_bytes(bytes(2))
    with pytest.raises(InvalidInput, match="behind the end"):
        from_file(tmp_path)


@pytest.mark.parametrize(("key", "value"), [("offset", "999999"), ("length", "4"),
                                            ("length", "-1"), ("offset", "x")])  # fmt: skip
def test_weights_behind_the_end_of_their_file_are_refused(key, value, tmp_path):
    write(linear(), tmp_path, limit=100)
    model = onnx.load(tmp_path / "model.onnx", load_external_data=False)
    for entry in model.graph.initializer[0].external_data:
        entry.value = value if entry.key == key else entry.value
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(InvalidInput) as failure:
        from_file(tmp_path)
    assert failure.value.kind == "not-loadable"


@given(data=st.data())
@settings(deadline=None, max_examples=150)
def test_a_damaged_file_is_refused_or_a_model(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("damaged")
    raw = bytearray(linear().SerializeToString())
    if data.draw(st.booleans()):
        del raw[data.draw(st.integers(0, len(raw) - 1)) :]
    else:
        raw[data.draw(st.integers(0, 400))] ^= 1 << data.draw(st.integers(0, 7))
    (folder / "model.onnx").write_bytes(raw)
    refusal = None
    try:
        model = from_file(folder)
    except (InvalidInput, Denied) as error:
        refusal = error.kind
    else:
        assert isinstance(model, onnx.ModelProto)
        framework.structure(model), framework.params(model)
    assert refusal in (None, "not-loadable", "untrusted")


def test_parameters_are_metadata_and_free_dimensions():
    model = linear()
    known = framework.params(model)
    assert known["metadata__author"] == "ann"
    assert (known["opset"], known["producer_name"], known["dim__N"]) == (18, "tests", "N")
    changed = framework.set_params(
        model,
        {"metadata__author": None, "metadata__use": "tests", "dim__N": "rows", "doc_string": "hi"},
    )
    told = framework.params(changed)
    assert "metadata__author" not in told
    assert (told["metadata__use"], told["doc_string"]) == ("tests", "hi")
    assert framework.structure(changed)[1] == "output y: float32[rows, 300]"
    assert framework.params(model) == known
    assert np.array_equal(asked(changed)["y"], asked(model)["y"])


@pytest.mark.parametrize(("changes", "kind"), [
    ({"opset": 3}, "no-param"), ({"metadata__": "x"}, "no-param"), ({"dim__M": "x"}, "no-param"),
    ({"metadata__a": 3}, "bad-param"), ({"dim__N": ""}, "bad-param"),
    ({"doc_string": 1}, "bad-param"),
])  # fmt: skip
def test_wrong_parameters_are_named(changes, kind):
    with pytest.raises(InvalidInput) as failure:
        framework.set_params(linear(), changes)
    assert failure.value.kind == kind


def test_the_structure_is_told_in_lines():
    assert framework.structure(linear()) == (
        "input x: float32[N, 4]",
        "output y: float32[N, 300]",
        "output z: float32[N, 300]",
        "node first: MatMul(x, w) -> h",
        "node second: Relu(h) -> y",
        "node third: Add(h, b) -> z",
    )


def test_inputs_and_outputs_are_renamed():
    model = linear()
    plan = {"rename_inputs": {"x": "rows"}, "rename_outputs": {"y": "score"}}
    changed, said = framework.set_structure(model, plan, Trust())
    assert said == ("input x is now rows", "output y is now score")
    ours = runtime_of("onnx", changed).predict(Table({"rows": X})).outputs
    assert np.array_equal(ours["score"], asked(model)["y"])


def test_names_are_changed_in_branches_too():
    model = with_branch()
    changed, _ = framework.set_structure(model, {"rename_inputs": {"x": "rows"}}, Trust())
    branch = changed.graph.node[0].attribute[0].g
    assert list(branch.node[0].input) == ["rows"]


def test_a_dropped_output_takes_its_nodes_and_weights_along():
    changed, said = framework.set_structure(linear(), {"drop_outputs": ["z"]}, Trust())
    assert [node.name for node in changed.graph.node] == ["first", "second"]
    assert [tensor.name for tensor in changed.graph.initializer] == ["w"]
    assert said == ("output z is gone", "1 of 3 nodes were for it alone")
    assert np.array_equal(asked(changed)["y"], asked(linear())["y"])


def test_the_batch_becomes_free_or_fixed():
    fixed = linear(batch=2)
    with pytest.raises(InvalidInput) as failure:
        asked(fixed)
    assert failure.value.kind == "bad-inputs"
    free, said = framework.set_structure(fixed, {"batch": "dynamic"}, Trust())
    assert said == ("batch is dynamic",)
    assert np.array_equal(asked(free)["y"], asked(linear())["y"])
    again, _ = framework.set_structure(free, {"batch": 3}, Trust())
    assert framework.structure(again)[:2] == ("input x: float32[3, 4]", "output y: float32[3, 300]")


def test_the_opset_is_converted():
    changed, said = framework.set_structure(linear(), {"opset": 21}, Trust())
    assert framework.params(changed)["opset"] == 21
    assert said == ("opset 18 became 21",)
    assert np.array_equal(asked(changed)["y"], asked(linear())["y"])


@pytest.mark.parametrize("plan", [
    None, {}, {"layers": []}, {"rename_inputs": {"y": "a"}}, {"rename_inputs": {"x": "w"}},
    {"rename_inputs": {"x": 1}}, {"rename_outputs": {"y": "z"}}, {"drop_outputs": ["y", "z"]},
    {"drop_outputs": "y"}, {"drop_outputs": ["x"]}, {"batch": 0}, {"batch": "many"},
    {"batch": True}, {"opset": 1}, {"opset": 9999}, {"opset": "18"},
])  # fmt: skip
def test_a_wrong_plan_is_refused(plan):
    with pytest.raises(InvalidInput) as failure:
        framework.set_structure(linear(), plan, Trust())
    assert failure.value.kind == "bad-structure"
    assert "rename_inputs" in failure.value.hint


def test_a_model_that_onnx_refuses_is_not_given_back():
    model = linear()
    model.graph.node[0].op_type = "NoSuchOperator"
    with pytest.raises(InvalidInput, match="ONNX refuses") as failure:
        framework.set_structure(model, {"batch": 3}, Trust())
    assert failure.value.kind == "bad-structure"


def test_there_is_nothing_to_train():
    model = linear()
    assert framework.optimizer(model) == {}
    with pytest.raises(InvalidInput) as failure:
        framework.set_optimizer(model, {"lr": 1})
    assert failure.value.kind == "no-optimizer"
    with pytest.raises(InvalidInput) as failure:
        framework.fit(model, Table({"x": X}), X[:, 0], epochs=1, seed=0)
    assert failure.value.kind == "no-fit"


def test_the_signature_is_that_of_the_graph():
    assert framework.signature(linear(), None) == {
        "inputs": [{"name": "x", "dtype": "float32", "shape": [-1, 4]}],
        "outputs": [{"name": name, "dtype": "float32", "shape": [-1, 300]} for name in ("y", "z")],
    }


def test_several_models_are_named_and_one_of_them_is_asked_for(tmp_path):
    for name in ("encoder.onnx", "decoder.onnx"):
        (tmp_path / name).write_bytes(linear().SerializeToString())
    with pytest.raises(Unsupported) as caught:
        claim(FolderFiles(tmp_path))
    assert caught.value.kind == "no-framework"
    assert caught.value.hint == "decoder.onnx, encoder.onnx are models each: commit one of them"
    (tmp_path / "encoder.onnx").unlink()
    assert claim(FolderFiles(tmp_path)).details == {"file": "decoder.onnx"}
