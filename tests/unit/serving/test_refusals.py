"""What a listener hears of requests that were refused before a version was known."""

from __future__ import annotations

from tests.unit.serving.asking import ask
from tests.unit.serving.numbers import Doubling, plane_of, served, slot

from modelyard.core.deployment import Limits
from modelyard.serving.app import PlaneApp
from modelyard.serving.records import Recorder

Told = tuple[str, str, str, int, int]
ONE = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]}]}
INFER = "/v2/models/double/infer"


def listened() -> tuple[Recorder, list[Told]]:
    recorder, heard = Recorder(), list[Told]()
    recorder.listen_refused(lambda *told: heard.append(told))
    return recorder, heard


async def test_each_refused_request_is_told_once_whether_its_version_was_known_or_not() -> None:
    plane = plane_of(slot(served(Doubling())), limits=Limits(body=1000))
    app, heard = PlaneApp(plane), list[Told]()
    plane.recorder.listen_refused(lambda *told: heard.append(told))
    assert (await ask(app, "POST", INFER, ONE)).status == 200
    assert (await ask(app, "POST", INFER, b" " * 1001, content_length="1001")).status == 413
    assert (await ask(app, "POST", INFER.replace("/infer", "/versions/9/infer"), ONE)).status == 404
    assert (await ask(app, "POST", INFER, b"{")).status == 400
    wrong = {"inputs": [ONE["inputs"][0] | {"name": "z"}]}
    assert (await ask(app, "POST", INFER, wrong)).status == 400
    plane.recorder.drain()
    plane.recorder.drain()
    assert sorted((name, kind, size, count) for name, kind, _, size, count in heard) == [
        ("double", "bad-inputs", 0, 1), ("double", "bad-request", 0, 1),
        ("double", "body-too-large", 1001, 1), ("double", "no-version", 0, 1),
    ]  # fmt: skip


def test_refusals_are_told_by_deployment_kind_and_client_with_the_largest_size() -> None:
    recorder, heard = listened()
    for size in (10, 30, 20):
        recorder.refuse("fraud", "body-too-large", "ann", size)
    recorder.refuse("fraud", "bad-token", "10.0.0.1")
    recorder.drain()
    assert heard == [
        ("fraud", "body-too-large", "ann", 30, 3),
        ("fraud", "bad-token", "10.0.0.1", 0, 1),
    ]
    recorder.drain()
    assert len(heard) == 2


def test_refusals_that_nobody_listens_to_are_not_kept() -> None:
    recorder, heard = Recorder(), list[Told]()
    recorder.refuse("fraud", "bad-token", "ann")
    recorder.listen_refused(lambda *told: heard.append(told))
    recorder.drain()
    assert heard == []


def test_a_flood_of_refusals_takes_bounded_memory() -> None:
    recorder, heard = listened()
    for number in range(20_000):
        recorder.refuse("fraud", "bad-token", f"client-{number}")
    recorder.drain()
    assert len(heard) == 8192


def test_a_listener_that_fails_does_not_keep_others_from_hearing() -> None:
    recorder, heard = Recorder(), list[Told]()

    def fails(*told: object) -> None:
        raise ValueError(told)

    recorder.listen_refused(fails)
    recorder.listen_refused(lambda *told: heard.append(told))
    recorder.refuse("fraud", "bad-token", "ann")
    recorder.drain()
    assert len(heard) == 1
