"""Ten times more requests than can be computed: what can be is, and the rest is told at once.

The times of the benchmark (`make bench SUITE=serving`) hold on a quiet machine; these are bounds
that a busy one keeps too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.benchmarks.serving.overloading import Overloaded, overload

if TYPE_CHECKING:
    from tests.benchmarks.serving.models import Models


@pytest.fixture(scope="module")
def overloaded(tmp_path_factory: pytest.TempPathFactory, made: Models) -> Overloaded:
    return overload(tmp_path_factory.mktemp("overload") / "yard", made, seconds=5)


def test_what_can_be_computed_is_computed(overloaded: Overloaded):
    assert overloaded.goodput > 0.6


def test_everybody_gets_an_answer(overloaded: Overloaded):
    assert set(overloaded.records.counts()) <= {200, 429, 503, 504}


def test_refusals_come_at_once_and_say_when_to_come_again(overloaded: Overloaded):
    assert len(overloaded.refused) > len(overloaded.accepted)
    assert overloaded.refused.told_when_to_come()
    assert overloaded.refused.within(0.5) < 0.02


def test_what_is_taken_is_answered_within_its_deadline(overloaded: Overloaded):
    assert overloaded.accepted.within(0.95) < 1.2


def test_the_server_says_all_the_while_that_it_lives(overloaded: Overloaded):
    assert set(overloaded.probes.counts()) == {200}
    assert overloaded.probes.within(0.9) < 0.2


def test_memory_stays_as_it_is(overloaded: Overloaded):
    assert overloaded.growth < 0.2
