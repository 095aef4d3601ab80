"""Nobody who asks notices a change but by the version.

The full counts: `make bench SUITE=serving ARGS=swap`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from tests.benchmarks.serving.deployed import served_yard
from tests.benchmarks.serving.generator import Load
from tests.benchmarks.serving.swapping import (
    EXPECTED,
    MODEL,
    NAME,
    ROW,
    effective,
    small_yard,
    swap_under_load,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.serving.models import Models
    from tests.benchmarks.serving.swapping import Swapped


@pytest.fixture(scope="module")
def swapped(tmp_path_factory: pytest.TempPathFactory, made: Models) -> Swapped:
    folder = tmp_path_factory.mktemp("swap") / "yard"
    return swap_under_load(folder, made, changes=18, requests=10_000, connections=8)


def test_no_request_fails_while_versions_change(swapped: Swapped):
    assert swapped.records is not None
    assert swapped.requests >= 10_000
    assert swapped.failed == 0, swapped.records.counts()


def test_each_change_does_what_it_says(swapped: Swapped):
    assert swapped.changes >= 18
    assert swapped.wrong == []


def test_a_version_that_cannot_be_loaded_never_answers(swapped: Swapped):
    assert swapped.records is not None
    assert set(swapped.records.answer.tolist()) == {0, 1, 2}


def test_requests_go_the_old_way_when_a_rollback_returns(swapped: Swapped):
    assert len(swapped.rollbacks) >= 6
    assert max(swapped.effective) < 0.1  # 10 ms on a quiet machine, which the benchmark asserts


def test_memory_stays_as_it_is_over_changes(swapped: Swapped):
    assert swapped.growth < 0.15


def test_other_servers_follow_a_rollback_within_a_second(place: Path, made: Models):
    small_yard(place, made)
    with served_yard(place) as here:
        here.deploy(NAME, MODEL, "1")
        here.deploy(NAME, MODEL, "2")
        with served_yard(place, token=here.server.token) as other:
            other.settled(NAME)
            asked = other.ask(NAME, ROW, tensor="x")
            with Load([asked], connections=4, expected=EXPECTED) as load:
                time.sleep(0.5)
                here.deployments.roll_back(NAME)
                at = time.monotonic()
                time.sleep(2.0)
                records = load.stop()
    assert records.failed == 0
    assert records.answer[0] == 1
    assert records.answer[-1] == 0
    assert effective(records, at, at + 2, gone=1) < 1.0
