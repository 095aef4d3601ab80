"""What drifted: no accident, large enough to matter, and for longer than a moment."""

from __future__ import annotations

import numpy as np
import pytest
from tests.unit.monitoring.drift.made import Made, columns, outputs

from modelyard.monitoring.drift import Limits, columns_of, drift_of
from modelyard.monitoring.drift.distances import wasserstein_of_values
from modelyard.monitoring.drift.thresholds import highest_p

SHOWN = ["age", "income", "late", "owner", "city", "predictions", "scores"]
NAMES = [*SHOWN, "together"]


@pytest.fixture(scope="module")
def random():
    return np.random.default_rng(11)


@pytest.fixture(scope="module")
def made(random):
    return Made(columns(random, 5_000), outputs(random, 5_000))


def told(made, asked, gave, before=()):
    return {
        drift.column: drift for drift in drift_of(made.profile, made.window(asked, gave), before)
    }


def suspected(found):
    return [name for name, drift in found.items() if drift.suspected]


def test_nothing_drifts_where_nothing_changed(made, random):
    found = told(made, columns(random, 3_000), outputs(random, 3_000))
    assert list(found) == NAMES
    assert not suspected(found)
    assert all(0 < drift.score < 1 for drift in found.values())
    assert [score.test for score in found["together"].scores] == ["correlation"]
    assert all(drift.rows == 3_000 and drift.reason is None for drift in found.values())


def test_each_column_tells_its_tests(made, random):
    found = told(made, columns(random, 3_000), outputs(random, 3_000))
    tests = {name: [score.test for score in drift.scores] for name, drift in found.items()}
    assert tests["age"] == tests["scores"] == ["psi", "ks", "rank", "wasserstein", "js"]
    assert tests["city"] == tests["predictions"] == ["psi", "chi2", "js"]
    deciding = [score for score in found["age"].scores if score.threshold is not None]
    assert [score.test for score in deciding] == ["psi", "ks", "rank"]
    assert all(0 <= score.p <= 1 for score in deciding)


def test_a_shift_by_a_quarter_of_a_standard_deviation_is_found_in_2000_rows(made, random):
    asked = columns(random, 2_000)
    asked["age"] += 3
    found = told(made, asked, outputs(random, 2_000))
    assert suspected(found) == ["age"]
    assert found["age"].score >= 1


@pytest.mark.parametrize(
    ("column", "change"),
    [
        ("income", lambda values: values * 1.5),
        ("late", lambda values: values + (np.arange(len(values)) % 3 == 0)),
        ("owner", lambda values: np.where(np.arange(len(values)) % 4 == 0, 1, values)),
        ("city", lambda values: np.where(np.arange(len(values)) % 5 == 0, "Chur", values)),
        ("city", lambda values: np.where(np.arange(len(values)) % 20 == 0, "Davos", values)),
        ("age", lambda values: (values - 40) * 1.6 + 40),
        ("age", lambda values: np.where(np.arange(len(values)) % 20 == 0, np.nan, values)),
    ],
    ids=["half-more", "a-third-later", "more-owners", "moved-to-Chur", "a-new-city", "wider",
         "missing"],
)  # fmt: skip
def test_changes_of_other_kinds_are_found(made, random, column, change):
    asked = columns(random, 3_000)
    asked[column] = change(asked[column])
    assert suspected(told(made, asked, outputs(random, 3_000))) == [column]


def test_other_answers_are_found(made, random):
    found = told(made, columns(random, 3_000), outputs(random, 3_000, 0.27))
    assert suspected(found) == ["predictions", "scores"]


def test_a_change_that_does_not_matter_is_not_told_of_however_sure_it_is(made, random):
    big = Made(columns(random, 200_000), outputs(random, 200_000))
    asked = columns(random, 200_000)
    asked["age"] += 0.6
    found = told(big, asked, outputs(random, 200_000))
    assert min(score.p for score in found["age"].scores if score.p is not None) < 1e-8
    assert not suspected(found)


def test_drifted_is_what_was_suspected_in_2_of_the_last_3_windows(made, random):
    def window(moved):
        asked = columns(random, 2_000)
        asked["age"] += 6 * moved
        return made.window(asked, outputs(random, 2_000))

    same, moved = window(False), window(True)
    for windows, expected in (
        ([same, same, same], False), ([same, same, moved], False), ([same, moved, moved], True),
        ([moved, same, moved], True), ([moved, moved, same], True), ([moved, same, same], False),
        ([moved, moved, same, same], False), ([same, moved], False), ([moved, moved], True),
    ):  # fmt: skip
        age = drift_of(made.profile, windows[-1], windows[:-1])[0]
        assert age.drifted is expected, windows


def test_the_only_window_with_enough_rows_decides_alone(made, random):
    few = made.window(columns(random, 50), outputs(random, 50))
    asked = columns(random, 2_000)
    asked["age"] += 6
    moved = made.window(asked, outputs(random, 2_000))
    assert drift_of(made.profile, moved)[0].drifted
    assert drift_of(made.profile, moved, [few, few])[0].drifted
    assert not drift_of(made.profile, few, [few])[0].drifted


def test_too_few_rows_are_told(made, random):
    found = told(made, columns(random, 60), outputs(random, 60))
    assert not suspected(found)
    assert found["age"].reason == "60 rows in the window: 100 are needed"
    assert found["age"].score == 0
    small = Made(columns(random, 50), outputs(random, 50))
    found = told(small, columns(random, 500), outputs(random, 500))
    assert found["age"].reason == "50 rows in the reference: 100 are needed"


def test_an_empty_window_and_an_empty_schema_say_nothing(made, random):
    from modelyard.core.monitoring import Schema
    from modelyard.monitoring.folding import new_tile
    from modelyard.monitoring.profiles import Profile

    schema = made.profile.schema
    assert all(d.reason for d in drift_of(made.profile, new_tile(schema)))
    nothing = Schema(columns=())
    assert drift_of(Profile(nothing, new_tile(nothing)), new_tile(nothing)) == ()


def test_a_column_whose_values_all_went_is_found(made, random):
    asked = columns(random, 1_000) | {"age": np.full(1_000, np.nan)}
    age = told(made, asked, outputs(random, 1_000))["age"]
    assert age.suspected
    assert age.violations == {"null": 1_000}
    assert [score.test for score in age.scores] == ["nulls"]


def test_violations_of_the_datas_quality_are_counted(made, random):
    asked = columns(random, 1_000)
    asked["age"] = asked["age"].clip(20, 60)
    asked["age"][:5], asked["age"][5:12], asked["age"][12:20] = 900.0, np.inf, np.nan
    asked["city"][:30] = "Davos"
    found = told(made, asked, outputs(random, 1_000))
    assert found["age"].violations == {"null": 8, "out-of-range": 5, "not-finite": 7}
    assert found["city"].violations == {"unknown-category": 30}
    assert not found["owner"].violations


def test_a_share_of_nulls_that_the_reference_has_is_no_violation(random):
    def rows(count, share):
        values = np.where(random.random(count) < share, np.nan, random.normal(size=count))
        return {"x": values}, {"value": random.normal(size=count)}

    made = Made(*rows(5_000, 0.1))
    same = told(made, *rows(2_000, 0.1))["x"]
    assert same.violations.get("null") is None
    more = told(made, *rows(2_000, 0.3))["x"]
    assert 300 < more.violations["null"] < 500
    assert more.suspected


def test_predicted_numbers_are_watched(random):
    made = Made({"x": random.normal(size=3_000)}, {"value": random.normal(size=3_000)})
    window = made.window({"x": random.normal(size=3_000)}, {"value": random.normal(0.3, 1, 3_000)})
    found = {drift.column: drift for drift in drift_of(made.profile, window)}
    assert suspected(found) == ["predictions"]
    assert found["predictions"].kind == "number"


def test_the_scores_of_many_classes_are_those_that_moved_most(random):
    def gave(rows, last):
        scores = random.dirichlet([2, 2, 2, last], rows)
        return {"label": scores.argmax(axis=1), "probabilities": scores}

    made = Made({"x": random.normal(size=4_000)}, gave(4_000, 2))
    same = made.window({"x": random.normal(size=4_000)}, gave(4_000, 2))
    moved = made.window({"x": random.normal(size=4_000)}, gave(4_000, 3))
    assert not [d for d in drift_of(made.profile, same) if d.suspected]
    assert {d.column for d in drift_of(made.profile, moved) if d.suspected} == {
        "predictions", "scores",
    }  # fmt: skip


@pytest.mark.parametrize("shift", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("scale", [0.8, 1.0, 1.4])
def test_wasserstein_from_edges_is_near_that_of_values(random, shift, scale):
    reference, window = random.normal(size=20_000), random.normal(size=20_000) * scale + shift
    made = Made({"x": reference}, {"value": reference})
    (x, *_) = drift_of(made.profile, made.window({"x": window}, {"value": window}))
    (told,) = (score.value for score in x.scores if score.test == "wasserstein")
    exact = wasserstein_of_values(window, reference) / reference.std()
    assert told == pytest.approx(exact, rel=0.15, abs=0.01)


def test_limits_can_be_chosen(made, random):
    asked = columns(random, 2_000)
    asked["age"] += 3
    window = made.window(asked, outputs(random, 2_000))
    strict = Limits(psi=0.5, ks=0.5, rank=0.5, answers=0.5)
    assert not [d for d in drift_of(made.profile, window, limits=strict) if d.suspected]


def test_columns_are_shown_beside_their_reference(made, random):
    window = made.window(columns(random, 2_000), outputs(random, 2_000))
    found = columns_of(made.profile, window)
    assert [one.column.name for one in found] == SHOWN
    for one in found:
        assert len(one.counts) == len(one.reference)
        assert sum(one.counts) == 2_000
        assert sum(one.reference) == 5_000
    age = found[0]
    assert age.reference_mean == pytest.approx(40, abs=1)
    assert age.std == pytest.approx(12, abs=1)
    assert found[4].column.categories == ("Aachen", "Basel", "Chur")
    assert found[4].mean is None


@pytest.mark.parametrize(
    ("chances", "expected"),
    [
        ([], 0.05), ([0.5, 0.9], 0.025), ([0.02, 0.9], 0.025), ([0.04, 0.049], 0.05),
        ([0.001, 0.02, 0.04, 0.9], 0.025), ([0.013, 0.02, 0.0374, 0.9], 0.0375),
    ],
)  # fmt: skip
def test_benjamini_and_hochberg(chances, expected):
    assert highest_p(chances, 0.05) == pytest.approx(expected)
