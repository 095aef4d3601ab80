"""Keras models as ONNX graphs answer as they do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from modelyard.core.table import Table
from modelyard.errors import Unsupported
from modelyard.optimization.passes import pass_named

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.heavy
keras = pytest.importorskip("keras")
pytest.importorskip("onnxruntime")

CONVERT: Any = pass_named("to-onnx")


def pictures() -> Any:
    """Convolutions of most kinds, a branch, and classes."""
    layers = keras.layers
    image = keras.Input((12, 10, 2), name="image")
    x = layers.Rescaling(0.5, -0.1)(image)
    x = layers.Conv2D(8, 3, padding="same", strides=2, activation="relu")(x)
    x = layers.BatchNormalization()(x)
    y = layers.DepthwiseConv2D(3, padding="same", depth_multiplier=1)(x)
    y = layers.LeakyReLU()(y)
    z = layers.Add()([x, y])
    z = layers.Concatenate()([z, layers.MaxPooling2D(3, 1, padding="same")(x)])
    z = layers.ZeroPadding2D(1)(z)
    z = layers.AveragePooling2D(2)(z)
    a = layers.GlobalAveragePooling2D()(z)
    b = layers.Flatten()(z)
    z = layers.Concatenate()([a, layers.Dropout(0.5)(b)])
    z = layers.Dense(16, activation="gelu")(z)
    return keras.Model(image, layers.Dense(4, activation="softmax")(z))


def words() -> Any:
    layers = keras.layers
    return keras.Sequential([
        keras.Input((9,), dtype="int32", name="ids"), layers.Embedding(30, 8),
        layers.Conv1D(6, 3, padding="causal", activation="silu"), layers.LayerNormalization(),
        layers.GlobalMaxPooling1D(), layers.Dense(1, activation="sigmoid"),
    ])  # fmt: skip


def number() -> Any:
    return keras.Sequential([
        keras.Input((3,), name="rows"), keras.layers.Dense(5, activation="tanh"),
        keras.layers.Dense(1),
    ])  # fmt: skip


@pytest.mark.parametrize("make", [pictures, words, number], ids=lambda make: make.__name__)
def test_a_model_answers_the_same_as_a_graph(
    bench: Callable[..., Any], make: Callable[[], Any]
) -> None:
    keras.utils.set_random_seed(3)
    rng = np.random.default_rng(3)
    rows = {
        "pictures": Table({"image": rng.normal(size=(20, 12, 10, 2)).astype(np.float32)}),
        "words": Table({"ids": rng.integers(0, 30, (20, 9)).astype(np.int32)}),
        "number": Table({name: rng.normal(size=20) for name in "abc"}),
    }[make.__name__]
    model, work = bench(make(), rows)
    made = CONVERT.run(model, {}, work())
    assert made.model is not None
    assert made.model.saved.details["parity"]["max_difference"] < 1e-5
    wanted = [each["name"] for each in model.signature["outputs"]]
    assert sorted(each["name"] for each in made.model.signature["outputs"]) == sorted(wanted)
    assert CONVERT.run(model, {}, work()).model.digest == made.model.digest


def test_a_layer_that_is_not_known_is_named(bench: Callable[..., Any]) -> None:
    odd = keras.Sequential([keras.Input((4, 2)), keras.layers.LSTM(3, name="memory")])
    rows = Table({"x": np.zeros((6, 4, 2), np.float32)})
    model, work = bench(odd, rows)
    with pytest.raises(Unsupported, match=r"the layer memory \(LSTM\) is none that is known"):
        CONVERT.run(model, {}, work())
