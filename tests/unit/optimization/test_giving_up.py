"""Trials that are worse than others at the same place end early."""

from __future__ import annotations

from modelyard.optimization.giving_up import GivingUp


def _after(scores: list[float], *, several: bool) -> GivingUp:
    found = GivingUp(several=several)
    for score in scores:
        found.heard("epoch 3", score)
    return found


def test_few_scores_judge_nobody() -> None:
    assert not _after([0.9] * 4, several=False).why("epoch 3", 0.1)


def test_what_is_below_the_median_at_its_place_is_given_up() -> None:
    judge = _after([0.7, 0.8, 0.85, 0.9, 0.95], several=False)

    assert judge.why("epoch 3", 0.8) == "0.8 is below the median of 0.85 here"
    assert not judge.why("epoch 3", 0.85)
    assert not judge.why("epoch 4", 0.1)


def test_with_several_goals_only_what_is_far_below_is_given_up() -> None:
    judge = _after([0.7, 0.8, 0.85, 0.9, 0.95], several=True)

    assert not judge.why("epoch 3", 0.7)
    assert judge.why("epoch 3", 0.3) == "0.3 is far below the others here"


def test_no_number_is_no_score() -> None:
    judge = _after([float("nan")] * 9, several=False)

    assert not judge.why("epoch 3", 0.0)
