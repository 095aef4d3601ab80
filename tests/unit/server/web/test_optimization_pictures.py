"""What pages tell of optimizations: which trial is ahead, points, lines, and how far goals came."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.web.shown_optimizations import BEFORE, RECIPE, trials

from modelyard.core.evaluation import Report
from modelyard.core.optimization import (
    Candidate,
    Constraint,
    Goal,
    Optimization,
    Recipe,
    Step,
    Trial,
    Verdict,
)
from modelyard.core.version import VersionInfo
from modelyard.i18n import Language
from modelyard.server.web.courses import courses_of
from modelyard.server.web.draw.courses import courses
from modelyard.server.web.draw.front import amount, front
from modelyard.server.web.draw.pairs import pair
from modelyard.server.web.draw.parallel import parallel
from modelyard.server.web.fronts import best_first, better, field_of, on_front, value_in
from modelyard.server.web.mattering import Input, mattering_of
from modelyard.server.web.optimized import (
    MadeBy,
    chosen_trial,
    facts_of,
    lines_of,
    made_by,
    parallel_of,
)

ENGLISH = Language.of("en")
NOW = datetime(2026, 11, 22, tzinfo=UTC)
TWO = (Goal("accuracy", "max"), Goal("size", "min"))


def _run(*goals: Goal, **given: Any) -> Optimization:
    recipe = Recipe(name="small", steps=(Step("quantize"),), goals=goals or TWO,
                    constraints=(Constraint("accuracy_drop", "<=", 0.01),))  # fmt: skip
    told: dict[str, Any] = {"before": {"accuracy": 0.9, "size": 100.0}, **given}
    return Optimization(
        id=1, model="m", number=1, recipe=recipe, state="running", who="Ann", created=NOW,
        changed=NOW, **told,
    )  # fmt: skip


def _trial(
    number: int, accuracy: float, size: float, *, over: float = -0.01, **given: Any
) -> Trial:
    told: dict[str, Any] = {"state": "done", **given}
    return Trial(number=number, values={"accuracy": accuracy, "size": size},
                 excess={"accuracy_drop<=0.01": over}, **told)  # fmt: skip


FOUR = (
    _trial(0, 0.90, 100.0), _trial(1, 0.89, 25.0), _trial(2, 0.85, 10.0, over=0.04),
    _trial(3, 0.88, 60.0),
)  # fmt: skip


def test_a_trial_is_on_the_front_if_none_that_meets_the_constraints_beats_it():
    assert on_front(FOUR, TWO) == {0, 1}


def test_what_was_marked_is_believed():
    marked = [replace(trial, on_front=trial.number == 3) for trial in FOUR]
    assert on_front(marked, TWO) == {3}


def test_what_failed_or_was_given_up_is_not_ahead():
    assert on_front([replace(FOUR[1], state="pruned"), FOUR[3]], TWO) == {3}
    assert best_first([replace(FOUR[1], state="failed")], TWO[1]) == []


def test_of_two_equal_trials_both_are_ahead():
    assert on_front([_trial(0, 0.9, 10.0), _trial(1, 0.9, 10.0)], TWO) == {0, 1}


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=20))
def test_no_trial_of_the_front_is_beaten_and_every_other_one_is(points):
    every = [_trial(n, float(a), float(s)) for n, (a, s) in enumerate(points)]
    ahead = on_front(every, TWO)

    def beaten(n: int) -> bool:
        a, s = points[n]
        return any(x >= a and y <= s and (x, y) != (a, s) for x, y in points)

    assert ahead == {n for n in range(len(points)) if not beaten(n)}


def test_quality_stands_for_the_first_metric_of_a_suite():
    assert value_in({"accuracy": 0.9}, "quality") == 0.9
    assert value_in({"quality": 0.8, "accuracy": 0.9}, "quality") == 0.8
    assert value_in({"accuracy": 1e300}, "accuracy") is None
    assert better(1.0, 2.0, TWO[1])
    assert not better(1.0, 2.0, TWO[0])


# -- the picture -----------------------------------------------------------------------------------


def test_the_field_has_the_first_goal_upwards_and_the_second_across():
    field = field_of(_run(), FOUR, "", "")
    assert field is not None
    assert (field.across, field.up) == (TWO[1], TWO[0])
    assert field.before == (100.0, 0.9)
    assert [spot.number for spot in field.edge] == [1, 0]
    assert [spot.holds for spot in field.spots] == [True, True, False, True]


def test_goals_can_be_chosen_by_name():
    field = field_of(_run(), FOUR, "accuracy", "size")
    assert field is not None
    assert (field.across, field.up) == (TWO[0], TWO[1])
    assert [spot.number for spot in field.edge] == [0, 1]
    same = field_of(_run(), FOUR, "size", "size")
    assert same is not None
    assert same.across == TWO[0]


def test_one_goal_stands_against_the_number_of_the_trial():
    field = field_of(_run(TWO[0]), [FOUR[3], FOUR[1], FOUR[0]], "", "")
    assert field is not None
    assert field.across is None
    assert field.before == (None, 0.9)
    assert [spot.number for spot in field.edge] == [3, 1, 0]
    assert 'class="was-line"' in _drawn(field)


def test_there_is_no_picture_before_a_trial_has_ended():
    assert field_of(_run(), [], "", "") is None
    assert field_of(_run(), [replace(FOUR[0], state="running")], "", "") is None


def _drawn(field: Any) -> str:
    links = {spot.number: f"/optimizations/1?trial={spot.number}" for spot in field.spots}
    return str(front(field, ENGLISH, "Trials", {"size": "Size"}, links))


def test_points_say_what_they_are_and_where_they_lead():
    run = _run(candidates=(Candidate(trial=1, version=7, chosen=True),))
    field = field_of(run, FOUR, "", "")
    drawn = _drawn(field)
    assert drawn.count("<circle") == 4 + 3 + 1, "places to point at, dots, a ring"
    assert drawn.count('class="cross"') == 1
    assert "breaks a constraint" in drawn
    assert 'class="ring"' in drawn
    assert ">@7<" in drawn
    assert "#3: accuracy 0.88, Size 60 B" in drawn
    assert 'href="/optimizations/1?trial=3"' in drawn
    assert 'class="was"' in drawn
    assert 'class="steps"' in drawn


@pytest.mark.parametrize(
    "sizes", [(1.0, 1e9), (5.0, 5.0), (0.0, 0.0), (1e-320, 1e199), (-3.0, 1e-9), (1e6, 1.2e6)]
)
def test_values_of_any_size_have_a_place(sizes):
    every = [_trial(n, 0.5 + n / 1000, size) for n, size in enumerate(sizes)]
    field = field_of(_run(before={}), every, "", "")
    drawn = _drawn(field)
    assert "nan" not in drawn
    assert "inf" not in drawn
    xs = [float(x) for x in re.findall(r'<circle cx="([-\d.]+)"', drawn)]
    assert all(0 <= x <= 900 for x in xs)


def test_what_people_wrote_is_text():
    evil = "<img src=x onerror=alert(1)>"
    every = [Trial(number=0, state="done", values={evil: 1.0, "size": 2.0})]
    drawn = _drawn(field_of(_run(Goal(evil, "max"), TWO[1]), every, "", ""))
    assert "<img" not in drawn


def test_amounts_have_their_unit():
    assert amount(1_136_000.0, "size") == "1.1 MB"
    assert amount(0.0423, "latency_p50") == "0.0423 ms"
    assert amount(12345.0, "parameters") == "12,345"
    assert amount(0.96531, "accuracy") == "0.9653"


# -- facts and lines -------------------------------------------------------------------------------


def test_facts_tell_the_best_so_far_of_each_goal():
    accuracy, size = facts_of(_run(), FOUR)
    assert (accuracy.after, accuracy.trial, accuracy.is_better) == (0.9, 0, None)
    assert (size.after, size.trial, size.ratio, size.is_better) == (25.0, 1, 4.0, True)


def test_facts_of_what_was_published_are_those_that_were_proved():
    verdict = Verdict(about="accuracy max", holds=False, before=0.91, after=0.92)
    made = Candidate(trial=3, version=5, chosen=True, verdicts=(verdict,))
    accuracy, size = facts_of(_run(candidates=(made,)), FOUR)
    assert (accuracy.before, accuracy.after, accuracy.is_better) == (0.91, 0.92, None)
    assert (size.after, size.trial) == (60.0, 3)


def test_without_trials_nothing_is_claimed():
    facts = facts_of(_run(), [])
    assert [fact.after for fact in facts] == [None, None]
    assert [fact.is_better for fact in facts] == [None, None]
    assert chosen_trial(_run(), []) is None
    assert parallel_of(_run(), []) is None


def test_the_trial_that_is_told_of_is_the_one_that_was_chosen():
    made = (Candidate(trial=3, version=4), Candidate(trial=1, version=5, chosen=True))
    shown = chosen_trial(_run(candidates=made), FOUR)
    assert shown is not None
    assert shown.number == 1
    best = chosen_trial(_run(), FOUR)
    assert best is not None
    assert best.number == 0


def test_lines_say_which_trial_is_best_in_which_goal():
    lines = lines_of(_run(candidates=(Candidate(trial=1, version=5),)), FOUR)
    assert [line.best for line in lines] == [
        (True, False), (False, True), (False, False), (False, False),
    ]  # fmt: skip
    assert [line.version for line in lines] == [None, 5, None, None]
    assert [line.front for line in lines] == [True, True, False, False]


def test_parameters_lie_on_axes_before_goals():
    run = replace(_run(), recipe=RECIPE, before=BEFORE)
    found = parallel_of(run, trials(24))
    assert found is not None
    names = [axis.name for axis in found.axes]
    assert names[-3:] == ["latency_p50", "size", "accuracy"]
    assert "prune.sparsity" in names
    assert found.axes[-1].way == "higher"
    assert found.axes[-2].way == "lower"
    for row in found.rows:
        assert all(place is None or 0 <= place <= 1 for place in row.places)


def test_a_version_tells_by_what_it_was_made():
    version = VersionInfo(
        model="m", number=4, commit="0" * 40, parents=(3,), branch="optimize-12-7", author="Ann",
        time=NOW, message="small: prune, to-onnx\n\nmore", size=1, new_bytes=1, files=1,
    )  # fmt: skip
    assert made_by(version) == MadeBy(12, 7, "small", ("prune", "to-onnx"))
    for other in ("main", "optimize-12", "optimize-0-1", "optimize-12-7-x"):
        assert made_by(replace(version, branch=other)) is None
    assert made_by(replace(version, message="by hand")) is None


# -- which inputs matter ---------------------------------------------------------------------------


def _report(content: Any) -> Report:
    return Report(
        id=1, model="m", number=4, kind="optimization", data="", data_digest="", suite="",
        created=NOW, who="Ann", content=content,
    )  # fmt: skip


def test_inputs_of_a_report_stand_beside_each_other():
    told = mattering_of(_report({"importance": {
        "score": "accuracy", "rows": 45, "correlation": 0.5,
        "features": [{"feature": "a", "before": 0.4, "after": 0.1}, {"feature": "b"}],
    }}))  # fmt: skip
    assert told is not None
    assert (told.version, told.score, told.rows, told.correlation) == (4, "accuracy", 45, 0.5)
    assert told.inputs == (Input("a", 0.4, 0.1), Input("b", None, None))
    assert told.largest == 0.4


@pytest.mark.parametrize(
    "content",
    [{}, {"importance": None}, {"importance": []}, {"importance": {"features": 3}},
     {"importance": {"features": []}}, {"importance": {"features": ["x"]}}],
)  # fmt: skip
def test_a_report_of_another_form_tells_nothing(content):
    assert mattering_of(_report(content)) is None


def test_two_bars_are_as_long_as_their_values():
    drawn = str(pair(0.5, 0.25, 1.0, "a"))
    assert re.findall(r'width="([\d.]+)"[^>]*class="(before|after)"', drawn) == [
        ("110", "before"), ("55", "after"),
    ]  # fmt: skip
    assert 'class="before"' not in str(pair(-0.1, None, 0.0, "a"))
    assert "nan" not in str(pair(1e-300, 5.0, 0.0, "a"))


def test_axes_of_goals_tell_sizes_and_latencies_with_their_units() -> None:
    run = _run()
    found = parallel_of(run, trials(24))
    assert found is not None
    picture = str(parallel(found.axes, found.rows, ENGLISH, "trials", amount))
    [axis] = [each for each in found.axes if each.name == "size"]
    assert f">{amount(axis.high, 'size')}<" in picture
    assert "e+0" not in picture


def _learned(number: int, *scores: float, state: str = "done") -> Trial:
    told = {f"epoch {at + 1}": score for at, score in enumerate(scores)}
    return Trial(number=number, state=state, scores=told)  # type: ignore[arg-type]


def test_trials_are_drawn_as_they_learned_and_those_given_up_end_early():
    found = courses_of(
        [_learned(0, 0.5, 0.7, 0.8), _learned(1, 0.4, 0.3, state="pruned"), _trial(2, 0.9, 1.0)],
        frozenset({0}),
    )
    assert found is not None
    assert found.places == ("epoch 1", "epoch 2", "epoch 3")
    assert [each.number for each in found.trials] == [0, 1]
    drawn = str(courses(found, ENGLISH, "Scores", {0: "/0", 1: "/1"}))
    assert "#1: 0.3, epoch 2, given up" in drawn
    assert drawn.count('class="course gone"') == drawn.count('class="course chosen"') == 1
    assert ">epoch 1<" in drawn
    assert ">epoch 3<" in drawn


def test_one_that_diverged_does_not_flatten_the_others():
    many = [_learned(at, 0.5 + at / 100, 0.7 + at / 100) for at in range(10)]
    found = courses_of([*many, _learned(10, -1e9, -1e12)], frozenset())
    assert found is not None
    drawn = str(courses(found, ENGLISH, "Scores", {each.number: "/" for each in found.trials}))
    heights = {point.split(",")[1] for way in re.findall(r'points="([^"]+)"', drawn)
               for point in way.split()}  # fmt: skip
    assert len(heights) > 15


@pytest.mark.parametrize("scores", [(), (0.5,), (math.nan, math.inf), (1e300, 1e300)])
def test_there_are_no_courses_of_trials_that_told_nothing(scores: tuple[float, ...]):
    assert courses_of([_learned(0, *scores), _learned(1, *scores)], frozenset()) is None
