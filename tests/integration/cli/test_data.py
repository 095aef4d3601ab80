"""`yard data`: what a look at data tells, for people and as JSON."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_wine

pytestmark = pytest.mark.slow

KINDS = np.array(["barolo", "grignolino", "barbera"])


@pytest.fixture
def wine(yard):
    """A shell with wine.csv, real wines: with copies, a hole, a slip, a leak and a wrong label."""
    bunch = load_wine(as_frame=True)
    frame = bunch.data[["alcohol", "flavanoids", "proline", "hue", "color_intensity"]].copy()
    frame["shelf"] = bunch.target * 100 + np.arange(len(frame)) % 7
    frame.loc[3:9, "alcohol"] = np.nan
    frame.loc[40, "proline"] *= 1000
    frame["grape"] = KINDS[bunch.target]
    frame.loc[80, "grape"] = "barbera"
    rows = [*range(len(frame)), 0, 1, 2]
    frame.iloc[rows].to_csv(yard.home / "wine.csv", index=False)
    frame.iloc[60:70].to_csv(yard.home / "test.csv", index=False)
    return yard


def test_what_is_wrong_is_told_first(wine):
    told = wine.out("data", "wine.csv", "--target", "grape", "--holdout", "test.csv")
    for said in (
        "wine.csv  181 rows, 6 inputs",
        "!! shelf tells the target by itself",
        "!! 10 of 10 rows to measure with are among those to learn from",
        "3 rows are there again  (clean)",
        "values are missing in alcohol: up to 3.9%  (clean)",
        "proline has numbers very far from the others  (clean)",
        "grape is predicted: 3 classes",
        "labels that are likely to be wrong",
    ):
        assert said in told
    assert told.index("!! shelf") < told.index("alcohol")


def test_as_json(wine):
    found = wine.json("data", "wine.csv", "--target", "grape")
    assert (found["rows"], found["copies"], found["conflicts"]) == (181, 3, 0)
    assert [each["column"] for each in found["leaks"]] == ["shelf"]
    assert {"row": 80, "label": "barbera", "instead": "grignolino"}.items() <= (
        found["doubts"][0].items()
    )
    assert found["target"]["classes"][0] == ["grignolino", 70]


def test_without_a_target_columns_are_described(wine):
    told = wine.out("data", "wine.csv", "--quiet")
    assert told.split() == ["alcohol", "flavanoids", "proline", "hue", "color_intensity", "shelf",
                            "grape"]  # fmt: skip
    assert "tells alone" not in wine.out("data", "wine.csv")


def test_what_is_not_there_is_named(wine):
    assert wine.error("data", "wine.csv", "--target", "colour")["kind"] == "no-column"


def test_a_committed_dataset_is_read_from_the_yard(wine):
    wine.run("commit", "data/wine", "wine.csv", "--kind", "dataset", "-m", "first")
    found = wine.json("data", "data/wine@1", "--target", "grape", "--no-labels")
    assert (found["name"], found["rows"], found["doubted"]) == ("data/wine@1", 181, None)
