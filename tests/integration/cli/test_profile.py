"""`yard profile`: a reference is made, shown, and told as JSON."""

from __future__ import annotations

import csv

import numpy as np
import pytest

pytestmark = pytest.mark.slow


@pytest.fixture
def risk(yard):
    """A shell with a classifier, and rows of it in rows.csv."""
    import modelyard

    from sklearn.linear_model import LogisticRegression  # isort: skip

    random = np.random.default_rng(0)
    inputs = np.column_stack([random.normal(size=400), random.integers(0, 2, 400)])
    ill = (inputs[:, 0] + random.normal(size=400) > 0).astype(int)
    with modelyard.open(yard.home / "yard") as opened:
        opened.commit("risk", LogisticRegression().fit(inputs, ill), message="first")
    with (yard.home / "rows.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["dose", "sex", "ill"])
        writer.writerows(np.column_stack([inputs, ill]).tolist())
    return yard


def test_a_reference_is_made_and_shown(risk):
    told = risk.out("profile", "risk", "--data", "rows.csv", "--target", "ill", "--group", "sex")
    assert "risk@1 reference of 400 rows of rows.csv" in told
    assert "group" in told
    assert "accuracy" in told
    assert risk.out("profile", "risk@1") == told
    made = risk.json("profile", "risk@1")
    assert (made["source"], made["rows"], made["schema"]["groups"]) == ("data", 400, ["sex"])


def test_without_a_reference_it_says_how_to_make_one(risk):
    assert "yard profile risk@1 --data FILE" in risk.err("profile", "risk")


def test_a_target_without_data_is_refused(risk):
    assert risk.error("profile", "risk", "--target", "ill")["kind"] == "no-profile-data"


def test_a_command_that_evaluates_leaves_a_reference(risk):
    risk.run("evaluate", "risk", "--data", "rows.csv", "--target", "ill")
    assert risk.json("profile", "risk")["source"] == "evaluation"
