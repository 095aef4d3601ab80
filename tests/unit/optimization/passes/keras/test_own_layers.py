"""Keras models with layers of other people, which make layers of Keras inside of them."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from modelyard.core.table import Table
from modelyard.core.trust import Trust
from modelyard.optimization.measuring import quality
from modelyard.optimization.passes import pass_named
from modelyard.optimization.state import Rows

if TYPE_CHECKING:
    from conftest import Bench
    from modelyard.optimization.state import Model, Work

pytestmark = [pytest.mark.slow, pytest.mark.heavy]
pytest.importorskip("keras")


@pytest.fixture(params=["keras", "h5"])
def scaled(
    bench: Bench, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> tuple[Model, Work]:
    """A model whose first layer is not of Keras; its inner layer has no name of its own."""
    from modelyard.frameworks.keras.library import keras

    k = keras()
    k.utils.set_random_seed(0)

    @k.saving.register_keras_serializable("modelyard-tests")
    class Scaled(k.layers.Layer):  # type: ignore[misc, name-defined]
        def __init__(self, units: int, **other: Any) -> None:
            super().__init__(**other)
            self.units = units
            self.inner = k.layers.Dense(units, activation="relu")

        def build(self, shape: Any) -> None:
            self.inner.build(shape)
            self.scale = self.add_weight(shape=(self.units,), initializer="ones")
            self.built = True

        def call(self, x: Any) -> Any:
            return self.inner(x) * self.scale

        def get_config(self) -> Any:
            return {**super().get_config(), "units": self.units}

    monkeypatch.setattr(sys.modules[__name__], "Scaled", Scaled, raising=False)
    net = k.Sequential([
        k.Input((4,), name="rows"), Scaled(8, name="scaled"),
        k.layers.Dense(8, activation="relu", name="think"),
        k.layers.Dense(2, activation="softmax", name="say"),
    ])  # fmt: skip
    net.compile("adam", "sparse_categorical_crossentropy")
    x = np.random.default_rng(0).normal(size=(100, 4)).astype("float32")
    rows = Rows(Table({"rows": x}), (x[:, 0] > 0).astype(np.int64))
    model, work = bench(net, request.param, rows.inputs.take(slice(0, 2)))
    model = replace(model, trust=Trust(everything=True))
    return model, replace(work, train=rows, valid=rows, source=model)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("keras-distil", {"epochs": 1}),
        ("keras-prune", {"epochs": 1, "rounds": 1}),
        ("keras-quantize", {"mode": "int4"}),
        ("to-litert", {"kind": "float32"}),
    ],
)
def test_a_pass_gives_the_same_file_each_time(
    scaled: tuple[Model, Work], name: str, params: dict[str, Any]
) -> None:
    model, work = scaled
    digests = set()
    for turn in range(2):
        (work.scratch / str(turn)).mkdir()
        made = pass_named(name).run(model, params, replace(work, scratch=work.scratch / str(turn)))
        assert made.model is not None
        digests.add(made.model.digest)
    assert len(digests) == 1


def test_what_a_file_would_forget_is_not_quantized(scaled: tuple[Model, Work]) -> None:
    model, work = scaled
    made = pass_named("keras-quantize").run(model, {"mode": "int8"}, work)
    assert made.model is not None
    assert [each["layer"] for each in made.changed] == ["think/kernel", "say/kernel"]
    assert any("scaled/dense/kernel" in note for note in made.notes)
    assert work.train is not None
    before, after = (quality(m, work.train, task="classification") for m in (model, made.model))
    assert after >= before - 0.05
