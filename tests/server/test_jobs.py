"""Long work: waited for, asked about at any server, followed, and given up when its server dies."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from starlette.requests import Request

from modelyard.catalog.queries import jobs as rows
from modelyard.core.access import Account, Caller, Grant
from modelyard.core.version import Progress
from modelyard.errors import Conflict, NotFound, Unavailable
from modelyard.server.jobs import Jobs
from modelyard.server.settings import Settings
from modelyard.server.state import Ask, Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.registry.local import LocalYard

ANN = Caller(account=Account(id=7, name="ann"), grants=(Grant("*", "writer"),))
BOB = Caller(account=Account(id=8, name="bob"), grants=(Grant("*", "writer"),))
ADMIN = Caller(account=Account(id=1, name="admin"), grants=(Grant("*", "admin"),))


@pytest.fixture
def one(yard: LocalYard) -> Iterator[Server]:
    server = Server(yard, Settings(stop_seconds=1))
    server.jobs.start()
    yield server
    server.jobs.stop()


def _ask(server: Server, prefer: str = "", caller: Caller = ANN) -> Ask:
    headers = [(b"prefer", prefer.encode())] if prefer else []
    return Ask(server, caller, Request({"type": "http", "headers": headers}))


def _until(server: Server, key: str, state: str) -> Any:
    limit = time.monotonic() + 10
    while time.monotonic() < limit:
        job = server.jobs.show(key, ANN)
        if job.state == state:
            return job
        time.sleep(0.02)
    raise AssertionError(f"not {state}")


def test_what_is_done_in_time_is_answered_and_leaves_no_trace(one: Server) -> None:
    answer = one.jobs.run(_ask(one), "gc", [], lambda _: {"freed": 3})
    assert (answer.status, answer.value) == (200, {"freed": 3})
    assert one.jobs.newest(ADMIN) == []


def test_what_fails_in_time_is_raised(one: Server) -> None:
    def work(_: object) -> None:
        raise Conflict("merge-conflict", "no")

    with pytest.raises(Conflict):
        one.jobs.run(_ask(one), "merge", [], work)


def test_what_takes_longer_can_be_asked_about_at_another_server(
    one: Server, yard: LocalYard
) -> None:
    go = threading.Event()

    def work(report: Any) -> dict[str, int]:
        report(Progress("read", 5, 10))
        go.wait(10)
        return {"freed": 3}

    answer = one.jobs.run(_ask(one, "respond-async, wait=0.1"), "gc", ["a/b"], work)
    assert answer.status == 202
    key = answer.value.id  # type: ignore[attr-defined]
    assert answer.headers["location"] == f"/api/v1/jobs/{key}"
    other = Jobs(yard.house, 1)
    job = other.show(key, ANN)
    assert (job.state, job.models, job.progress) == ("running", ("a/b",), Progress("read", 5, 10))
    go.set()
    assert _until(one, key, "done").result == {"freed": 3}
    assert other.show(key, ANN).result == {"freed": 3}
    other.stop()


def test_events_tell_progress_and_the_end(one: Server) -> None:
    go = threading.Event()

    def work(report: Any) -> str:
        report(Progress("read", 5, 10))
        go.wait(10)
        raise Conflict("merge-conflict", "both changed it", hint="choose")

    key = one.jobs.run(_ask(one, "respond-async"), "merge", [], work).value.id  # type: ignore[attr-defined]
    told: list[Any] = []
    for events in one.jobs.events(key, ANN):
        told += events or []
        if told and told[-1].value == Progress("read", 5, 10):
            go.set()
        time.sleep(0.02)
    assert told[-1].name == "failed"
    assert told[-1].value["kind"] == "merge-conflict"
    assert all(event.name == "progress" for event in told[:-1])


def test_progress_is_written_at_most_five_times_a_second(
    one: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[float] = []
    update = rows.update
    monkeypatch.setattr(rows, "update", lambda *a: (written.append(time.monotonic()), update(*a)))
    go = threading.Event()

    def work(report: Any) -> None:
        go.wait(10)
        end = time.monotonic() + 1
        while time.monotonic() < end:
            report(Progress("read", 1, None))
            time.sleep(0.001)

    key = one.jobs.run(_ask(one, "respond-async"), "gc", [], work).value.id  # type: ignore[attr-defined]
    go.set()
    _until(one, key, "done")
    assert len(written) <= 8


def test_a_job_is_known_to_its_account_and_to_admins_only(one: Server) -> None:
    go = threading.Event()
    work = lambda _: go.wait(10)  # noqa: E731
    key = one.jobs.run(_ask(one, "respond-async"), "gc", [], work).value.id  # type: ignore[attr-defined]
    with pytest.raises(NotFound, match="no such job"):
        one.jobs.show(key, BOB)
    assert one.jobs.newest(BOB) == []
    assert one.jobs.show(key, ADMIN).id == key
    assert [job.id for job in one.jobs.newest(ADMIN)] == [key]
    go.set()


def test_a_job_whose_server_died_is_lost(one: Server, yard: LocalYard) -> None:
    def work(connection: Any) -> None:
        now = yard.house.catalog.now(connection)
        old = now - 60_000_000
        rows.add(
            connection,
            rows.JobRow("dead", 7, "gc", "", "running", "read", 1, None, None, old, old),
        )

    yard.house.catalog.write(work)
    job = one.jobs.show("dead", ANN)
    assert job.state == "lost"
    assert job.problem.kind == "job-lost"


def test_a_server_that_stops_takes_no_more_and_lets_go_of_what_does_not_end(
    yard: LocalYard,
) -> None:
    server = Server(yard, Settings(stop_seconds=0.3))
    server.jobs.start()
    go = threading.Event()
    work = lambda _: go.wait(10)  # noqa: E731
    key = server.jobs.run(_ask(server, "respond-async"), "gc", [], work).value.id  # type: ignore[attr-defined]
    began = time.monotonic()
    server.jobs.stop()
    assert time.monotonic() - began < 5
    assert server.jobs.show(key, ANN).state == "lost"
    with pytest.raises(Unavailable, match="stops"):
        server.jobs.run(_ask(server), "gc", [], work)
    go.set()
