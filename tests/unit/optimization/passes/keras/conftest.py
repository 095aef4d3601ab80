"""Keras models of real data, as passes get them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from modelyard.core.table import Table
from modelyard.frameworks import framework_of, serializer_of
from modelyard.optimization.state import Model, Rows, Work

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Bench = Callable[..., tuple[Model, Work]]


@pytest.fixture(scope="session")
def digits() -> tuple[Rows, Rows]:
    """Pictures of digits: to learn from, and to choose by."""
    data = pytest.importorskip("sklearn.datasets")
    pictures, target = data.load_digits(return_X_y=True)
    pictures = (pictures / 16).astype("float32").reshape(-1, 8, 8, 1)
    rows = Rows(Table({"pixels": pictures}), np.asarray(target, np.int64))
    return rows.take(slice(0, 1200)), rows.take(slice(1200, None))


@pytest.fixture(scope="session")
def network(digits: tuple[Rows, Rows]) -> Any:
    """A classifier of digits; nobody changes it."""
    from modelyard.frameworks.keras.library import keras

    k = keras()
    k.utils.set_random_seed(0)
    made = k.Sequential([
        k.Input((8, 8, 1), name="pixels"),
        k.layers.Conv2D(8, 3, activation="relu", name="look"),
        k.layers.Flatten(name="flat"),
        k.layers.Dense(64, activation="relu", name="think"),
        k.layers.Dense(10, activation="softmax", name="say"),
    ])  # fmt: skip
    made.compile(k.optimizers.Adam(0.003), "sparse_categorical_crossentropy")
    train = digits[0]
    made.fit(train.inputs.column("pixels"), train.target, epochs=6, verbose=0)
    return made


@pytest.fixture
def bench(tmp_path: Path, digits: tuple[Rows, Rows]) -> Bench:
    """A model of an object, and work on the digits."""
    count = 0

    def make(
        obj: Any, serializer: str | None = None, example: Table | None = None
    ) -> tuple[Model, Work]:
        nonlocal count
        count += 1
        place = tmp_path / f"bench{count}"
        (place / "source").mkdir(parents=True)
        (place / "scratch").mkdir()
        framework = framework_of(obj)
        if example is None:
            example = digits[0].inputs.take(slice(0, 2))
        wanted = serializer_of(framework, serializer)
        saved = framework.save(obj, place / "source", wanted, example)
        model = Model(
            folder=place / "source", saved=saved, signature=framework.signature(obj, example)
        )
        return model, Work(
            task="classification", train=digits[0], valid=digits[1], source=model,
            scratch=place / "scratch", seed=7,
        )  # fmt: skip

    return make
