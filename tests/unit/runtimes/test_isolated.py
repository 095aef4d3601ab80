"""Objects that stay in their child process answer as if they were here."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from modelyard.core.table import Table
from modelyard.core.trust import TRUST_ALL, Trust
from modelyard.errors import InvalidInput, Unavailable
from modelyard.frameworks import named
from modelyard.runtimes.isolated import isolate

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="isolation needs Linux"),
]

ROWS = np.random.default_rng(3).random((50, 3))


@pytest.fixture(scope="module")
def fitted():
    import pandas
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    frame = pandas.DataFrame(ROWS[:, :2], columns=["a", "b"])
    frame["colour"] = np.array(["red", "green"])[(ROWS[:, 2] > 0.5).astype(int)]
    columns = ColumnTransformer(
        [("n", StandardScaler(), ["a", "b"]), ("c", OneHotEncoder(), ["colour"])]
    )
    words = np.array(["no", "yes"])[(ROWS.sum(axis=1) > 1.5).astype(int)]
    return make_pipeline(columns, LogisticRegression()).fit(frame, words), frame


@pytest.fixture(scope="module")
def isolated(fitted, tmp_path_factory):
    folder = tmp_path_factory.mktemp("isolated")
    saved = named("sklearn").save(fitted[0], folder, "joblib")
    with isolate(folder, saved, trust=Trust.of(TRUST_ALL)) as obj:
        yield obj


def test_methods_give_the_arrays_of_the_object(fitted, isolated):
    obj, frame = fitted
    for method in ("predict", "predict_proba", "decision_function"):
        found, wanted = getattr(isolated, method)(frame), getattr(obj, method)(frame)
        assert found.dtype == wanted.dtype
        np.testing.assert_array_equal(found, wanted)


def test_a_table_is_as_good_as_a_frame(fitted, isolated):
    obj, frame = fitted
    table = Table({name: frame[name].to_numpy() for name in frame})
    np.testing.assert_array_equal(isolated.predict(table), obj.predict(frame))


def test_its_runtime_answers_too(fitted, isolated):
    obj, frame = fitted
    table = Table({name: np.asarray(frame[name], object if name == "colour" else None)
                   for name in frame})  # fmt: skip
    found = isolated.runtime.predict(table).outputs
    np.testing.assert_array_equal(found["label"], obj.predict(frame))


def test_params_and_structure_come_as_plain_values(isolated):
    assert isolated.params()["logisticregression__C"] == 1.0
    assert "logisticregression__C" not in isolated.get_params(deep=False)
    assert any("LogisticRegression" in line for line in isolated.structure())


def test_a_method_that_it_lacks_is_invalid_input(isolated):
    with pytest.raises(InvalidInput) as caught:
        isolated.score_samples([[1.0]])
    assert caught.value.kind == "no-method"


def test_rows_that_it_can_not_take_are_told(isolated):
    with pytest.raises(InvalidInput, match="differ in length"):
        isolated.predict([[1.0], [1.0, 2.0]])
    with pytest.raises(Unavailable) as caught:
        isolated.predict([[1.0]])
    assert caught.value.kind == "model-failed"


def test_it_says_what_and_where_it_is(tmp_path):
    saved = named("python").save(np.mean, tmp_path, "pickle")
    with isolate(tmp_path, saved, trust=Trust.of(TRUST_ALL)) as obj:
        assert repr(obj).startswith("<isolated ")
        assert "process" in repr(obj)
    assert "ended" in repr(obj)


def isolated_answer(folder, framework, obj, method, rows, **how):
    saved = named(framework).save(obj, folder, **how)
    with isolate(folder, saved, trust=Trust.of(TRUST_ALL)) as foreign:
        return getattr(foreign, method)(rows)


@pytest.mark.heavy
def test_a_module_of_torch_gives_its_only_output(tmp_path):
    import torch

    net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    found = isolated_answer(tmp_path, "torch", net, "predict", ROWS, serializer="safetensors")
    with torch.inference_mode():
        wanted = net(torch.from_numpy(ROWS.astype("float32"))).numpy()
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


@pytest.mark.heavy
def test_a_pair_with_softmax_gives_labels_and_probabilities(tmp_path):
    import torch

    net = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Softmax(dim=1))
    pair = (net, torch.optim.SGD(net.parameters(), lr=0.1))
    saved = named("torch").save(pair, tmp_path, "safetensors")
    with isolate(tmp_path, saved, trust=Trust()) as foreign:
        chances = foreign.predict_proba(ROWS)
        np.testing.assert_array_equal(foreign.predict(ROWS), chances.argmax(axis=1))
    assert chances.shape == (50, 2)


@pytest.fixture(scope="module")
def doubling(tmp_path_factory):
    """An ONNX graph with two outputs, isolated."""
    onnx = pytest.importorskip("onnx")
    info = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [
            onnx.helper.make_node("Add", ["x", "x"], ["twice"]),
            onnx.helper.make_node("Neg", ["x"], ["minus"]),
        ],
        "doubling",
        [info("x", onnx.TensorProto.FLOAT, [None, 3])],
        [info(name, onnx.TensorProto.FLOAT, [None, 3]) for name in ("twice", "minus")],
    )
    opset = [onnx.helper.make_opsetid("", 18)]
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=10)
    folder = tmp_path_factory.mktemp("doubling")
    with isolate(folder, named("onnx").save(model, folder, "onnx"), trust=Trust()) as obj:
        yield obj


def test_several_outputs_come_by_name(doubling):
    rows = ROWS.astype("float32")
    found = doubling.predict(rows)
    assert sorted(found) == ["minus", "twice"]
    np.testing.assert_array_equal(found["twice"], rows + rows)
    np.testing.assert_array_equal(doubling.predict({"x": rows})["minus"], -rows)


def test_probabilities_that_there_are_not_are_told(doubling):
    with pytest.raises(InvalidInput, match="gives no probabilities") as caught:
        doubling.predict_proba(ROWS)
    assert caught.value.kind == "no-method"


def test_a_booster_takes_arrays(tmp_path):
    xgboost = pytest.importorskip("xgboost")
    booster = xgboost.train({"max_depth": 2}, xgboost.DMatrix(ROWS, ROWS[:, 0]), 3)
    found = isolated_answer(tmp_path, "xgboost", booster, "predict", ROWS, serializer="ubj")
    np.testing.assert_allclose(found, booster.predict(xgboost.DMatrix(ROWS)), rtol=1e-6)


@pytest.mark.heavy
def test_a_model_of_keras_answers_by_itself(tmp_path):
    from modelyard.frameworks.keras.library import keras as library

    keras = library()
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    found = isolated_answer(tmp_path, "keras", model, "predict", ROWS, serializer="keras")
    np.testing.assert_allclose(found, np.asarray(model(ROWS)), rtol=1e-4)
