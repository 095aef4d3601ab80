"""A request finds its line and its version; what becomes of it is counted and kept."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.unit.serving.asking import ask
from tests.unit.serving.numbers import Doubling, Everybody, plane_of, served, slot

if TYPE_CHECKING:
    from modelyard.serving.interface import Served

from modelyard.core.deployment import Limits
from modelyard.errors import NotFound
from modelyard.serving.app import PlaneApp
from modelyard.serving.executors import Pace, Threads
from modelyard.serving.routes import choose

ONE = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]}]}
INFER = "/v2/models/double/infer"


def app_of(*slots: Any, **spec: Any) -> PlaneApp:
    return PlaneApp(plane_of(*(slots or (slot(served(Doubling())),)), **spec))


async def test_a_request_is_answered() -> None:
    found = await ask(app_of(), "POST", INFER, ONE | {"id": "seven"})
    assert found.status == 200
    assert found.json == {
        "model_name": "double", "model_version": "1", "id": "seven",
        "outputs": [{"name": "y", "datatype": "FP32", "shape": [1, 2], "data": [2.0, 4.0]}],
    }  # fmt: skip


async def test_it_may_come_in_parts_and_packed() -> None:
    import gzip

    import orjson

    app = app_of()
    assert (await ask(app, "POST", INFER, ONE, parts=5)).status == 200
    packed = gzip.compress(orjson.dumps(ONE))
    assert (await ask(app, "POST", INFER, packed, content_encoding="gzip")).status == 200
    found = await ask(app, "POST", INFER, packed, content_encoding="br")
    assert (found.status, found.json["kind"]) == (415, "wrong-media-type")


async def test_no_body_unpacks_to_more_than_may_come() -> None:
    import zlib

    app = app_of(limits=Limits(body=10_000))
    bomb = zlib.compress(b" " * 10_000_000)
    found = await ask(app, "POST", INFER, bomb, content_encoding="deflate")
    assert (found.status, found.json["kind"]) == (413, "body-too-large")
    found = await ask(app, "POST", INFER, b" " * 10_001)
    assert found.status == 413


async def test_an_id_goes_in_and_out() -> None:
    app = app_of()
    assert (await ask(app, "POST", INFER, ONE, x_request_id="a-1")).headers["x-request-id"] == "a-1"
    first = (await ask(app, "POST", INFER, ONE, x_request_id="a b")).headers["x-request-id"]
    second = (await ask(app, "POST", INFER, ONE)).headers["x-request-id"]
    assert first != "a b"
    assert first != second


async def test_a_trace_goes_on_with_a_span_of_ours() -> None:
    given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    found = (await ask(app_of(), "POST", INFER, ONE, traceparent=given)).headers["traceparent"]
    assert found.split("-")[1] == given.split("-")[1]
    assert found.split("-")[2] != given.split("-")[2]
    wrong = await ask(app_of(), "POST", INFER, ONE, traceparent="00-zz-1-1")
    assert "traceparent" not in wrong.headers


@pytest.mark.parametrize(
    ("request_body", "words"),
    [
        ({"inputs": []}, "expected 1 inputs but got 0 inputs for model 'double'"),
        ({"inputs": [ONE["inputs"][0] | {"name": "z"}]}, "unexpected inference input 'z'"),
        ({"inputs": [*ONE["inputs"], ONE["inputs"][0] | {"name": "z"}]}, "unexpected inference"),
        ({"inputs": [ONE["inputs"][0] | {"datatype": "FP64"}]},
         "inference input 'x' data-type is 'FP64', but model 'double' expects 'FP32'"),
        ({"inputs": [ONE["inputs"][0] | {"shape": [2, 1]}]},
         "unexpected shape for input 'x' for model 'double'. Expected [-1,2], got [2,1]"),
        (ONE | {"outputs": [{"name": "q"}]}, "unexpected inference output 'q' for model 'double'"),
    ],
)  # fmt: skip
async def test_wrong_tensors_are_told_in_the_words_that_clients_know(
    request_body: Any, words: str
) -> None:
    found = await ask(app_of(), "POST", INFER, request_body)
    assert found.status == 400
    assert words in found.json["error"]


async def test_what_is_not_served_is_unknown() -> None:
    found = await ask(app_of(), "POST", "/v2/models/other/infer", ONE)
    assert found.status == 404
    assert found.json["error"] == "Request for unknown model: 'other' is not found"
    found = await ask(app_of(), "POST", "/v2/models/double/versions/9/infer", ONE)
    assert found.status == 404
    assert "version 9 is not found" in found.json["error"]


async def test_a_path_takes_its_method() -> None:
    assert (await ask(app_of(), "GET", INFER)).status == 405
    assert (await ask(app_of(), "POST", "/v2/health/live")).status == 405


async def test_health_is_told_to_everybody() -> None:
    app = app_of()
    assert (await ask(app, "GET", "/v2/health/live")).json == {"live": True}
    assert (await ask(app, "GET", "/v2/health/ready")).json == {"ready": True}
    app.plane.ready = False
    assert (await ask(app, "GET", "/v2/health/ready")).status == 503
    assert (await ask(app, "POST", INFER, ONE)).status == 503


# -- shares ----------------------------------------------------------------------------------


def two(**spec: Any) -> Any:
    slots = [slot(served(Doubling(), number=n), n) for n in (1, 2)]
    return plane_of(*slots, percents=[90, 10], **spec), slots


def test_requests_are_shared_out_by_chance() -> None:
    plane, slots = two()
    line = plane.lines["double"]
    chosen = [choose(line, None, {}) for _ in range(4000)]
    assert 300 < chosen.count(slots[1]) < 500


def test_one_key_gets_one_version_and_stays_with_a_growing_canary() -> None:
    plane, slots = two(sticky="x-user")
    line = plane.lines["double"]
    keys = [{b"x-user": str(i).encode()} for i in range(500)]
    first = [choose(line, None, key) for key in keys]
    assert [choose(line, None, key) for key in keys] == first
    assert 20 < first.count(slots[1]) < 90
    wider = plane_of(*slots, percents=[50, 50], sticky="x-user").lines["double"]
    after = [choose(wider, None, key) for key in keys]
    assert all(b is slots[1] for a, b in zip(first, after, strict=True) if a is slots[1])


async def test_testers_name_the_version() -> None:
    plane, _ = two()
    app = PlaneApp(plane)
    for version in ("1", "2"):
        found = await ask(app, "POST", INFER, ONE, x_modelyard_version=version)
        assert found.json["model_version"] == version
        found = await ask(app, "POST", f"/v2/models/double/versions/{version}/infer", ONE)
        assert found.json["model_version"] == version
    with pytest.raises(NotFound):
        choose(plane.lines["double"], "3", {})


async def test_a_version_without_a_share_gets_nothing() -> None:
    _, slots = two()
    line = plane_of(*slots, percents=[100, 0]).lines["double"]
    assert {choose(line, None, {}).version for _ in range(200)} == {"1"}


async def test_a_shadow_gets_copies_and_its_answers_count_for_nothing() -> None:
    broken = Doubling(dies=True)
    shadow = slot(served(broken, number=2), 2)
    plane = plane_of(slot(served(Doubling())), shadows=[(shadow, 100)])
    app = PlaneApp(plane)
    for _ in range(5):
        assert (await ask(app, "POST", INFER, ONE)).status == 200
    await asyncio.sleep(0.05)
    assert len(broken.batches) == 5
    told = {(c.version, c.shadow): (c.answered, c.failed) for c in plane.statistics.every()}
    assert told == {("1", False): (5, 0), ("2", True): (0, 5)}


# -- sleeping --------------------------------------------------------------------------------


async def test_a_version_that_sleeps_is_woken_by_a_request() -> None:
    place = slot(None)

    async def wake() -> Served:
        await asyncio.sleep(0.02)
        place.served = place.served or served(Doubling())
        return place.served

    place.wake = wake
    app = app_of(place)
    found = await asyncio.gather(*(ask(app, "POST", INFER, ONE) for _ in range(5)))
    assert {one.status for one in found} == {200}


async def test_who_wakes_a_version_waits_no_longer_than_the_deadline() -> None:
    async def never() -> Served:
        await asyncio.sleep(60)
        raise AssertionError

    app = app_of(slot(None, wake=never), limits=Limits(deadline=0.05))
    found = await ask(app, "POST", INFER, ONE)
    assert (found.status, found.json["kind"]) == (503, "not-ready")
    assert int(found.headers["retry-after"]) >= 1


# -- protection ------------------------------------------------------------------------------


async def test_bodies_together_take_no_more_than_there_is_room_for() -> None:
    app = app_of()
    app.plane.most_held = 1000
    body = ONE | {"parameters": {"x": "y" * 2000}}
    assert (await ask(app, "POST", INFER, ONE, content_length="200")).status == 200
    found = await ask(app, "POST", INFER, body, content_length="2100")
    assert (found.status, found.json["kind"]) == (503, "overloaded")
    assert app.plane.held == 0


async def test_a_deadline_may_be_given() -> None:
    runtime = Doubling(seconds=0.2)
    app = app_of(slot(served(runtime, Threads([runtime], Pace(0.2, 100, 1), batch=0))))
    begun = time.perf_counter()
    found = await ask(app, "POST", INFER, ONE, x_deadline_ms="30")
    assert (found.status, found.json["kind"]) == (504, "deadline")
    assert time.perf_counter() - begun < 0.15
    found = await ask(app, "POST", INFER, ONE | {"parameters": {"timeout": 20_000}})
    assert found.status in (503, 504)
    assert (await ask(app, "POST", INFER, ONE, x_deadline_ms="soon")).status == 400


async def test_failures_of_a_version_are_strikes_and_those_of_requests_are_not() -> None:
    runtime = Doubling(dies=True)
    place = slot(served(runtime))
    app = app_of(place)
    found = await ask(app, "POST", INFER, ONE)
    assert (found.status, found.json["kind"]) == (503, "model-died")
    assert place.strikes == 1
    await ask(app, "POST", INFER, {"inputs": []})
    assert place.strikes == 1
    runtime.dies = False
    await ask(app, "POST", INFER, ONE)
    assert place.strikes == 0


# -- records ---------------------------------------------------------------------------------


async def test_every_request_is_recorded_with_its_id_and_outcome() -> None:
    app = app_of(sample=1.0, redact=("y",))
    groups: list[Any] = []
    app.plane.recorder.listen(groups.extend)
    await ask(app, "POST", INFER, ONE, x_request_id="good")
    await ask(app, "POST", INFER, {"inputs": []}, x_request_id="bad")
    tail = app.plane.recorder.tail("double")
    assert [(one["request"], one["error"]) for one in tail] == [
        ("bad", "bad-inputs"),
        ("good", None),
    ]
    assert tail[1]["client"] == "ann"
    assert tail[1]["inputs"]["x"]["data"] == [1.0, 2.0]
    assert tail[1]["outputs"]["y"]["data"] == "redacted"
    assert [one.request for one in groups] == ["good", "bad"]
    np.testing.assert_array_equal(groups[0].outputs["y"], [[2, 4]])


async def test_a_full_ring_drops_records_and_counts_them() -> None:
    app = app_of()
    record = app.plane.recorder
    for _ in range(8300):
        await ask(app, "POST", INFER, b"{")
    assert record.dropped == 8300 - 8192
    assert len(record.tail("double", 10_000)) == 500


async def test_of_a_large_request_the_ring_holds_every_so_many_th_row() -> None:
    app = app_of(sample=1.0)
    rows = 150_000
    large = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [rows, 2],
                         "data": [1.0] * 2 * rows}]}  # fmt: skip
    await ask(app, "POST", INFER, large)
    (told,) = app.plane.recorder.tail("double")
    assert told["inputs"]["x"]["shape"] == [rows // told["every"], 2]
    assert told["every"] == 3


# -- statistics ------------------------------------------------------------------------------


async def test_statistics_count_rows_and_times() -> None:
    app = app_of()
    for _ in range(3):
        await ask(app, "POST", INFER, ONE)
    await ask(app, "POST", INFER, {"inputs": []})
    (told,) = (await ask(app, "GET", "/v2/models/double/stats")).json["model_stats"]
    assert (told["name"], told["version"], told["inference_count"]) == ("double", "1", 3)
    stats = told["inference_stats"]
    assert stats["success"]["count"] == 3
    assert stats["fail"]["count"] == 1
    parts = ("queue", "compute_input", "compute_infer", "compute_output")
    assert sum(stats[part]["ns"] for part in parts) == stats["success"]["ns"]


async def test_metrics_are_prometheus_text() -> None:
    from prometheus_client.parser import text_string_to_metric_families

    app = app_of()
    await ask(app, "POST", INFER, ONE)
    await ask(app, "POST", INFER, {"inputs": []})
    found = {family.name: family for family in text_string_to_metric_families(app.plane.metrics())}
    requests = {s.labels["outcome"]: s.value
                for s in found["modelyard_inference_requests"].samples}  # fmt: skip
    assert {kind for kind, times in requests.items() if times} == {"ok", "bad-inputs"}
    assert requests["model-failed"] == 0, "a rule about a share finds no series otherwise"
    assert found["modelyard_inference_request_duration_seconds"].type == "histogram"


async def test_a_line_that_is_gone_leaves_no_series() -> None:
    app = app_of()
    await ask(app, "POST", INFER, ONE)
    app.plane.drop("double")
    assert "double" not in app.plane.metrics()
    assert app.plane.recorder.tail("double") == []


async def test_raw_tensors_come_and_go_behind_the_json() -> None:
    head = (
        b'{"inputs":[{"name":"x","datatype":"FP32","shape":[2,2],"parameters":'
        b'{"binary_data_size":16}}],"parameters":{"binary_data_output":true}}'
    )
    sent = np.arange(4, dtype=np.float32)
    found = await ask(
        app_of(), "POST", INFER, head + sent.tobytes(),
        inference_header_content_length=str(len(head)),
    )  # fmt: skip
    length = int(found.headers["inference-header-content-length"])
    np.testing.assert_array_equal(np.frombuffer(found.body[length:], np.float32), sent * 2)


async def test_a_raw_body_is_the_only_input() -> None:
    sent = np.arange(6, dtype=np.float32).tobytes()
    found = await ask(app_of(), "POST", INFER, sent, inference_header_content_length="0")
    assert found.status == 200
    length = int(found.headers["inference-header-content-length"])
    assert np.frombuffer(found.body[length:], np.float32).tolist() == [0, 2, 4, 6, 8, 10]


@pytest.mark.parametrize("length", ["x", "-1", "99999", "1e3", "9" * 30])
async def test_a_wrong_length_of_the_json_is_told(length: str) -> None:
    found = await ask(app_of(), "POST", INFER, ONE, inference_header_content_length=length)
    assert found.status == 400


# -- at once ---------------------------------------------------------------------------------


def _at_once(app: PlaneApp, **headers: str) -> Any:
    import orjson

    told = [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()]
    return app.at_once(INFER.encode(), told, orjson.dumps(ONE), ("127.0.0.1", 5))


async def test_what_takes_no_waiting_is_answered_at_once_from_the_second_request_on() -> None:
    app = app_of()
    assert _at_once(app) is None
    longer = await ask(app, "POST", INFER, ONE, x_request_id="a")
    found = _at_once(app, x_request_id="a")
    assert (found[0], found[1]) == (200, longer.body)
    assert {k.decode(): v.decode() for k, v in found[2]} == longer.headers
    assert app.plane.statistics.every()[0].answered == 2


async def test_what_takes_waiting_goes_the_longer_way_and_leaves_no_trace() -> None:
    runtime = Doubling(seconds=0.01)
    place = slot(served(runtime, Threads([runtime], Pace(0.01, 100, 1), batch=0)))
    app = app_of(place)
    await ask(app, "POST", INFER, ONE)
    assert _at_once(app) is None
    assert runtime.batches == [1]

    class Forgetful(Everybody):
        """Who it is must be looked up again."""

        def known(self, headers: Any, address: Any, line: Any) -> Any:
            return None

        async def look(self, headers: Any, address: Any, line: Any) -> Any:
            asked = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_later(0.01, asked.set_exception, OSError("gone"))
            return await asyncio.shield(asked)

    app = app_of()
    await ask(app, "POST", INFER, ONE)
    app.plane.gate = Forgetful()
    complaints: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, told: complaints.append(told))
    assert _at_once(app) is None
    assert app.plane.active == 0
    await asyncio.sleep(0.03)
    import gc

    gc.collect()
    assert not [told for told in complaints if "shield" in str(told)]


async def test_a_version_that_is_named_is_not_answered_at_once() -> None:
    app = app_of()
    await ask(app, "POST", INFER, ONE)
    assert _at_once(app, x_modelyard_version="1") is None
