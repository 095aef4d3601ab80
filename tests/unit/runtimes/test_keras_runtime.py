"""Keras models answer with arrays named by what they mean."""

from __future__ import annotations

import numpy as np
import pytest

from modelyard.core.table import Table
from modelyard.errors import InvalidInput
from modelyard.frameworks import named
from modelyard.frameworks.keras.library import keras as library
from modelyard.frameworks.keras.tensors import BATCH
from modelyard.runtimes import runtime_of

pytestmark = [pytest.mark.slow, pytest.mark.heavy]

X = np.random.default_rng(1).normal(size=(11, 4)).astype("float32")
COLUMNS = {name: X[:, index] for index, name in enumerate("abcd")}


@pytest.fixture(scope="module")
def k():
    return library()


def sequential(k, *layers):
    return k.Sequential([k.Input((4,), name="rows"), *layers])


def ask(model, table=None, signature=None):
    with runtime_of("keras", model, signature) as runtime:
        return runtime.about, runtime.predict(
            Table({"rows": X}) if table is None else table
        ).outputs


def test_softmax_gives_labels_and_probabilities(k):
    model = sequential(k, k.layers.Dense(3, activation="softmax"))
    about, outputs = ask(model)
    assert about.task == "classification"
    assert about.classes.tolist() == [0, 1, 2]
    assert outputs.keys() == {"label", "probability"}
    assert outputs["probability"].shape == (11, 3)
    assert np.allclose(outputs["probability"].sum(axis=1), 1)
    assert outputs["label"].dtype == np.int64
    assert np.array_equal(outputs["label"], model.predict(X, verbose=0).argmax(axis=1))


@pytest.mark.parametrize("ending", ["activation", "layer", "operation", "inner model"])
def test_softmax_is_found_wherever_it_stands(ending, k):
    rows = k.Input((4,), name="rows")
    values = k.layers.Dense(3)(rows)
    if ending == "activation":
        values = k.layers.Activation("softmax")(values)
    elif ending == "layer":
        values = k.layers.Softmax()(values)
    elif ending == "operation":
        values = k.ops.softmax(values)
    else:
        values = k.Sequential([k.Input((3,)), k.layers.Softmax()])(values)
    about, outputs = ask(k.Model(rows, values))
    assert about.task == "classification"
    assert outputs["probability"].shape == (11, 3)


def test_one_sigmoid_is_two_classes(k):
    model = sequential(k, k.layers.Dense(1, activation="sigmoid"))
    about, outputs = ask(model)
    assert about.classes.tolist() == [0, 1]
    positive = model(X).numpy()[:, 0]
    assert np.array_equal(outputs["probability"][:, 1], positive)
    assert np.array_equal(outputs["label"], (positive > 0.5).astype(int))


def test_one_number_is_a_prediction(k):
    about, outputs = ask(sequential(k, k.layers.Dense(1)))
    assert about.task == "regression"
    assert about.classes is None
    assert outputs["prediction"].shape == (11,)


def test_what_can_not_be_told_keeps_its_name(k):
    for layer, shape in (
        (k.layers.Dense(3, name="scores"), (11, 3)),
        (k.layers.Dense(3, activation="sigmoid", name="scores"), (11, 3)),
        (k.layers.Reshape((2, 2), name="scores"), (11, 2, 2)),
    ):
        about, outputs = ask(sequential(k, layer))
        assert about.task is None
        assert {name: value.shape for name, value in outputs.items()} == {"scores": shape}


def test_several_outputs_are_named_by_their_layers(k):
    rows = k.Input((4,), name="rows")
    first = k.layers.Dense(1, name="price")(rows)
    second = k.layers.Dense(2, name="kind")
    _, outputs = ask(k.Model(rows, [first, second(rows), second(rows * 2)]))
    assert {name: value.shape for name, value in outputs.items()} == {
        "price": (11, 1), "kind": (11, 2), "kind_2": (11, 2)
    }  # fmt: skip
    _, outputs = ask(k.Model(rows, {"z": first, "a": second(rows)}))
    assert {name: value.shape for name, value in outputs.items()} == {"a": (11, 2), "z": (11, 1)}


def test_inputs_go_where_their_names_say(k):
    left, right = k.Input((1,), name="left"), k.Input((), name="right", dtype="int32")
    words = k.layers.Embedding(5, 1, name="words")
    model = k.Model([left, right], k.layers.Subtract(name="out")([left, words(right)]))
    columns = {"right": np.arange(5), "left": X[:5, 0], "more": X[:5, 1]}
    about, outputs = ask(model, Table(columns))
    assert about.features == ("left", "right")
    assert np.array_equal(outputs["out"], X[:5, :1] - words.embeddings.numpy())
    with pytest.raises(InvalidInput, match="'left'") as refused:
        ask(model, Table({"right": np.arange(5)}))
    assert refused.value.kind == "no-column"
    with pytest.raises(InvalidInput, match="whole numbers"):
        ask(model, Table(columns | {"right": X[:5, 0]}))


def test_columns_of_the_commit_are_taken_by_name(k):
    model = sequential(k, k.layers.Dense(1))
    pandas = pytest.importorskip("pandas")
    signature = named("keras").signature(model, pandas.DataFrame(COLUMNS))
    shuffled = Table({"y": X[:, 0], **{name: COLUMNS[name] for name in "dbca"}})
    about, outputs = ask(model, shuffled, signature)
    assert about.features == ("a", "b", "c", "d")
    assert np.array_equal(outputs["prediction"], ask(model)[1]["prediction"])


def test_pictures_may_come_as_flat_columns(k):
    model = k.Sequential([
        k.Input((2, 2, 1), name="picture"), k.layers.Conv2D(1, 2), k.layers.Flatten(name="out")
    ])  # fmt: skip
    _, flat = ask(model, Table(COLUMNS))
    _, whole = ask(model, Table({"picture": X.reshape(11, 2, 2, 1), "y": X[:, 0]}))
    assert np.array_equal(flat["out"], whole["out"])


def test_text_goes_into_layers_that_take_text(k):
    if k.backend.backend() != "tensorflow":
        pytest.skip("text needs TensorFlow")
    words = np.array(["b", "a", "c"], object)
    layer = k.layers.StringLookup(vocabulary=["a", "b"], name="index")
    model = k.Sequential([k.Input((1,), dtype="string", name="word"), layer])
    _, outputs = ask(model, Table({"word": words}))
    assert outputs["index"].ravel().tolist() == [2, 1, 0]


def test_batches_do_not_show(k):
    model = sequential(k, k.layers.Dense(3, activation="softmax"))
    rows = np.random.default_rng(2).normal(size=(2 * BATCH + 3, 4)).astype("float32")
    _, outputs = ask(model, Table({"rows": rows}))
    _, first = ask(model, Table({"rows": rows[:BATCH]}))
    assert len(outputs["label"]) == 2 * BATCH + 3
    assert np.array_equal(outputs["probability"][:BATCH], first["probability"])
    again = ask(model, Table({"rows": rows}))[1]
    assert np.array_equal(outputs["probability"], again["probability"])


def test_no_rows_give_no_answers(k):
    _, outputs = ask(sequential(k, k.layers.Dense(3, activation="softmax")), Table({"rows": X[:0]}))
    assert outputs["probability"].shape == (0, 3)
    assert outputs["label"].shape == (0,)


@pytest.mark.parametrize(
    ("table", "kind"),
    [
        (Table({"a": X[:, 0]}), "bad-inputs"),
        (Table({"rows": np.array(["x"] * 11, object)}), "not-numeric"),
        (Table({"rows": X.reshape(11, 2, 2)[:, :, :1]}), "bad-inputs"),
    ],
)
def test_rows_that_do_not_fit(table, kind, k):
    with pytest.raises(InvalidInput) as refused:
        ask(sequential(k, k.layers.Dense(1)), table)
    assert refused.value.kind == kind


def test_a_call_that_fails_is_told_without_a_traceback(k):
    model = k.Sequential([k.Input((None,), name="rows"), k.layers.Reshape((4,))])
    with pytest.raises(InvalidInput, match="refuses these rows") as refused:
        ask(model, Table({"rows": X[:, :3]}))
    assert refused.value.kind == "bad-inputs"


def test_dropout_does_not_drop_and_half_precision_comes_as_it_is(k):
    layers = [k.layers.Dropout(0.9), k.layers.Dense(2, dtype="bfloat16", name="out")]
    _, outputs = ask(sequential(k, *layers))
    assert outputs["out"].dtype == np.float32
    assert np.array_equal(outputs["out"], ask(sequential(k, *layers))[1]["out"])
