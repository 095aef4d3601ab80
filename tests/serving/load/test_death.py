"""A model's process dies, or a model sleeps: who asks gets an answer, soon."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.benchmarks.serving.killing import Killed, kill_worker
from tests.benchmarks.serving.sleeping import wake_often

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.serving.models import Models


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory, made: Models) -> Killed:
    return kill_worker(tmp_path_factory.mktemp("kill") / "yard", made)


def test_requests_under_way_are_answered_at_once(killed: Killed):
    assert len(killed.inside)
    assert killed.told_after < 1.0  # 0.1 on a quiet machine, which the benchmark asserts
    # 200: the model had answered, and its answer was on the way when the process was killed
    assert {503} <= set(killed.inside.counts()) <= {200, 503}


def test_every_request_has_a_prediction_or_is_told_to_come_again(killed: Killed):
    assert killed.wrong == {}


def test_the_model_is_back_soon(killed: Killed):
    assert killed.back_after < 25  # most of it is the import of scikit-learn, on a busy machine


def test_other_models_answer_as_if_nothing_was(killed: Killed):
    assert killed.others.failed == 0


def test_a_version_that_slept_answers_the_first_request(place: Path, made: Models):
    woken = wake_often(place, made, times=3)
    assert woken.failed == 0
    assert min(woken.first) < 0.25  # 60 ms on a quiet machine, which the benchmark asserts
