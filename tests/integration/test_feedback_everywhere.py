"""Truth is joined to answers in the same way on every database, and once, whoever is told it."""

from __future__ import annotations

import threading
import time

import pytest
from tests.unit.monitoring.quality.served import NOW, Served, two_classes

from modelyard.monitoring.quality.joining import feedback, join_waiting, tend_answers
from modelyard.registry import open_yard
from modelyard.registry.watching import answers as kept
from modelyard.registry.watching.seeing import watched

pytestmark = pytest.mark.slow


@pytest.fixture(params=["sqlite", "postgres_url", "mariadb_url"])
def served(request, tmp_path):
    name = request.param
    given = {} if name == "sqlite" else {"catalog": request.getfixturevalue(name)}
    made = Served.of(tmp_path / "yard", two_classes(), **given)
    with made.yard:
        yield made


def test_truth_is_joined_late_early_twice_and_otherwise(served):
    ids = [f"r{n}" for n in range(3000)]
    for at in range(0, 3000, 100):
        served.answer(ids[at : at + 100], [1] * 100, when=NOW + at / 100)
    assert served.tell(r0="yes", r1="no", never="yes") == (2, 0, 0, 1, 0)
    assert served.tell(r0="yes", r1="yes", never="no") == (0, 0, 1, 0, 2)
    tend_answers(served.house, time.time())
    assert len(kept.heads(served.house, watched(served.house, "svc").id)) == 1
    assert served.send({"request": key, "truth": "yes"} for key in ids) == (2998, 0, 1, 0, 1)
    served.answer(["never"], [0], when=time.time())
    assert join_waiting(served.house) == 1
    truth = served.truth()
    assert truth.confusion.tolist() == [[0, 1], [1, 2999]]


def test_two_servers_that_are_told_the_same_count_it_once(served):
    other = open_yard(served.yard.house.root)
    ids = [f"r{n}" for n in range(1000)]
    for at in range(0, 1000, 20):
        served.answer(ids[at : at + 20], [1] * 20, when=NOW - 600)
    sent = [{"request": key, "truth": "yes"} for key in ids]
    sums: list[int] = []
    failed: list[Exception] = []

    def send(house):
        try:
            sums.extend(
                feedback(house, "svc", sent[at : at + 100]).joined for at in range(0, 1000, 100)
            )
        except Exception as error:
            failed.append(error)

    def tend():
        for _ in range(3):
            tend_answers(other.house, time.time())

    threads = [
        threading.Thread(target=send, args=(served.house,)),
        threading.Thread(target=send, args=(other.house,)),
        threading.Thread(target=tend),
    ]
    with other:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failed
        assert sum(sums) == 1000
        assert served.truth().rows == 1000
