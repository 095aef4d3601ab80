"""evaluate, compare and best, as they are typed."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.slow


@pytest.fixture
def flowers(yard):
    """Three versions: useless, good, and good as well; and data to measure them on."""
    from sklearn.dummy import DummyClassifier
    from sklearn.linear_model import LogisticRegression

    from modelyard.registry import open_yard

    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(400, 2))
    names = np.where(inputs[:, 0] + rng.normal(scale=0.4, size=400) > 0, "rose", "lily")
    with open_yard(yard.home / "yard") as opened:
        model = opened.model("flowers")
        model.commit(DummyClassifier().fit(inputs[:200], names[:200]), message="dummy")
        model.commit(LogisticRegression().fit(inputs[:200], names[:200]), message="one")
        model.commit(LogisticRegression(C=0.9).fit(inputs[:200], names[:200]), message="two")
    rows = [f"{a:.6f},{b:.6f},{n}" for (a, b), n in zip(inputs[200:], names[200:], strict=True)]
    (yard.home / "test.csv").write_text("\n".join(["a,b,kind", *rows]) + "\n")
    return yard


def test_from_measuring_to_the_champion(flowers):
    args = ("--data", "test.csv", "--target", "kind")
    shown = flowers.run("evaluate", "flowers@2", *args, "--slice", "kind")
    assert "flowers@2 measured on test.csv" in shown.stdout
    assert "suite classification, as the model says" in shown.stdout
    assert "95 % interval" in shown.stdout
    assert "true \\ said" in shown.stdout
    assert "yard best flowers --metric accuracy" in shown.stderr
    for number in (1, 3):
        flowers.run("evaluate", f"flowers@{number}", *args, "-q")

    told = flowers.json("compare", "flowers", "1", "2", "3")
    assert told["metric"] == "accuracy"
    assert len(told["evaluations"]) == 3
    close = [pair for pair in told["pairs"] if not pair["significant"]]
    assert [{pair["a"], pair["b"]} for pair in close] == [{2, 3}]
    text = flowers.out("compare", "flowers", "1", "2", "3")
    assert "no significant difference" in text
    assert "log_loss" in text

    best = flowers.run("best", "flowers", "--metric", "accuracy", "--alias", "champion")
    assert "not significantly worse" in best.stdout
    assert "champion points at" in best.stdout
    assert flowers.json("show", "flowers@champion")["number"] in (2, 3)
    assert len(flowers.out("best", "flowers", "--metric", "accuracy", "-q").split()) == 2
    picked = flowers.json("best", "flowers", "--metric", "accuracy", "--where", "params.C<1")
    assert picked["winner"] == 3
    assert {each["number"] for each in picked["excluded"]} == {1, 2}

    (kept,) = flowers.json("show", "flowers@2")["evaluations"]
    assert kept["data"] == "test.csv"
    assert "evaluations" in flowers.out("show", "flowers@2")
    assert flowers.out("search", "metric.accuracy>0.8", "-q").split() == ["flowers@3", "flowers@2"]


def test_whoever_measures_on_what_was_learned_from_is_warned(flowers):
    from sklearn.linear_model import LogisticRegression

    from modelyard.registry import open_yard

    lines = (flowers.home / "test.csv").read_text().splitlines()[1:]
    rows = [line.split(",") for line in lines]
    model = LogisticRegression().fit(np.array(rows)[:, :2].astype(float), np.array(rows)[:, 2])
    with open_yard(flowers.home / "yard") as opened:
        opened.model("flowers").commit(model, data=flowers.home / "test.csv", message="knows")
    args = ("--data", "test.csv", "--target", "kind")
    warning = "the version has learned from these rows"
    assert warning in flowers.out("evaluate", "flowers", *args)
    assert any(warning in note for note in flowers.json("evaluate", "flowers", *args)["notes"])
    assert warning not in flowers.out("evaluate", "flowers@2", *args)


def test_what_is_wrong_is_told_before_any_work(flowers):
    assert flowers.error("compare", "flowers", "1", "2")["kind"] == "not-evaluated"
    assert flowers.error("best", "flowers", "--metric", "luck")["kind"] == "metric-direction"
    error = flowers.error("evaluate", "flowers", "--data", "test.csv", "--target", "sort")
    assert error["kind"] == "no-column"
    assert "kind" in error["hint"]
    wrong = ("evaluate", "flowers", "--data", "test.csv", "--target", "kind", "--memory", "much")
    assert flowers.error(*wrong, code=2)["kind"] == "usage"
