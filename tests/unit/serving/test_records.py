"""What the ring holds on to of requests that are small, large, and too large."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from modelyard.serving.interface import Timing
from modelyard.serving.records import Record, Recorder

LINE = SimpleNamespace(name="fraud", spec=SimpleNamespace(sample=0.0, redact=()))


def record(feeds, outputs, rows):
    return Record(
        LINE, 0.0, "r", "ann", "1", "m", "c", Timing(rows=rows), 0, feeds=feeds, outputs=outputs
    )


@pytest.fixture
def taken():
    found = []
    recorder = Recorder()
    recorder.listen(found.extend)

    def add(feeds, outputs, rows):
        recorder.add(record(feeds, outputs, rows))
        recorder.drain()
        return found.pop()

    return add


def test_all_rows_of_a_usual_request_are_there(taken):
    one = taken({"x": np.zeros((900, 64))}, {"y": np.arange(900)}, 900)
    assert (one.step, len(one.feeds["x"]), len(one.outputs["y"])) == (1, 900, 900)


def test_of_a_large_request_every_so_many_th_row_is_there(taken):
    large = np.arange(100_000.0).reshape(-1, 1) * np.ones((1, 64))
    one = taken({"x": large}, {"y": np.arange(100_000)}, 100_000)
    assert one.step > 40
    assert one.feeds["x"][:, 0].tolist() == one.outputs["y"].tolist()
    assert one.outputs["y"].tolist() == list(range(0, 100_000, one.step))
    assert one.feeds["x"].base is None
    assert one.feeds["x"].nbytes <= 1 << 20


def test_of_a_single_row_that_is_too_large_nothing_is_there(taken):
    one = taken({"x": np.zeros((1, 1 << 20))}, {"y": np.zeros(1)}, 1)
    assert one.feeds is None
    assert one.timing.rows == 1


def test_what_has_no_rows_is_not_cut(taken):
    one = taken({"x": np.zeros((4, 1 << 20)), "shape": np.zeros(2)}, {"y": np.zeros(4)}, 4)
    assert one.feeds is None
    assert one.step == 1
