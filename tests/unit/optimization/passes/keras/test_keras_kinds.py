"""Keras models that are built otherwise than one learned layer after the other."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from modelyard.core.table import Table
from modelyard.errors import Unsupported
from modelyard.optimization.measuring import quality
from modelyard.optimization.passes import pass_named
from modelyard.optimization.state import Rows

if TYPE_CHECKING:
    from conftest import Bench
    from modelyard.optimization.state import Model, Work

pytestmark = [pytest.mark.slow, pytest.mark.heavy]
pytest.importorskip("keras")

DISTIL, PRUNE, QUANTIZE = (pass_named(f"keras-{name}") for name in ("distil", "prune", "quantize"))


def library() -> Any:
    from modelyard.frameworks.keras.library import keras

    found = keras()
    found.utils.set_random_seed(0)
    return found


def rows_far_from_zero() -> tuple[Any, Rows]:
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(300, 4)) * [1, 10, 100, 1] + [0, 50, 5000, 0]).astype("float32")
    target = (x[:, 0] + (x[:, 1] - 50) / 10 > 0).astype(np.int64)
    return x, Rows(Table({"rows": x}), target)


def trained(bench: Bench, layers: list[Any], x: Any, rows: Rows) -> tuple[Model, Work]:
    k = library()
    net = k.Sequential([k.Input(x.shape[1:], name="rows", dtype=str(x.dtype)), *layers])
    net.compile(k.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    net.fit(x, rows.target, epochs=15, verbose=0)
    model, work = bench(net, None, rows.inputs.take(slice(0, 2)))
    return model, replace(work, train=rows, valid=rows)


def right(model: Model, rows: Rows) -> float:
    return quality(model, rows, task="classification")


def normalized(bench: Bench) -> tuple[Model, Work, Rows]:
    k = library()
    x, rows = rows_far_from_zero()
    scale = k.layers.Normalization(name="scale")
    scale.adapt(x)
    layers = [
        scale, k.layers.Dense(16, activation="relu"), k.layers.Dense(2, activation="softmax")
    ]  # fmt: skip
    return *trained(bench, layers, x, rows), rows


def test_a_student_has_the_statistics_of_its_teacher(bench: Bench) -> None:
    model, work, rows = normalized(bench)

    made = DISTIL.run(model, {"width": 0.5, "rate": 5e-3, "epochs": 20}, work)

    assert made.model is not None
    for old, new in zip(
        model.load().get_layer("scale").weights, made.model.load().get_layer("scale").weights,
        strict=True,
    ):  # fmt: skip
        assert (np.asarray(old.value) == np.asarray(new.value)).all()
    assert right(made.model, rows) >= right(model, rows) - 0.03


def test_counts_of_a_normalization_are_no_sign_of_quantizing(bench: Bench) -> None:
    model, work, rows = normalized(bench)
    made = QUANTIZE.run(model, {"mode": "int8"}, work)
    assert made.model is not None
    assert len(made.changed) == 2
    assert right(made.model, rows) >= right(model, rows) - 0.02


def test_a_copy_in_this_process_computes_with_the_same_statistics(bench: Bench) -> None:
    from modelyard.optimization.passes.keras.networks import bare

    model, _, rows = normalized(bench)
    network = model.load()
    x = rows.inputs.column("rows")
    assert np.allclose(network(x), bare(network)(x))


def test_a_student_keeps_what_its_teacher_was_given_and_never_learned(bench: Bench) -> None:
    k = library()
    rng = np.random.default_rng(0)
    table = rng.normal(size=(50, 8)).astype("float32")
    words = rng.integers(0, 50, (300, 5)).astype("int32")
    rows = Rows(Table({"rows": words}), (table[words][:, :, 0].sum(1) > 0).astype(np.int64))
    layers = [
        k.layers.Embedding(
            50, 8, embeddings_initializer=k.initializers.Constant(table), trainable=False,
            name="words",
        ),
        k.layers.Conv1D(8, 1, trainable=False, name="frozen"),
        k.layers.GlobalAveragePooling1D(),
        k.layers.Dense(16, activation="relu", name="think"),
        k.layers.Dense(2, activation="softmax"),
    ]  # fmt: skip
    model, work = trained(bench, layers, words, rows)

    made = DISTIL.run(model, {"width": 0.5, "epochs": 2}, work)

    assert made.model is not None
    teacher, student = model.load(), made.model.load()
    assert student.get_layer("think").units == 8
    for name in ("words", "frozen"):
        for old, new in zip(
            teacher.get_layer(name).weights, student.get_layer(name).weights, strict=True
        ):
            assert (np.asarray(old.value) == np.asarray(new.value)).all()


def test_a_frozen_layer_after_narrower_ones_is_refused(bench: Bench) -> None:
    k = library()
    x, rows = rows_far_from_zero()
    layers = [
        k.layers.Dense(16, name="learns"),
        k.layers.Dense(8, trainable=False, name="frozen"),
        k.layers.Dense(2, activation="softmax"),
    ]
    model, work = trained(bench, layers, x, rows)
    with pytest.raises(Unsupported, match="frozen keeps can't be learned") as caught:
        DISTIL.run(model, {"width": 0.5, "epochs": 1}, work)
    assert caught.value.kind == "not-improvable"


def test_a_student_answers_as_wide_as_its_teacher(bench: Bench) -> None:
    k = library()
    rows = rows_far_from_zero()[1]
    inputs = k.Input((4,), name="rows")
    wide = k.layers.Dense(16)(inputs)
    halves = [k.layers.Dense(4)(wide), k.layers.Dense(4)(wide)]
    net = k.Model(inputs, k.layers.Softmax()(k.layers.Concatenate()(halves)))
    model, work = bench(net, None, rows.inputs.take(slice(0, 2)))
    with pytest.raises(Unsupported, match="outputs of other widths"):
        DISTIL.run(model, {"width": 0.5, "epochs": 1}, replace(work, train=rows, valid=rows))


@pytest.fixture
def towers(bench: Bench) -> tuple[Model, Work]:
    """Two models inside of one, whose layers have the same names and other widths."""
    k = library()

    def tower(width: int, name: str) -> Any:
        inputs = k.Input((width,))
        one = k.layers.Dense(8, activation="relu", name="fc1")(inputs)
        return k.Model(inputs, k.layers.Dense(8, name="fc2")(one), name=name)

    ends = [k.Input((4,), name="zed"), k.Input((3,), name="abe")]
    parts = [tower(4, "left")(ends[0]), tower(3, "right")(ends[1])]
    say = k.layers.Dense(1, activation="sigmoid", name="say")(k.layers.Concatenate()(parts))
    net = k.Model(ends, say)
    net.compile("adam", "binary_crossentropy")
    rng = np.random.default_rng(0)
    given = {n: rng.normal(size=(100, w)).astype("float32") for n, w in (("zed", 4), ("abe", 3))}
    rows = Rows(Table(given), (given["zed"][:, 0] > 0).astype(np.int64))
    model, work = bench(net, None, rows.inputs.take(slice(0, 2)))
    return model, replace(work, train=rows, valid=rows)


def test_layers_of_equal_names_are_pruned_each_by_itself(towers: tuple[Model, Work]) -> None:
    made = PRUNE.run(*towers[:1], {"sparsity": 0.5, "rounds": 1, "epochs": 1}, towers[1])
    assert made.model is not None
    shapes = sorted(each["shape"] for each in made.changed if each["layer"] == "fc1/kernel")
    assert shapes == [[3, 8], [4, 8]]


def test_layers_of_equal_names_are_quantized_and_told_each(towers: tuple[Model, Work]) -> None:
    made = QUANTIZE.run(*towers[:1], {"mode": "int8"}, towers[1])
    assert made.model is not None
    assert len(made.changed) == 5
    assert made.notes[0] == "5 layers keep int8"
