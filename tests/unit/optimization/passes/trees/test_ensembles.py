"""Rows as they reach trees."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from modelyard.core.table import Table
from modelyard.optimization.passes.trees.ensembles import Ensemble

pytest.importorskip("sklearn")

from sklearn import ensemble, pipeline, preprocessing


def test_rows_with_many_zeros_become_dense_as_floats_of_32_bits() -> None:
    names = np.array([f"city {i}" for i in range(500)])
    rows = np.tile(names, 4)[:, None]
    steps = pipeline.make_pipeline(
        preprocessing.OneHotEncoder(), ensemble.RandomForestClassifier(2, random_state=0)
    )
    steps.fit(rows, np.arange(len(rows)) % 2)
    inputs = Table.of(rows)
    tracemalloc.start()
    try:
        dense = Ensemble(steps, "sklearn", "classification").matrix(inputs)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert dense.shape == (2000, 500)
    assert dense.dtype == np.float32
    assert dense.sum() == 2000
    assert most < 1.5 * dense.nbytes
