"""A version that has no reference yet is looked at all the same."""

from __future__ import annotations

import numpy as np

from modelyard.monitoring.anomalies.watchman import Watchman
from modelyard.monitoring.extracting import One
from modelyard.monitoring.unreferenced import Before, answers_alone


def one(*rows: float, **more: object) -> One:
    told = np.array(rows, np.float32).reshape(-1, 1).repeat(2, axis=1)
    labels = np.array(["a"] * len(rows), object)
    return One({"x": np.zeros((len(rows), 3))}, {"label": labels, "probability": told}, len(rows),
               "r", "ann")  # fmt: skip


def test_numbers_of_all_requests_are_rows_without_columns() -> None:
    rows = answers_alone([one(0.5), one(0.25, 1.0)])
    assert rows is not None
    assert rows.count == 3
    assert rows.numbers.shape == (3, 0)
    assert rows.scores is not None
    assert rows.scores.tolist() == [[0.5, 0.5], [0.25, 0.25], [1.0, 1.0]]
    assert list(rows.clients) == ["ann"] * 3


def test_texts_alone_are_nothing_to_look_at() -> None:
    text = One({}, {"label": np.array(["a"], object)}, 1, "r", "")
    assert answers_alone([text]) is None


def test_an_answer_that_is_no_number_is_found_before_there_is_a_reference() -> None:
    watchman = Watchman("svc")
    for at in range(50):
        rows = answers_alone([one(0.1, 0.2, float("nan") if at % 5 == 0 else 0.3)])
        assert rows is not None
        watchman.rows(3, rows, None)
    (found,) = watchman.tick(1e9)
    assert (found.kind, found.severity, found.number) == ("not-finite-output", "critical", 3)


def test_answers_that_are_fine_are_nothing_to_tell_of_even_if_they_are_all_the_same() -> None:
    watchman = Watchman("svc")
    for _ in range(200):
        rows = answers_alone([one(*[0.5] * 20)])
        assert rows is not None
        watchman.rows(3, rows, None)
    assert watchman.tick(1e9) == []


def test_what_was_answered_before_there_was_a_reference_is_held_as_far_as_it_fits() -> None:
    before = Before()
    for second in range(30):
        before.keep([one(*[0.5] * 500), one(*[0.5] * 500)], second)
    taken = before.taken()
    assert [second for second, _ in taken] == list(range(10, 30)), "20,000 rows, the newest"
    assert [len(ones) for _, ones in taken] == [2] * 20
    assert before.taken() == []


def test_large_inputs_are_held_only_as_far_as_they_fit() -> None:
    before = Before()
    wide = One({"x": np.zeros((1, 4 << 20))}, {"y": np.zeros(1)}, 1, "r", "")
    for second in range(5):
        before.keep([wide], second)
    assert [second for second, _ in before.taken()] == [4], "32 MiB each, and 64 in all"
