"""Small networks on real digits, as passes get them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from modelyard.core.table import Table
from modelyard.frameworks import framework_of
from modelyard.optimization.state import Model, Rows, Work

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Small tensors on a busy machine: threads only wait for each other."""
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def digits() -> dict[str, Rows]:
    """Pictures of 1x8x8: `train`, `valid` and `held`, which no pass sees."""
    data = pytest.importorskip("sklearn.datasets").load_digits()
    order = np.random.default_rng(0).permutation(len(data.images))
    pictures = (data.images / 16).astype(np.float32)[order, None]
    rows = Rows(Table({"picture": pictures}), data.target.astype(np.int64)[order])
    parts = {"train": (0, 900), "valid": (900, 1200), "held": (1200, 1797)}
    return {name: rows.take(slice(*ends)) for name, ends in parts.items()}


@pytest.fixture(scope="session")
def trained(digits: dict[str, Rows]) -> Any:
    """A convolutional network that knows its digits; copy it before you change it."""
    import torch
    from torch import nn

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1), nn.BatchNorm2d(12), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(192, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip
    train = digits["train"]
    net, _ = framework_of(net).fit(net, train.inputs, train.target, epochs=12, seed=0)
    torch.set_num_threads(threads)
    return net.eval()


@pytest.fixture
def given(tmp_path: Path, digits: dict[str, Rows]) -> Callable[..., tuple[Model, Work]]:
    """A module as a committed model, and work on it."""
    count = 0

    def make(
        obj: Any, train: Rows | None = None, valid: Rows | None = None, *,
        task: Any = "classification", rows: bool = True, seed: int = 7,
    ) -> tuple[Model, Work]:  # fmt: skip
        nonlocal count
        count += 1
        place = tmp_path / str(count)
        (place / "scratch").mkdir(parents=True)
        (place / "source").mkdir()
        if rows and train is None:
            train, valid = digits["train"], digits["valid"]
        framework = framework_of(obj)
        example = (train or digits["train"]).inputs.take(slice(0, 3))
        saved = framework.save(obj, place / "source", "safetensors", example)
        model = Model(
            folder=place / "source", saved=saved, signature=framework.signature(obj, example)
        )
        return model, Work(
            task=task, train=train, valid=valid, source=model, scratch=place / "scratch", seed=seed
        )

    return make


@pytest.fixture(scope="session")
def accuracy(digits: dict[str, Rows]) -> Callable[[Model], float]:
    """Of rows that no pass has seen."""

    def measure(model: Model) -> float:
        from modelyard.optimization.measuring import quality

        return quality(model, digits["held"], task="classification")

    return measure
