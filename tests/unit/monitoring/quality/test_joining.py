"""Truth is joined to the answers that it is of: once, whatever is sent again, late or too early."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from tests.unit.monitoring.quality.served import NOW, Served, numbers, two_classes

from modelyard.errors import NotFound
from modelyard.monitoring.quality.joining import feedback, join_waiting, tend_answers
from modelyard.registry.watching import answers as kept
from modelyard.registry.watching.seeing import watched

DAY = 86_400


@pytest.fixture
def served(tmp_path):
    made = Served.of(tmp_path / "yard", two_classes())
    with made.yard:
        yield made


def test_truth_is_joined_to_what_was_predicted(served):
    served.answer(["a", "b", "c", "d"], [1, 1, 0, 0])
    assert served.tell(a="yes", b="no", c="no") == (3, 0, 0, 0, 0)
    truth = served.truth()
    assert truth.confusion.tolist() == [[1, 0], [1, 1]]
    assert truth.groups["sex"].sum() == 3
    assert truth.groups["sex"].sum(axis=(1, 2)).max() == 3  # all were of one group
    assert truth.calibration[:, 0].sum() == 3
    assert truth.calibration[:, 1].sum() == pytest.approx(2.7)
    assert truth.ranks.sum() == 3
    assert truth.lags.sum() == 3


def test_the_same_truth_again_changes_nothing(served):
    served.answer(["a", "b"], [1, 0])
    served.tell(a="yes")
    assert served.tell(a="yes", b="yes") == (1, 0, 1, 0, 0)
    assert served.truth().rows == 2


def test_answers_that_are_written_twice_count_once(served):
    served.answer(["a", "b"], [1, 0])
    served.answer(["a", "b"], [1, 0])
    assert served.tell(a="yes") == (1, 0, 0, 0, 0)
    assert served.tell(a="yes") == (0, 0, 1, 0, 0)
    assert served.truth().rows == 1


def test_answers_of_a_version_are_written_all_or_none(served):
    at = watched(served.house, "svc")
    broken = (b"3", NOW, NOW, None)  # the catalog takes no segment without rows
    with pytest.raises(Exception, match=r"(?i)null"):
        kept.keep_answers(
            served.house, at.id, at.serves[0].model_id, 1, [(b"1", NOW, NOW, 1), broken]
        )
    assert kept.heads(served.house, at.id) == []


@pytest.mark.parametrize(
    "sent",
    [
        {"request": "a\x00b", "truth": 1},
        {"request": "\ud800", "truth": 1},
        {"request": "b" * 201, "truth": 1},
        {"request": "b", "truth": "x" * 201},
        {"request": "b", "truth": "\ud800"},
        {"request": "b", "truth": 1 << 64},
    ],
)
def test_a_truth_that_can_not_be_kept_takes_no_other_along(served, sent):
    served.answer(["a"], [1])
    told = feedback(served.house, "svc", [sent, {"request": "a", "truth": "yes"}])
    assert (told.joined, told.unknown, len(told.problems)) == (1, 0, 1)
    assert feedback(served.house, "svc", [sent]).joined == 0


def test_the_first_truth_counts(served):
    served.answer(["a"], [1])
    served.tell(a="yes")
    assert served.tell(a="no") == (0, 0, 0, 0, 1)
    assert served.truth().confusion.tolist() == [[0, 0], [0, 1]]


def test_several_truths_of_a_row_in_one_call_are_as_if_they_came_one_by_one(served):
    served.answer(["a"], [1])
    sent = [{"request": "a", "truth": truth} for truth in ("yes", "no", "yes")]
    assert served.send(sent) == (1, 0, 1, 0, 1)
    assert served.truth().confusion.tolist() == [[0, 0], [0, 1]]


def test_rows_of_a_request_have_their_own_truths(served):
    served.answer(["a", "a", "a", "b"], [1, 1, 0, 0], places=[0, 1, 2, 0])
    assert served.send([{"request": "a", "truth": ["yes", None, "no"]}]) == (2, 0, 0, 0, 0)
    assert served.send([{"request": "a", "row": 1, "truth": "no"}]) == (1, 0, 0, 0, 0)
    assert served.send([{"request": "a", "row": 3, "truth": "no"}]) == (0, 0, 0, 1, 0)
    assert served.truth().confusion.tolist() == [[1, 0], [1, 1]]


def test_numbers_are_joined_with_their_errors(tmp_path):
    served = Served.of(tmp_path / "yard", numbers())
    with served.yard:
        served.answer(["a", "b"], values=[1.0, 2.0])
        assert served.tell(a=1.5, b="2.0") == (2, 0, 0, 0, 0)
        assert served.tell(a="many") == (0, 0, 0, 1, 0)
        errors = served.truth().errors
        assert errors[:3].tolist() == [2, -0.5, 0.5]


def test_classes_match_by_value(tmp_path):
    rng = np.random.default_rng(0)
    from modelyard.monitoring.profiles import profile_from_rows

    label = rng.integers(0, 2, 200)
    profile = profile_from_rows(
        {"x": rng.normal(size=200)}, {"label": label}, label, task="classification", classes=(0, 1)
    )
    served = Served.of(tmp_path / "yard", profile)
    with served.yard:
        ids = list("abcdefg")
        served.answer(ids, [1] * 7)
        truths = [1, 1.0, "1", "1.0", True, np.int64(1), np.float32(1)]
        sent = [{"request": i, "truth": t} for i, t in zip(ids, truths, strict=True)]
        assert served.send(sent) == (7, 0, 0, 0, 0)
        assert served.truth().confusion.tolist() == [[0, 0], [0, 7]]


def test_a_truth_that_is_no_class_counts_as_such(served):
    served.answer(["a"], [1])
    assert served.tell(a="perhaps") == (1, 0, 0, 0, 0)
    truth = served.truth()
    assert (truth.rows, truth.unlisted, truth.confusion.sum()) == (1, 1, 0)


def test_what_is_wrong_with_a_truth_is_told_and_the_others_count(served):
    served.answer(["a"], [1])
    told = feedback(
        served.house, "svc",
        [{"truth": 1}, {"request": "a", "truth": {}}, {"request": "a", "row": "x", "truth": 1},
         {"request": "a", "row": -1, "truth": 1}, {"request": "a", "truth": "yes"}],
    )  # fmt: skip
    assert told.joined == 1
    assert [problem.partition(":")[0] for problem in told.problems] == [
        "truth 1", "truth 2", "truth 3", "truth 4"
    ]  # fmt: skip


def test_answers_of_a_month_ago_are_late(served):
    old = time.time() - 30.5 * DAY
    served.answer(["a"], [1], when=old)
    assert served.tell(a="yes") == (0, 1, 0, 0, 0)
    assert served.truth().rows == 0


def test_truth_that_comes_too_early_is_joined_when_the_answer_is_there(served):
    assert served.tell(a="yes", b="no") == (0, 0, 0, 2, 0)
    assert served.tell(a="yes", b="yes") == (0, 0, 0, 1, 1)
    assert join_waiting(served.house) == 0
    served.answer(["a"], [1], when=time.time())
    assert join_waiting(served.house) == 1
    assert join_waiting(served.house) == 0
    assert served.truth().confusion.tolist() == [[0, 0], [0, 1]]
    at = watched(served.house, "svc").id
    assert [row.request for row in kept.waiting(served.house, at)] == ["b"]


def test_truth_that_waited_for_an_hour_is_let_go(served, monkeypatch):
    served.tell(a="yes")
    later = time.time() + 3700
    monkeypatch.setattr(time, "time", lambda: later)
    join_waiting(served.house)
    assert not kept.deployments_of(served.house, waiting=True)


def test_answers_of_a_version_without_a_reference_wait_for_one(tmp_path):
    served = Served.of(tmp_path / "yard", None)
    with served.yard:
        served.answer(["a"], [1], when=time.time())
        assert served.tell(a="yes") == (0, 0, 0, 1, 0)
        served.keep_reference()
        assert join_waiting(served.house) == 1
        assert served.truth().rows == 1


def test_a_truth_counts_for_each_version_that_answered(served):
    served.yard.commit("own/m", {"other": 1})
    served.keep_reference(2)
    served.answer(["a"], [1])
    served.answer(["a"], [0], number=2)
    assert served.tell(a="yes") == (1, 0, 0, 0, 0)
    assert served.truth(1).confusion.tolist() == [[0, 0], [0, 1]]
    assert served.truth(2).confusion.tolist() == [[0, 1], [0, 0]]


def test_small_segments_become_one_and_are_joined_as_before(served):
    for n in range(40):
        served.answer([f"r{n}", f"s{n}"], [n % 2, 1], when=NOW + n)
    served.tell(**{f"r{n}": "yes" for n in range(10)})
    tend_answers(served.house, time.time())
    at = watched(served.house, "svc").id
    (head,) = kept.heads(served.house, at)
    assert (head.rows, head.first, head.last) == (80, NOW, NOW + 39)
    assert served.tell(**{f"r{n}": "yes" for n in range(40)}) == (30, 0, 10, 0, 0)
    assert served.truth().confusion.tolist() == [[0, 20], [0, 20]]


def test_truth_finds_its_answer_while_small_segments_become_one(served, monkeypatch):
    ids = [f"r{n}" for n in range(40)]
    for at, key in enumerate(ids):
        served.answer([key], [1], when=NOW - 600 + at)
    heads, looks = kept.heads, []

    def listed(*given):
        looks.append(found := heads(*given))
        if len(looks) == 1:  # another server makes them one right after they were listed
            tend_answers(served.house, time.time())
        return found

    monkeypatch.setattr(kept, "heads", listed)
    assert served.tell(**dict.fromkeys(ids, "yes")) == (40, 0, 0, 0, 0)
    assert [len(looks[0]), len(looks[-1])] == [40, 1]
    assert served.truth().rows == 40


def test_answers_are_let_go_after_a_month(served):
    served.answer(["old"], [1], when=time.time() - 32 * DAY)
    served.answer(["new"], [1])
    tend_answers(served.house, time.time())
    assert len(kept.heads(served.house, watched(served.house, "svc").id)) == 1


def test_two_that_tell_the_same_at_once_count_it_once(served):
    ids = [f"r{n}" for n in range(2000)]
    served.answer(ids, [1] * 2000)
    sent = [{"request": key, "truth": "yes"} for key in ids]
    sums = []

    def send():
        sums.extend(served.send(sent[at : at + 200])[0] for at in range(0, 2000, 200))

    threads = [threading.Thread(target=send) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(sums) == 2000
    assert served.truth().rows == 2000


def test_of_a_deployment_that_is_not_there_nobody_tells(served):
    with pytest.raises(NotFound):
        feedback(served.house, "nothing", [])
