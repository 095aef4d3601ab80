"""References of real versions: made by asking them, and left behind by every evaluation."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from modelyard.errors import InvalidInput, NotFound
from modelyard.monitoring.evaluations import watch_evaluations
from modelyard.monitoring.extracting import One, reader_of
from modelyard.monitoring.folding import fold, new_tile
from modelyard.monitoring.opening import watch
from modelyard.monitoring.profiles import unpack_profile
from modelyard.registry import create
from modelyard.registry.asking import opened
from modelyard.registry.observers import look_on
from modelyard.registry.watching import profiles
from modelyard.testing.yard import refused

pytestmark = pytest.mark.slow


def patients(seed, count=800):
    random = np.random.default_rng(seed)
    age, dose = random.integers(18, 90, count), random.normal(size=count)
    sex = random.integers(0, 2, count)
    chance = 1 / (1 + np.exp(-(dose + (age - 50) / 30)))
    return np.column_stack([age, dose, sex]), (random.uniform(size=count) < chance).astype(int)


def write(path, inputs, **more):
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["age", "dose", "sex", *more])
        writer.writerows(zip(*inputs.T.tolist(), *more.values(), strict=True))
    return path


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("profiling")


@pytest.fixture(scope="module")
def clinic(place):
    """A classifier that knows no names, a regression, and rows."""
    from sklearn.linear_model import LinearRegression, LogisticRegression

    yard = create(place / "yard", author="Ann")
    inputs, ill = patients(0)
    named = np.array(["well", "ill"])[ill]
    yard.model("risk").commit(LogisticRegression().fit(inputs, named), message="first")
    yard.model("risk").commit(LogisticRegression(C=0.1).fit(inputs, named), message="second")
    yard.model("dose").commit(LinearRegression().fit(inputs[:, ::2], inputs[:, 1]), message="line")
    inputs, ill = patients(1)
    write(place / "rows.csv", inputs, y=np.array(["well", "ill"])[ill].tolist())
    yield yard
    yard.close()


@pytest.fixture
def watched():
    watch_evaluations()
    yield
    look_on("profile", lambda _desk: None)


def test_a_version_is_profiled_by_asking_it_about_every_row(clinic, place):
    made = watch(clinic).make_profile("risk", 1, place / "rows.csv", target="y", groups=["sex"])
    assert (made.model, made.number, made.source, made.rows) == ("risk", 1, "data", 800)
    assert made.data == "rows.csv"
    assert made.schema.classes == ("ill", "well")
    assert [c.kind for c in made.schema.columns] == ["number", "number", "category"]
    accuracy = next(m for m in made.measures if m.name == "accuracy")
    assert 0.6 < accuracy.low < accuracy.value < accuracy.high < 1
    assert watch(clinic).profile("risk", 1) == made


def test_traffic_like_the_data_has_the_distribution_of_the_reference(clinic, place):
    watch(clinic).make_profile("risk", 1, place / "rows.csv", target="y", groups=["sex"])
    _, body = profiles.get(clinic.house, "risk", 1)
    profile = unpack_profile(body)
    inputs, _ = patients(1)
    with opened(clinic.desk, "risk", 1) as asked:
        from modelyard.core.table import Table

        outputs = asked.runtime.predict(Table.of(inputs)).outputs
    feeds = {"input": inputs.astype(np.float32)}  # as a service is asked
    tile = new_tile(profile.schema)
    rows = reader_of(profile.schema, feeds)([One(feeds, outputs, 800, "r", "c")])
    fold(tile, rows, profile.calibration)
    for seen, known in zip(tile.numbers, profile.tile.numbers, strict=True):
        assert seen.counts.tolist() == known.counts.tolist()
        assert seen.outside == 0
    assert tile.groups["sex"].labels.tolist() == profile.tile.groups["sex"].labels.tolist()
    assert tile.predicted.expected == pytest.approx(profile.tile.predicted.expected)


def test_an_evaluation_leaves_a_reference(clinic, place, watched):
    with refused(NotFound, "no-profile", hint=True):
        watch(clinic).profile("risk", 2)
    evaluation = clinic.evaluate("risk", 2, data=place / "rows.csv", target="y")
    found = watch(clinic).profile("risk", 2)
    assert (found.source, found.rows, found.data) == ("evaluation", 800, "rows.csv")
    assert found.schema.classes == tuple(evaluation.labels)
    ours = next(m.value for m in found.measures if m.name == "accuracy")
    theirs = next(m.value for m in evaluation.measures if m.name == "accuracy")
    assert ours == pytest.approx(theirs)


def test_an_evaluation_does_not_replace_what_somebody_chose(clinic, place, watched):
    chosen = watch(clinic).make_profile("risk", 1, place / "rows.csv", target="y", groups=["sex"])
    clinic.evaluate("risk", 1, data=place / "rows.csv", target="y")
    assert watch(clinic).profile("risk", 1) == chosen


def test_an_observer_that_fails_does_not_harm_the_evaluation(clinic, place, watched, caplog):
    from modelyard.monitoring import observing

    class Broken(observing.ProfileMaker):
        def add(self, *_):
            raise ZeroDivisionError

    look_on("profile", lambda desk: observing.ProfileObserver(desk, Broken()))
    assert clinic.evaluate("risk", 2, data=place / "rows.csv", target="y").rows == 800
    assert "no reference could be made" in caplog.text


def test_a_regression_is_profiled_without_a_truth(clinic, place):
    data = place / "two.csv"
    inputs, _ = patients(2, 300)
    with data.open("w", newline="") as file:
        csv.writer(file).writerows([["age", "sex"], *inputs[:, ::2].tolist()])
    made = watch(clinic).make_profile("dose", None, data)
    assert made.schema.task == "regression"
    assert made.schema.values.low < made.schema.values.high
    assert made.measures == ()


@pytest.mark.parametrize(
    ("how", "kind"),
    [({"groups": ["ward"]}, "no-group-column"), ({"groups": ["dose"]}, "bad-group"),
     ({"target": "z"}, "no-column")],
)  # fmt: skip
def test_what_can_not_be_is_refused_and_nothing_is_kept(clinic, place, how, kind):
    before = watch(clinic).profile("risk", 1)
    with refused(InvalidInput, kind, hint=True):
        watch(clinic).make_profile("risk", 1, place / "rows.csv", **{"target": "y", **how})
    assert watch(clinic).profile("risk", 1) == before
