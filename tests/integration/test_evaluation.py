"""Real models measured on real files: in a child process, kept, rebuilt, chosen."""

from __future__ import annotations

import csv
import hashlib

import numpy as np
import pytest

from modelyard.errors import InvalidInput, NotFound, Unavailable
from modelyard.registry import create
from modelyard.testing.victim import open_folder
from modelyard.testing.yard import refused

pytestmark = pytest.mark.slow

COLUMNS = ("a", "b", "c")


def rows_of(seed, count=600):
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(count, 3))
    return inputs, inputs[:, 0] + 0.5 * inputs[:, 1] + rng.normal(scale=0.5, size=count)


def write_csv(path, inputs, **columns):
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*COLUMNS, *columns])
        writer.writerows(zip(*inputs.T.round(6), *columns.values(), strict=True))
    return path


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("evaluation")


@pytest.fixture(scope="module")
def shelf(place):
    """Two classifiers of which one is useless, a regression, and their data."""
    from sklearn.dummy import DummyClassifier
    from sklearn.linear_model import LinearRegression, LogisticRegression

    yard = create(place / "yard", author="Ann")
    inputs, score = rows_of(0)
    names = np.where(score > 0, "yes", "no")
    spam = yard.model("spam")
    spam.commit(DummyClassifier(strategy="prior").fit(inputs, names), message="dummy")
    spam.commit(LogisticRegression().fit(inputs, names), message="logistic")
    yard.model("price").commit(LinearRegression().fit(inputs, score), message="line")
    inputs, score = rows_of(1)
    names = np.where(score > 0, "yes", "no")
    region = np.array(["north", "south"])[np.arange(600) % 2]
    write_csv(place / "plain.csv", inputs, y=names)
    write_csv(place / "numbers.csv", inputs, y=score)
    write_csv(place / "sliced.csv", inputs, y=names, region=region)
    yield yard
    yard.close()


def test_a_classifier_is_measured_as_scikit_learn_would(shelf, place):
    from sklearn.metrics import accuracy_score, log_loss, roc_auc_score

    found = shelf.model("spam")[2].evaluate(place / "plain.csv", "y", name="mails")
    model = shelf.load("spam", 2)
    inputs, score = rows_of(1)
    truth = np.where(score > 0, "yes", "no")
    given = model.predict_proba(inputs)
    expected = {
        "accuracy": accuracy_score(truth, model.predict(inputs)),
        "log_loss": log_loss(truth, given), "roc_auc": roc_auc_score(truth, given[:, 1]),
    }  # fmt: skip
    values = {m.name: m for m in found.measures}
    for name, value in expected.items():
        assert values[name].value == pytest.approx(value, abs=1e-4)
        assert values[name].low <= values[name].value <= values[name].high
    assert (found.suite, found.rows, found.labels) == ("classification", 600, ("no", "yes"))
    assert found.data == "mails"
    assert sum(map(sum, found.confusion.matrix)) == 600
    assert found.latency.p50 > 0
    assert found.latency.rows_per_second > 1000
    assert found.code["modelyard"]
    assert found.environment["scikit-learn"]
    assert found.size == shelf.resolve("spam", 2).size
    assert shelf.resolve("spam", 2).metrics["accuracy"] == values["accuracy"].value
    again = next(iter(shelf.evaluations("spam", 2)))
    assert again == found


def test_a_regression_on_a_committed_dataset(shelf, place):
    shelf.commit("data/prices", place / "numbers.csv", kind="dataset")
    found = shelf.model("price")[1].evaluate("data/prices@1", "y")
    assert (found.suite, found.data) == ("regression", "data/prices@1")
    assert found.measure("rmse").value == pytest.approx(0.5, abs=0.05)
    assert found.measure("r2").value > 0.7
    content = (place / "numbers.csv").read_bytes()
    assert found.data_digest == hashlib.sha256(content).hexdigest()


def test_versions_are_compared_chosen_and_survive_a_rebuild(shelf, place):
    for number in (1, 2):
        if not any(shelf.evaluations("spam", number)):
            shelf.model("spam")[number].evaluate(place / "plain.csv", "y")
    assert shelf.compare("spam", [1, 2]).leader == 2
    before = shelf.best("spam", metric="log_loss", alias="champion")
    assert before.winner == 2
    known = (list(shelf.evaluations("spam")), shelf.resolve("spam", 2).metrics)
    shelf.close()
    for path in (place / "yard").glob("catalog*"):
        path.unlink()
    opened = open_folder(str(place / "yard"))
    try:
        assert opened.verify(rebuild=True).ok
        assert (list(opened.evaluations("spam")), opened.resolve("spam", 2).metrics) == known
        assert opened.best("spam", metric="log_loss").winner == 2
        assert opened.compare("spam", [1, 2]).pairs[0].test == "McNemar"
    finally:
        opened.close()


@pytest.fixture(scope="module")
def opened(shelf, place):
    """The yard again, after the tests that close it."""
    yard = open_folder(str(place / "yard"))
    yield yard
    yard.close()


def test_observers_see_every_row_once_and_in_order(opened, place):
    from modelyard.registry.evaluate import Measurement, evaluate

    seen = []

    def observe(batch, prediction, truth):
        seen.append((batch.names, len(batch), len(prediction.outputs["label"]), truth.tolist()))

    how = Measurement(target="y", slices=["region", "y"], seed=3)
    found = evaluate(opened.desk, "spam", 2, place / "sliced.csv", how, observers=[observe])
    assert "region not given to the model: text" in found.notes
    (names, rows, answers, truth) = seen[0]
    assert (names, rows, answers, len(seen)) == (COLUMNS, 600, 600, 1)
    assert truth == np.where(rows_of(1)[1] > 0, "yes", "no").tolist()
    assert {part.value: part.rows for part in found.slices} == {
        "yes": truth.count("yes"), "no": truth.count("no"), "north": 300, "south": 300,
    }  # fmt: skip
    least = [part.measures[0].value for part in found.slices if part.column == "region"]
    assert least == sorted(least)


@pytest.mark.parametrize(
    ("options", "error", "kind"),
    [
        ({"target": "nothing"}, InvalidInput, "no-column"),
        ({"target": "y", "slices": ["nothing"]}, InvalidInput, "no-column"),
        ({"target": "y", "group": "nothing"}, InvalidInput, "no-column"),
        ({"target": "y", "suite": "magic"}, InvalidInput, "no-suite"),
        ({"target": "y", "seed": -1}, InvalidInput, "bad-seed"),
        ({"target": "y", "timeout": 0}, InvalidInput, "bad-limit"),
        ({"target": "y", "data": "nowhere.csv"}, NotFound, "no-data"),
        ({"target": "y", "suite": "regression"}, InvalidInput, "not-numeric"),
        ({"target": "y", "suite": "ranking"}, InvalidInput, "not-numeric"),
        ({"target": "y", "timeout": 0.01}, Unavailable, "model-timeout"),
    ],
)
def test_what_can_not_be_measured_says_why_and_keeps_nothing(opened, place, options, error, kind):
    before = len(list(opened.reports("spam")))
    with refused(error, kind):
        opened.evaluate("spam", 2, **{"data": place / "plain.csv", **options})
    assert len(list(opened.reports("spam"))) == before
