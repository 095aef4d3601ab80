"""Events over HTTP: pages, streams, and who may see what."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from tests.server.running import Running, running

from modelyard.registry import open_yard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import httpx2

    from modelyard.registry.local import LocalYard


@pytest.fixture(scope="module")
def local(server: Running) -> Iterator[LocalYard]:
    """The yard of `server`, opened beside it."""
    with open_yard(server.folder) as yard:
        yield yard


@pytest.fixture
def commit(local: LocalYard, tmp_path: Path) -> Callable[[str], int]:
    def do(model: str) -> int:
        file = tmp_path / "model.txt"
        file.write_text(f"{model} {time.time_ns()}")
        return local.commit(model, file).number

    return do


@pytest.fixture
def reader(server: Running, local: LocalYard) -> Iterator[httpx2.Client]:
    """Somebody who may read `open/*` and nothing else."""
    from modelyard.registry.access.desk import Desk

    name = f"reader{time.time_ns()}"
    desk = Desk(local.house)
    desk.add_account(name, kind="service")
    desk.give_role(name, "open/*", "reader")
    secret = desk.make_token(account=name).secret
    with server.client(secret) as client:
        yield client


class Stream:
    """Collects what a stream says, in a thread."""

    def __init__(self, client: httpx2.Client, **query: Any) -> None:
        self.events: list[dict[str, Any]] = []
        self.kinds: list[str] = []
        self.begun, self.ended = threading.Event(), threading.Event()
        headers = {"authorization": client.headers["authorization"]}
        if "last" in query:
            headers["last-event-id"] = str(query.pop("last"))
        url = client.base_url
        self._connection = http.client.HTTPConnection(url.host, url.port or 80)
        path = f"/api/v1/events/stream?{urlencode(query, doseq=True)}"
        self._connection.request("GET", path, headers=headers)
        self._response = self._connection.getresponse()
        assert self._response.status == 200
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        assert self.begun.wait(20)

    def _listen(self) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
            while line := self._response.readline().decode().rstrip():
                self._take(line)
                while line := self._response.readline().decode().rstrip():
                    self._take(line)
        self.ended.set()

    def _take(self, line: str) -> None:
        name, _, value = line.partition(":")
        if name == "id":
            self.begun.set()
        elif name == "event":
            self.kinds.append(value.strip())
        elif name == "data":
            self.events.append(json.loads(value))

    def close(self) -> None:
        with contextlib.suppress(OSError, AttributeError):
            self._response.fp.raw._sock.shutdown(socket.SHUT_RDWR)  # type: ignore[attr-defined]
        self._thread.join(5)
        self._response.close()
        self._connection.close()

    def wait_for(self, count: int) -> list[dict[str, Any]]:
        limit = time.monotonic() + 10
        while len(self.events) < count and time.monotonic() < limit:
            time.sleep(0.01)
        return self.events


@pytest.fixture
def listen() -> Iterator[Callable[..., Stream]]:
    """`listen(client, model="x")`: a stream that is closed when the test ends."""
    begun: list[Stream] = []

    def begin(client: httpx2.Client, **query: Any) -> Stream:
        begun.append(Stream(client, **query))
        return begun[-1]

    yield begin
    for one in begun:
        one.close()


def test_a_page_tells_what_happened_and_where_to_go_on(
    api: httpx2.Client, commit: Callable[[str], int]
) -> None:
    commit("open/page")
    first = api.get("/api/v1/events", params={"model": "open/page"}).json()
    commit("open/page")
    commit("open/other")
    given = {"model": "open/page", "after": first["next"]}
    second = api.get("/api/v1/events", params=given).json()
    assert [(e["kind"], e["model"], e["number"]) for e in second["items"]] == [
        ("version-committed", "open/page", 2)
    ]
    given["after"] = second["next"]
    assert api.get("/api/v1/events", params=given).json()["items"] == []
    one = api.get("/api/v1/events", params={"after": 0, "limit": 1}).json()
    two = api.get("/api/v1/events", params={"after": one["next"], "limit": 1}).json()
    assert one["items"][0]["id"] < two["items"][0]["id"]


@pytest.mark.parametrize("query", ["kind=x", "model=a/b/*", "after=-1", "limit=0", "after=x"])
def test_what_makes_no_sense_is_refused(api: httpx2.Client, query: str) -> None:
    answer = api.get(f"/api/v1/events?{query}")
    assert answer.status_code == 422, answer.text
    assert api.get(f"/api/v1/events/stream?{query.replace('limit=0', 'kind=y')}").status_code == 422


def test_nobody_who_is_not_signed_in_hears_anything(server: Running) -> None:
    with server.client("") as client:
        assert client.get("/api/v1/events").status_code == 401
        assert client.get("/api/v1/events/stream").status_code == 401


def test_a_stream_tells_what_happens_at_once(
    api: httpx2.Client,
    commit: Callable[[str], int],
    local: LocalYard,
    listen: Callable[..., Stream],
) -> None:
    stream = listen(api, model="open/*", kind=["version-committed", "label-changed"])
    began = time.monotonic()
    commit("open/stream")
    local.alias("open/stream", "prod", 1)
    local.label("open/stream", add={"a": "1"})
    heard = stream.wait_for(2)
    assert time.monotonic() - began < 3
    assert [event["kind"] for event in heard] == ["version-committed", "label-changed"]


def test_a_stream_goes_on_where_the_last_one_ended(
    api: httpx2.Client, commit: Callable[[str], int], listen: Callable[..., Stream]
) -> None:
    commit("open/again")
    last = api.get("/api/v1/events").json()["next"]
    for _ in range(3):
        commit("open/again")
    stream = listen(api, last=last)
    commit("open/again")
    heard = [event["number"] for event in stream.wait_for(4)]
    assert heard == [2, 3, 4, 5]


def test_models_that_the_caller_may_not_read_are_not_heard_of(
    api: httpx2.Client,
    reader: httpx2.Client,
    commit: Callable[[str], int],
    local: LocalYard,
    listen: Callable[..., Stream],
) -> None:
    start = api.get("/api/v1/events").json()["next"]
    stream = listen(reader)
    commit("secret/plan")
    commit("open/seen")
    local.rename("secret/plan", f"secret/plan-{time.time_ns()}")
    local.rename("open/seen", "secret/moved")
    local.delete_model("secret/moved")
    commit("open/last")
    heard = stream.wait_for(2)
    time.sleep(0.5)
    page = reader.get("/api/v1/events", params={"after": start})
    assert "secret" not in page.text
    assert "secret" not in json.dumps(heard)
    assert [event["model"] for event in page.json()["items"]] == ["open/last"]
    assert not reader.get("/api/v1/events", params={"model": "secret/*"}).json()["items"]


def test_deleting_a_model_hides_its_later_events_as_its_earlier_ones(
    reader: httpx2.Client, api: httpx2.Client, commit: Callable[[str], int], local: LocalYard
) -> None:
    commit("secret/gone")
    start = api.get("/api/v1/events").json()["next"]
    local.delete_model("secret/gone")
    local.restore("secret/gone")
    assert not reader.get("/api/v1/events", params={"after": start}).json()["items"]
    assert len(api.get("/api/v1/events", params={"after": start}).json()["items"]) >= 2


def test_a_stream_ends_when_its_token_is_revoked(
    server: Running, local: LocalYard, commit: Callable[[str], int], listen: Callable[..., Stream]
) -> None:
    from modelyard.registry.access.desk import Desk

    desk, name = Desk(local.house), f"short{time.time_ns()}"
    desk.add_account(name, kind="service")
    desk.give_role(name, "*", "reader")
    made = desk.make_token(account=name)
    with server.client(made.secret) as client:
        stream = listen(client)
        commit("open/before")
        stream.wait_for(1)
        desk.revoke_token(made.token.id)
        time.sleep(1.2)
        commit("secret/after")
        assert stream.ended.wait(10)
    assert stream.kinds[-1] == "failed"
    assert "secret" not in json.dumps(stream.events)


def test_a_role_that_is_taken_away_silences_a_stream(
    server: Running, local: LocalYard, commit: Callable[[str], int], listen: Callable[..., Stream]
) -> None:
    from modelyard.registry.access.desk import Desk

    desk, name = Desk(local.house), f"less{time.time_ns()}"
    desk.add_account(name, kind="service")
    desk.give_role(name, "*", "reader")
    with server.client(desk.make_token(account=name).secret) as client:
        stream = listen(client)
        commit("open/one")
        stream.wait_for(1)
        desk.give_role(name, "hidden/*", "none")
        time.sleep(1.2)
        commit("hidden/two")
        commit("open/three")
        assert [event["model"] for event in stream.wait_for(2)] == ["open/one", "open/three"]


def test_a_reader_that_is_too_slow_is_cut_off_and_others_are_not(
    server: Running,
    api: httpx2.Client,
    commit: Callable[[str], int],
    local: LocalYard,
    listen: Callable[..., Stream],
) -> None:
    commit("open/flood")
    quick = listen(api, model="open/flood")
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        request = f"GET /api/v1/events/stream?after=0 HTTP/1.1\r\nhost: {host}:{port}\r\n"
        slow.sendall(f"{request}authorization: Bearer {server.token}\r\n\r\n".encode())
        for turn in range(60):
            local.label("open/flood", add={f"k{turn}": "x" * 200})
        assert len(quick.wait_for(60)) == 60


def test_a_server_that_stops_ends_its_streams(
    tmp_path: Path, listen: Callable[..., Stream]
) -> None:
    with running(tmp_path / "yard") as one, one.client() as client:
        stream = listen(client)
        began = time.monotonic()
        one.stop()
        assert time.monotonic() - began < 5
        assert stream.ended.wait(5)
