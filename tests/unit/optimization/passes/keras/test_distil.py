"""A narrower Keras model that learned from a wide one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from modelyard.core.table import Table
from modelyard.errors import Unsupported
from modelyard.optimization.measuring import quality
from modelyard.optimization.passes import pass_named
from modelyard.optimization.state import Rows, Subject

if TYPE_CHECKING:
    from conftest import Bench
    from modelyard.optimization.state import Task

pytestmark = [pytest.mark.slow, pytest.mark.heavy]
pytest.importorskip("keras")

DISTIL = pass_named("keras-distil")


def test_a_student_of_half_the_width_says_nearly_the_same(bench: Bench, network: Any) -> None:
    digests = set()
    for _ in range(2):
        model, work = bench(network)
        made = DISTIL.run(model, {"width": 0.5, "rate": 3e-3, "epochs": 20}, work)
        assert made.model is not None
        digests.add(made.model.digest)
    assert made.model is not None
    student = made.model.load()

    assert len(digests) == 1, "the same student each time"
    assert [each.name for each in student.layers] == [each.name for each in network.layers]
    assert student.get_layer("look").filters == 4
    assert student.get_layer("think").units == 32
    assert student.get_layer("say").units == 10
    assert made.model.size < model.size / 6
    assert work.valid is not None
    before, after = (quality(m, work.valid, task="classification") for m in (model, made.model))
    assert after >= before - 0.03


def test_a_student_of_numbers_and_of_yes_or_no(bench: Bench) -> None:
    from modelyard.frameworks.keras.library import keras

    k = keras()
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 4)).astype("float32")
    cases: tuple[tuple[str, str, Task, Any], ...] = (
        ("sigmoid", "binary_crossentropy", "classification", (x[:, 0] + x[:, 1] > 0).astype(int)),
        ("linear", "mse", "regression", (2 * x[:, 0] - x[:, 1]).astype("float64")),
    )
    for last, loss, task, target in cases:
        k.utils.set_random_seed(0)
        inputs = k.Input((4,), name="rows")
        wide = k.layers.Dense(32, activation="relu", name="wide")(inputs)
        net = k.Model(inputs, k.layers.Dense(1, activation=last, name="say")(wide))
        net.compile("adam", loss)
        net.fit(x, target, epochs=15, verbose=0)
        rows = Rows(Table({"rows": x}), target)
        model, work = bench(net, None, rows.inputs.take(slice(0, 2)))
        work = replace(work, train=rows, valid=rows, task=task)

        made = DISTIL.run(model, {"width": 0.25, "rate": 5e-3, "epochs": 30}, work)

        assert made.model is not None
        before, after = (quality(m, rows, task=task) for m in (model, made.model))
        assert after > before - (0.05 if task == "classification" else 0.6)


def test_what_has_models_inside_is_not_made_narrower(bench: Bench, network: Any) -> None:
    from modelyard.frameworks.keras.library import keras

    k = keras()
    model, work = bench(k.Sequential([k.Input((8, 8, 1), name="pixels"), network]))
    with pytest.raises(Unsupported, match="plain layers") as caught:
        DISTIL.run(model, {"width": 0.5}, work)
    assert caught.value.kind == "not-improvable"


def test_a_student_needs_rows(bench: Bench, network: Any) -> None:
    subject = Subject(framework="keras", serializer="keras", class_name="keras.Model", size=1000)
    assert "rows" in str(DISTIL.why_not(subject))
    assert DISTIL.why_not(replace(subject, rows=100)) is None
    assert set(DISTIL.options(subject)) == {"width", "rate"}
    model, work = bench(network)
    assert DISTIL.run(model, {"width": 0.5}, replace(work, train=None)).model is None
