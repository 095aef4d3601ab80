"""What a process tells monitoring of its requests."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace

from tests.unit.serving.asking import ask
from tests.unit.serving.numbers import Doubling, plane_of, served, slot

from modelyard.registry import create
from modelyard.server.monitoring import Watch
from modelyard.serving.app import PlaneApp


def test_a_request_is_filed_by_the_time_of_its_answer(tmp_path):
    plane = plane_of(slot(served(Doubling())))
    records = []
    plane.recorder.listen(records.extend)
    body = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]}]}
    asyncio.run(ask(PlaneApp(plane), "POST", "/v2/models/double/infer", body))
    plane.recorder.drain()
    (record,) = records
    record.time -= 200.0  # it took so long
    record.timing.begun -= 200 * 10**9
    taken = []
    with create(tmp_path / "yard") as yard:
        watch = Watch(SimpleNamespace(house=yard.house, parts={}), plane, "one")
        watch.takings = SimpleNamespace(take=taken.append)
        record.version = "1"
        record.model = record.model or "m"
        watch.take([record])
    assert time.time() - 10 < taken[0].second <= time.time()
