"""The runtime of ONNX: what it takes, and what it calls what comes out."""

from __future__ import annotations

import numpy as np
import pytest

from modelyard.core.table import Table
from modelyard.errors import InvalidInput
from modelyard.frameworks import named
from modelyard.runtimes import runtime_of

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
FLOAT, INT, TEXT = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64, onnx.TensorProto.STRING

RNG = np.random.default_rng(3)
X = RNG.normal(size=(30, 3))
WORDS = np.array(["no", "perhaps", "yes"], object)[(X[:, 0] > 0).astype(int) + (X[:, 1] > 0)]


def graph_of(nodes, inputs, outputs, **more):
    make = onnx.helper
    values = [[make.make_tensor_value_info(*value) for value in side] for side in (inputs, outputs)]
    opsets = [make.make_opsetid("", 18), make.make_opsetid("ai.onnx.ml", 3)]
    return make.make_model(
        make.make_graph(nodes, "g", *values, **more), opset_imports=opsets, ir_version=9
    )


def sum_of_columns():
    nodes = [onnx.helper.make_node("Add", ["a", "b"], ["sum"])]
    return graph_of(nodes, [("a", FLOAT, ["N", 1]), ("b", FLOAT, ["N"])], [("sum", FLOAT, None)])


def predicted(model, table, signature=None):
    with runtime_of("onnx", model, signature) as runtime:
        return runtime.predict(table).outputs


@pytest.fixture(scope="module")
def classifier():
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression().fit(X, WORDS)


@pytest.mark.parametrize("zipmap", [True, False, "columns"])
def test_converted_classifiers_give_labels_and_probabilities(zipmap, classifier):
    from skl2onnx import to_onnx

    options = {id(classifier): {"zipmap": zipmap}}
    model = to_onnx(classifier, X[:1].astype(np.float32), options=options)
    with runtime_of("onnx", model) as runtime:
        outputs = runtime.predict(Table({"X": X.astype(np.float32)})).outputs
        about = runtime.about
    if zipmap == "columns":  # one output for each class has names of its own
        assert len(outputs) == 4
        return
    assert outputs["label"].tolist() == classifier.predict(X).tolist()
    np.testing.assert_allclose(outputs["probability"], classifier.predict_proba(X), atol=1e-6)
    assert about.task == "classification"
    assert about.classes.tolist() == ["no", "perhaps", "yes"]
    told = named("onnx").signature(model, None)["outputs"]
    assert [entry["name"] for entry in told] == ["label", "probability"]
    assert told[1]["shape"] == [-1, 3]


def test_converted_regressors_give_numbers():
    from skl2onnx import to_onnx
    from sklearn.linear_model import LinearRegression

    fitted = LinearRegression().fit(X, X[:, 0])
    outputs = predicted(to_onnx(fitted, X[:1]), Table({"a": X[:, 0], "b": X[:, 1], "c": X[:, 2]}))
    assert outputs["prediction"].shape == (30,)
    np.testing.assert_allclose(outputs["prediction"], fitted.predict(X))


def test_a_matrix_is_made_of_columns_in_the_order_of_the_signature():
    model = graph_of([onnx.helper.make_node("Identity", ["x"], ["y"])],
                     [("x", FLOAT, ["N", 3])], [("y", FLOAT, ["N", 3])])  # fmt: skip
    signature = {"inputs": [{"name": name} for name in "cab"]}
    a, b, c = X.T
    table = Table({"a": a, "b": b, "extra": a, "c": c})
    outputs = predicted(model, table, signature)
    assert np.array_equal(outputs["y"], np.column_stack([c, a, b]).astype(np.float32))
    with pytest.raises(InvalidInput) as failure:
        predicted(model, Table({"a": a}), signature)
    assert failure.value.kind == "no-column"


def test_several_inputs_are_columns_by_name():
    outputs = predicted(sum_of_columns(), Table({"b": np.array([2]), "a": np.array([1.5])}))
    assert outputs["sum"].tolist() == [[3.5]]
    with pytest.raises(InvalidInput, match="'b'") as failure:
        predicted(sum_of_columns(), Table({"a": np.zeros(2)}))
    assert failure.value.kind == "no-column"


def test_text_goes_in_as_text():
    node = onnx.helper.make_node(
        "LabelEncoder", ["t"], ["n"], domain="ai.onnx.ml",
        keys_strings=["red", "blue"], values_int64s=[1, 2], default_int64=0,
    )  # fmt: skip
    model = graph_of([node], [("t", TEXT, ["N", 1])], [("n", INT, ["N", 1])])
    table = Table({"t": np.array(["blue", None, "red"], object)})
    assert predicted(model, table)["n"].ravel().tolist() == [2, 0, 1]
    with pytest.raises(InvalidInput) as failure:
        predicted(model, Table({"t": np.zeros(3)}))
    assert failure.value.kind == "bad-inputs"


@pytest.mark.parametrize(("columns", "kind"), [
    ({"a": np.array(["x"], object), "b": np.zeros(1)}, "not-numeric"),
    ({"a": np.zeros((1, 2, 2)), "b": np.zeros(1)}, "bad-inputs"),
    ({"a": np.zeros((2, 5)), "b": np.zeros(2)}, "bad-inputs"),
])  # fmt: skip
def test_rows_that_do_not_fit_are_refused(columns, kind, capfd):
    with pytest.raises(InvalidInput) as failure:
        predicted(sum_of_columns(), Table(columns))
    assert failure.value.kind == kind
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("value", [0.5, np.nan, 2.0**70])
def test_numbers_that_would_change_are_refused(value):
    model = graph_of([onnx.helper.make_node("Identity", ["x"], ["y"])],
                     [("x", INT, ["N"])], [("y", INT, ["N"])])  # fmt: skip
    with pytest.raises(InvalidInput, match="values would change"):
        predicted(model, Table({"x": np.array([value])}))
    assert predicted(model, Table({"x": np.array([3.0])}))["y"].tolist() == [3]


def test_a_graph_that_can_not_run_is_refused(capfd):
    model = graph_of([onnx.helper.make_node("Nothing", ["x"], ["y"], domain="of.mine")],
                     [("x", FLOAT, ["N"])], [("y", FLOAT, ["N"])])  # fmt: skip
    model.opset_import.add(domain="of.mine", version=1)
    with pytest.raises(InvalidInput) as failure:
        runtime_of("onnx", model)
    assert failure.value.kind == "not-loadable"
    assert capfd.readouterr() == ("", "")
