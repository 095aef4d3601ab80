"""The gate never opens for what may be worse, whatever the verdicts; and seldom by chance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from modelyard.core.metrics import Classified
from modelyard.core.optimization import Candidate, Constraint, Goal, Verdict
from modelyard.optimization.judging import Proved, corrected, judged, passes_gate

GOALS = st.sampled_from(["accuracy max", "f1 max", "rmse min", "size min", "latency_p50 min"])
CONSTRAINTS = st.sampled_from(["accuracy_drop<=0.005", "size<=5000000", "f1>=0.9"])


@st.composite
def verdicts(draw: st.DrawFn) -> tuple[Verdict, ...]:
    goals = draw(st.lists(GOALS, min_size=1, max_size=4, unique=True))
    about = [*goals, *draw(st.lists(CONSTRAINTS, max_size=3, unique=True))]
    states = [draw(st.sampled_from(["holds", "worse", "neither"])) for _ in about]
    return tuple(
        Verdict(about=text, holds=state == "holds", worse=state == "worse", sentence="as told")
        for text, state in zip(about, states, strict=True)
    )


@given(verdicts())
@settings(max_examples=500, deadline=None)
def test_what_passes_is_better_in_a_goal_and_breaks_no_constraint(
    found: tuple[Verdict, ...],
) -> None:
    passes, why = passes_gate(Candidate(trial=0, verdicts=found))
    constraints = [verdict for verdict in found if "=" in verdict.about]
    goals = [verdict for verdict in found if "=" not in verdict.about]
    if passes:
        assert all(verdict.holds for verdict in constraints)
        assert any(verdict.holds for verdict in goals)
        bounded = {verdict.about.partition("_drop")[0] for verdict in constraints}
        bounded |= {verdict.about.partition(">")[0] for verdict in constraints}
        bounded |= {verdict.about.partition("<")[0] for verdict in constraints}
        for verdict in goals:
            assert not verdict.worse or verdict.about.partition(" ")[0] in bounded
    else:
        assert why, "people are told why not"


@given(verdicts(), st.integers(0, 7))
@settings(max_examples=300, deadline=None)
def test_a_candidate_that_gets_worse_never_begins_to_pass(
    found: tuple[Verdict, ...], place: int
) -> None:
    place %= len(found)
    poorer = list(found)
    poorer[place] = replace(found[place], holds=False, worse=True)
    if not passes_gate(Candidate(trial=0, verdicts=found))[0]:
        assert not passes_gate(Candidate(trial=0, verdicts=tuple(poorer)))[0]


def proved(truth: np.ndarray, label: np.ndarray) -> Proved:
    from modelyard.core.evaluation import Measure

    accuracy = float((truth == label).mean())
    facts = Classified.of(("0", "1"), truth, label, None)
    return Proved(facts, (Measure("accuracy", accuracy),), {"size": 1000.0}, None)


def test_of_a_thousand_searches_that_found_nothing_few_publish() -> None:
    """Three candidates each, all exactly as good as the source; by McNemar's test and Holm's."""
    rng = np.random.default_rng(0)
    published = 0
    for seed in range(1000):
        rows = int(rng.integers(60, 400))
        truth = rng.integers(0, 2, rows)
        wrong = rng.random((4, rows)) < 0.15
        source, *others = (proved(truth, np.where(each, 1 - truth, truth)) for each in wrong)
        goal = Goal("accuracy", "max")
        found = [judged(i, source, each, [goal], [], seed) for i, each in enumerate(others)]
        published += any(passes_gate(each)[0] for each in corrected(found))
    assert published <= 25, "half of what is significant is better, half is worse"


def test_of_candidates_that_are_three_points_worse_few_pass_by_chance() -> None:
    rng = np.random.default_rng(1)
    published = 0
    for seed in range(500):
        rows = int(rng.integers(100, 500))
        truth = rng.integers(0, 2, rows)
        before = np.where(rng.random(rows) < 0.10, 1 - truth, truth)
        after = np.where(rng.random(rows) < 0.13, 1 - truth, truth)
        goals = [Goal("accuracy", "max"), Goal("size", "min")]
        held = [Constraint("accuracy_drop", "<=", 0.005)]
        small = replace(proved(truth, after), costs={"size": 300.0})
        found = [judged(0, proved(truth, before), small, goals, held, seed)]
        published += passes_gate(found[0])[0]
    assert published <= 125
