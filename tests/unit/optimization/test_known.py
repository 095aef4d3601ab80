"""How good trials are beside each other."""

from __future__ import annotations

import numpy as np

from modelyard.optimization.known import Known, losses, violations, worst


def trial(*values: float, **excess: float) -> Known:
    return Known({}, values or None, excess)


def test_what_breaks_a_constraint_is_worse_than_all_that_keep_it() -> None:
    told = [trial(0.1, size=5.0), trial(3.0, size=-1.0), trial(2.0, size=0.0)]

    broken, last, best = losses(told, np.random.default_rng(0))

    assert best < last < broken


def test_what_failed_is_the_worst() -> None:
    told = [trial(1.0, size=1.0), trial(size=0.0), trial(2.0, size=0.0)]

    assert np.argmax(losses(told, np.random.default_rng(0))) == 1


def test_how_much_is_wrong_is_told_by_what_is_usual() -> None:
    told = [trial(1.0, size=10.0, latency=0.0), trial(1.0, size=5.0, latency=0.1), trial(1.0)]

    assert violations(told) == [1.0, 1.5, 0.0]


def test_the_worst_is_that_of_each_goal_and_of_nothing_where_all_failed() -> None:
    assert worst([trial(1.0, 5.0), trial(2.0, 3.0), trial()]) == (2.0, 5.0)
    assert worst([trial()]) is None


def test_one_that_has_diverged_does_not_make_all_others_alike() -> None:
    told = [trial(at / 8, 1.0) for at in range(9)] + [trial(1e6, 1.0)]

    found = losses(told, np.random.default_rng(0))

    assert np.ptp(found[:9]) > 0.5 * np.ptp(found)


def test_what_could_not_be_measured_says_nothing_of_others() -> None:
    told = [
        trial(1.0, size=np.inf),
        trial(1.0, size=1e300),
        trial(1.0, size=4.0),
        trial(1.0, size=1.0),
    ]

    assert violations(told) == [2.0, 2.0, 1.0, 0.25]


def test_a_little_wrong_beside_much_is_worse_than_all_that_is_right() -> None:
    told = [trial(1.0), trial(0.9), trial(0.0, size=1.0), trial(0.0, size=100.0)]

    found = losses(told, np.random.default_rng(0))

    assert max(found[:2]) < min(found[2:])
