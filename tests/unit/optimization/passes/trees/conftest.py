"""Ensembles of trees, as passes get them."""

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


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A fitted object as a model, and work with rows to choose by."""
    count = 0

    def make(obj: Any, rows: Any, target: Any, task: Any = "classification") -> tuple[Model, Work]:
        nonlocal count
        count += 1
        place = tmp_path / f"bench{count}"
        (place / "source").mkdir(parents=True)
        (place / "scratch").mkdir()
        framework = framework_of(obj)
        saved = framework.save(obj, place / "source", serializer_of(framework, None), None)
        model = Model(folder=place / "source", saved=saved)
        valid = Rows(Table.of(rows), None if target is None else np.asarray(target))
        work = Work(
            task=task, train=valid, valid=valid, source=model, scratch=place / "scratch", seed=7
        )
        return model, work

    return make
