"""Models of real data, as passes get them."""

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

    from modelyard.optimization.state import Task

    Bench = Callable[..., tuple[Model, Work]]


def table_of(bunch: Any) -> Table:
    """Columns by name, of data that comes with scikit-learn."""
    names = [str(name) for name in bunch.feature_names]
    return Table(dict(zip(names, np.asarray(bunch.data).T, strict=True)))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A model of an object, and work with rows of which 0.2 are for `valid`."""
    count = 0

    def make(
        obj: Any, inputs: Table, target: Any, task: Task = "classification", *, seed: int = 7
    ) -> tuple[Model, Work]:
        nonlocal count
        count += 1
        place = tmp_path / f"bench{count}"
        (place / "source").mkdir(parents=True)
        (place / "scratch").mkdir()
        framework = framework_of(obj)
        saved = framework.save(obj, place / "source", serializer_of(framework, None), None)
        model = Model(folder=place / "source", saved=saved)
        rows = Rows(inputs, None if target is None else np.asarray(target))
        order = np.random.default_rng(0).permutation(len(rows))
        cut = len(rows) // 5
        work = Work(
            task=task, train=rows.take(np.sort(order[cut:])), valid=rows.take(np.sort(order[:cut])),
            source=model, scratch=place / "scratch", seed=seed,
        )  # fmt: skip
        return model, work

    return make
