"""Models of tables, and rows for passes."""

from __future__ import annotations

from dataclasses import replace
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


@pytest.fixture
def wine() -> Rows:
    """178 rows of 13 numbers, three classes."""
    from sklearn.datasets import load_wine

    return _rows(load_wine())


@pytest.fixture
def diabetes() -> Rows:
    """442 rows of 10 numbers, and a number to predict."""
    from sklearn.datasets import load_diabetes

    return _rows(load_diabetes())


def _rows(bunch: Any) -> Rows:
    columns = {f"c{at}": column for at, column in enumerate(bunch.data.T.copy())}
    return Rows(Table(columns), bunch.target)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A model of an object, and work with rows of which 0.2 are for `valid`."""
    count = 0

    def make(obj: Any, rows: Rows, task: Task = "classification") -> tuple[Model, Work]:
        nonlocal count
        count += 1
        place = tmp_path / f"bench{count}"
        (place / "source").mkdir(parents=True)
        (place / "scratch").mkdir()
        framework = framework_of(obj)
        saved = framework.save(obj, place / "source", serializer_of(framework, None), None)
        details = {**saved.details, "structure": list(framework.structure(obj))}
        model = Model(folder=place / "source", saved=replace(saved, details=details))
        order = np.random.default_rng(0).permutation(len(rows))
        cut = len(rows) // 5
        work = Work(
            task=task, train=rows.take(np.sort(order[cut:])), valid=rows.take(np.sort(order[:cut])),
            source=model, scratch=place / "scratch", seed=7,
        )  # fmt: skip
        return model, work

    return make
