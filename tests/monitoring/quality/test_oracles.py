"""What we say of fairness and of estimates is what fairlearn and nannyml say of the same rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.monitoring.environments import environment, told

from modelyard.core.monitoring import Column, Schema
from modelyard.monitoring.folding import fold, new_tile
from modelyard.monitoring.profiles import profile_from_rows
from modelyard.monitoring.quality import estimated, fairness
from modelyard.monitoring.rows import Rows

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent
TOWNS = ("a", "b", "c")
SCHEMA = Schema(
    columns=(Column(name="town", kind="category", categories=TOWNS),), task="classification",
    classes=("no", "yes"), groups=("town",),
)  # fmt: skip


def python_of(name: str, *packages: str) -> Path:
    try:
        return environment(name, *packages)
    except RuntimeError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("seed", range(3))
def test_gaps_between_groups_are_those_of_fairlearn(tmp_path, seed):
    rng = np.random.default_rng(seed)
    rows = 3000
    towns = rng.choice(TOWNS, rows, p=(0.5, 0.3, 0.2))
    truth = (rng.random(rows) < np.select([towns == "a", towns == "b"], [0.5, 0.3], 0.4)) * 1
    slips = np.select([towns == "a", towns == "b"], [0.1, 0.2], 0.3)
    labels = np.where(rng.random(rows) < slips, rng.integers(0, 2, rows), truth)
    np.savez(tmp_path / "rows.npz", truth=truth, labels=labels, groups=towns)
    theirs = told(
        python_of("fairlearn", "fairlearn==0.15.0"), HERE / "fairlearn_says.py",
        str(tmp_path / "rows.npz"),
    )  # fmt: skip
    tile = new_tile(SCHEMA)
    fold(tile, Rows(SCHEMA, rows, np.zeros((rows, 0)), (towns.tolist(),),
                    labels=labels.astype(np.int32), truth=truth))  # fmt: skip
    ours = {gap.metric: gap for gap in fairness(SCHEMA, tile)}
    for name in ("selection_rate_ratio", "equalized_odds_gap", "equal_opportunity_gap",
                 "accuracy_gap"):  # fmt: skip
        assert ours[name].value == pytest.approx(theirs[name], abs=1e-12), name
    by_town = {town: shown[0] for town, shown in ours["accuracy_gap"].groups.items()}
    assert by_town == pytest.approx(theirs["accuracy"])


def test_estimates_are_near_those_of_nannyml(tmp_path):
    rng = np.random.default_rng(5)

    def world(rows, center):
        x = rng.normal(center, 1.5, rows)
        return x, 1 / (1 + np.exp(-2 * x)), (rng.random(rows) < 1 / (1 + np.exp(-x))).astype(int)

    x, scores, truth = world(20_000, 0.0)
    new_x, new_scores, _ = world(20_000, 0.5)
    place = tmp_path / "rows.npz"
    np.savez(place, reference_scores=scores, reference_truth=truth, traffic_scores=new_scores)
    theirs = told(
        python_of("nannyml", "nannyml==0.13.1", "statsmodels", "pandas<3", "setuptools<81"),
        HERE / "nannyml_says.py", str(place),
    )  # fmt: skip
    profile = profile_from_rows(
        {"x": x}, {"probability": np.column_stack([1 - scores, scores])}, truth,
        task="classification", classes=(0, 1),
    )  # fmt: skip
    tile = new_tile(profile.schema)
    wide = np.column_stack([1 - new_scores, new_scores])
    fold(tile, Rows(profile.schema, len(new_x), new_x[:, None], scores=wide,
                    labels=(new_scores > 0.5).astype(np.int32)), profile.calibration)  # fmt: skip
    ours = {each.name: each.value for each in estimated(profile, tile)}
    for name in ("accuracy", "precision", "recall", "f1"):
        assert ours[name] == pytest.approx(theirs[name], abs=0.01), name
    assert ours["auc"] == pytest.approx(theirs["roc_auc"], abs=0.01)
