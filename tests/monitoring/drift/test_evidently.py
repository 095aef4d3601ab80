"""Scores are Evidently's where the definitions are the same: of the same values, in its bins."""

from __future__ import annotations

import numpy as np
import pytest
from tests.monitoring.drift.samples import evidently, evidently_bins, samples

from modelyard.monitoring.drift.distances import (
    js_of_values,
    psi_of_values,
    wasserstein_of_values,
)

pytestmark = pytest.mark.slow
METHODS = "psi", "jensenshannon", "wasserstein"


@pytest.fixture(scope="module")
def both():
    return samples(20_000)


@pytest.fixture(scope="module")
def theirs(both, tmp_path_factory):
    try:
        return evidently(tmp_path_factory.mktemp("evidently"), *both, *METHODS)
    except RuntimeError as error:
        pytest.skip(f"no Evidently: {error}")


def test_each_column_has_evidentlys_wasserstein(both, theirs):
    for i, (now, then) in enumerate(zip(both[0].T, both[1].T, strict=True)):
        ours = wasserstein_of_values(now, then) / np.std(then)
        assert ours == pytest.approx(theirs["wasserstein"]["scores"][i], abs=1e-9), f"x{i}"


def test_each_column_has_evidentlys_js(both, theirs):
    for i, (now, then) in enumerate(zip(both[0].T, both[1].T, strict=True)):
        ours = js_of_values(now, then, evidently_bins(now, then))
        assert ours == pytest.approx(theirs["jensenshannon"]["scores"][i], abs=1e-6), f"x{i}"


def test_each_column_has_evidentlys_psi(both, theirs):
    """Where no bin is empty on one side only. Of those Evidently takes a millionth of the smallest
    share, whose logarithm weighs a single row ten times as much as our half a row does."""
    same = 0
    for i, (now, then) in enumerate(zip(both[0].T, both[1].T, strict=True)):
        edges = evidently_bins(now, then)
        counts = [np.bincount(np.searchsorted(edges, side), minlength=20) for side in (now, then)]
        filled = ((counts[0] > 0) == (counts[1] > 0)).all()
        same += filled
        ours = psi_of_values(now, then, edges)
        near = 1e-9 if filled else 5e-3
        assert ours == pytest.approx(theirs["psi"]["scores"][i], abs=near), f"x{i}"
    assert same >= 8, same
