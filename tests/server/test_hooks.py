"""Webhooks: who may make them, what is sent, when again, and to whom never."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from tests.server.listening import Listener, listening
from tests.server.running import Running, running

from modelyard.catalog.queries import deliveries, hooks
from modelyard.core.hooks import HookChange, MadeHook, NewHook
from modelyard.errors import InvalidInput
from modelyard.registry import create, open_yard
from modelyard.registry.access.desk import Desk
from modelyard.registry.hooks import (
    add_hook,
    change_hook,
    check_url,
    deliveries_of,
    find_hook,
    redeliver,
)
from modelyard.server.hooks import Deliverer, ping
from modelyard.server.settings import Settings
from modelyard.server.state import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from modelyard.core.access import Role
    from modelyard.core.hooks import Delivery
    from modelyard.registry.local import LocalYard

_DAY = 86_400_000_000


class Post:
    """A yard, and one server's deliverer that works when it is told to."""

    def __init__(self, yard: LocalYard, *, private: bool = True) -> None:
        self.yard = yard
        self.settings = Settings(private_hooks=private)
        self.deliverer = Deliverer(Server(yard, self.settings))

    def hook(self, url: str, pattern: str = "*", *events: str) -> MadeHook:
        return add_hook(self.yard.house, NewHook(url=url, pattern=pattern, events=events))

    def work(self, until: Callable[[], bool] = lambda: False, seconds: float = 5.0) -> None:
        """Look, and wait until what was begun is done."""
        self.deliverer.look()
        limit = time.monotonic() + seconds
        while self.deliverer._busy and time.monotonic() < limit and not until():
            time.sleep(0.01)

    def log(self, made: MadeHook) -> list[Delivery]:
        return deliveries_of(self.yard.house, made.hook.id, 100)

    def age(self, made: MadeHook, by: int, *, due: bool = True) -> None:
        """Let time pass for all deliveries of a hook."""

        def work(connection: Any) -> None:
            for row in deliveries.of_hook(connection, made.hook.id, 1000):
                told = {"created": row.created - by, "due": row.due - by if due else row.due}
                deliveries.change(connection, row.id, **told)

        self.yard.house.catalog.write(work)


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    with create(tmp_path / "yard") as yard:
        one = Post(yard)
        yield one
        one.deliverer.stop()


@pytest.fixture
def listener() -> Iterator[Listener]:
    with listening() as one:
        yield one


@pytest.fixture
def commit(post: Post, tmp_path: Path) -> Callable[[str], int]:
    def do(model: str) -> int:
        file = tmp_path / "model.txt"
        file.write_text(f"{model} {time.time_ns()}")
        return post.yard.commit(model, file, message="trained").number

    return do


def test_an_event_arrives_signed_and_as_cloudevents_tell_it(
    post: Post, listener: Listener, commit: Callable[[str], int]
) -> None:
    commit("team/before")
    made = post.hook(f"{listener.url}/in")
    commit("team/a")
    post.work()
    (body,), (headers,) = listener.bodies, listener.headers
    told = json.loads(body)
    assert (told["specversion"], told["type"]) == ("1.0", "modelyard.version-committed")
    assert (told["subject"], told["data"]["ref"]) == ("team/a@1", "main")
    assert headers["content-type"].startswith("application/cloudevents+json")
    stamp, _, signature = headers["x-yard-signature"].partition(",v1=")
    signed = stamp.removeprefix("t=").encode() + b"." + body
    assert signature == hmac.new(made.secret.encode(), signed, hashlib.sha256).hexdigest()
    assert abs(int(stamp.removeprefix("t=")) - time.time()) < 10
    key = base64.b64decode(made.secret.removeprefix("whsec_"))
    number, when = headers["webhook-id"], headers["webhook-timestamp"]
    standard = hmac.new(key, f"{number}.{when}.".encode() + body, hashlib.sha256).digest()
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(standard).decode()}"
    assert number == f"event-{told['id']}"
    assert [(d.state, d.attempts, d.status) for d in post.log(made)] == [("done", 1, 200)]


def test_events_arrive_in_order_and_once(
    post: Post, listener: Listener, commit: Callable[[str], int]
) -> None:
    post.hook(f"{listener.url}/all")
    post.hook(f"{listener.url}/some", "team/b", "ref-created")
    for model in ("team/a", "team/b", "team/a"):
        commit(model)
    post.yard.alias("team/b", "prod", 1)
    for _ in range(3):
        post.work()
    told = [
        (path, json.loads(body)["subject"])
        for path, body in zip(listener.paths, listener.bodies, strict=True)
    ]
    assert [subject for path, subject in told if path == "/all"] == [
        "team/a@1", "team/b@1", "team/a@2", "team/b@1",
    ]  # fmt: skip
    assert [subject for path, subject in told if path == "/some"] == ["team/b@1"]


def test_several_servers_send_each_event_once(
    post: Post, listener: Listener, commit: Callable[[str], int]
) -> None:
    made = post.hook(f"{listener.url}/in")
    others = [Post(open_yard(post.yard.house.root)) for _ in range(3)]
    for _ in range(12):
        commit("team/a")
    limit = time.monotonic() + 20
    while len(listener.bodies) < 12 and time.monotonic() < limit:
        threads = [threading.Thread(target=one.work) for one in (post, *others)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for one in others:
        one.deliverer.stop()
        one.yard.close()
    numbers = [json.loads(body)["data"]["number"] for body in listener.bodies]
    assert numbers == list(range(1, 13))
    assert {delivery.attempts for delivery in post.log(made)} == {1}


def test_what_fails_is_tried_again_and_later_ones_do_not_wait(
    post: Post, listener: Listener, commit: Callable[[str], int]
) -> None:
    made = post.hook(f"{listener.url}/in")
    listener.status = 500
    commit("team/a")
    post.work()
    (first,) = post.log(made)
    assert (first.state, first.attempts, first.status) == ("waiting", 1, 500)
    post.work()
    assert len(listener.bodies) == 1, "it waits before it tries again"
    listener.status = 200
    commit("team/a")
    post.work()
    assert [d.state for d in post.log(made)] == ["done", "waiting"]
    post.age(made, 10_000_000)
    post.work()
    assert [d.state for d in post.log(made)] == ["done", "done"]
    sent = [json.loads(body)["data"]["number"] for body in listener.bodies]
    assert sent == [1, 2, 1]
    assert listener.headers[0]["webhook-id"] == listener.headers[2]["webhook-id"]


def test_after_a_day_it_failed_and_can_be_sent_again(
    post: Post, listener: Listener, commit: Callable[[str], int]
) -> None:
    made = post.hook(f"{listener.url}/in")
    listener.status = 503
    commit("team/a")
    post.work()
    post.age(made, _DAY)
    post.work()
    (failed,) = post.log(made)
    assert (failed.state, failed.error) == ("failed", "answered with status 503")
    assert find_hook(post.yard.house, made.hook.id).active
    listener.status = 204
    redeliver(post.yard.house, made.hook.id, failed.id)
    post.work()
    assert [d.state for d in post.log(made)] == ["done"]


def test_a_hook_that_fails_for_days_is_paused(
    post: Post, listener: Listener, commit: Callable[[str], int]
) -> None:
    made = post.hook(f"{listener.url}/in")
    listener.status = 500
    commit("team/a")
    post.work()
    post.age(made, 4 * _DAY)
    post.work()
    assert not find_hook(post.yard.house, made.hook.id).active
    commit("team/a")
    post.work()
    assert len(listener.bodies) == 2
    listener.status = 200
    change_hook(post.yard.house, made.hook.id, HookChange(active=True))
    commit("team/a")
    post.work()
    assert json.loads(listener.bodies[-1])["data"]["number"] == 3
    assert len(listener.bodies) == 3


def test_a_listener_that_is_gone_is_not_asked_again(
    post: Post, listener: Listener, commit: Callable[[str], int]
) -> None:
    made = post.hook(f"{listener.url}/in")
    listener.status = 410
    commit("team/a")
    post.work()
    assert not find_hook(post.yard.house, made.hook.id).active


def test_a_private_listener_sees_nothing(
    post: Post, listener: Listener, commit: Callable[[str], int]
) -> None:
    strict = Post(post.yard, private=False)
    made = post.hook(f"{listener.url}/in")
    commit("team/a")
    strict.work()
    assert "address" in post.log(made)[0].error or "port" in post.log(made)[0].error
    row = hooks_row(post, made)
    assert not ping(post.yard.house, strict.settings, row).is_good
    strict.deliverer.stop()
    assert listener.connections == 0


def hooks_row(post: Post, made: MadeHook) -> hooks.HookRow:
    with post.yard.house.catalog.fresh() as connection:
        row = hooks.by_id(connection, made.hook.id)
    assert row is not None
    return row


def test_a_hook_is_told_what_its_owner_may_read(
    post: Post, listener: Listener, commit: Callable[[str], int]
) -> None:
    from modelyard.registry.access import caller_of

    desk = Desk(post.yard.house)
    desk.add_account("ann", kind="service")
    desk.give_role("ann", "team/*", "maintainer")
    ann = post.yard.house.on_behalf_of(caller_of(post.yard.house, "ann"))
    add_hook(ann, NewHook(url=f"{listener.url}/in", pattern="team/*"))
    desk.give_role("ann", "team/hidden", "none")
    for model in ("team/hidden", "team/seen"):
        commit(model)
    post.work()
    assert [json.loads(body)["subject"] for body in listener.bodies] == ["team/seen@1"]
    desk.disable_account("ann")
    commit("team/seen")
    post.work()
    assert len(listener.bodies) == 1


@pytest.mark.parametrize(
    "url",
    ["", "x", "file:///etc/passwd", "http://", "https://a:b@x.org/", "https://x.org/#y",
     "https://x.org:99999/", "https://x.org:0/", "https://x.org/ y", "https://x.org/\n",
     "https://ü.org/", "javascript:1", "https://" + "x" * 3000],
)  # fmt: skip
def test_what_is_no_url_for_a_webhook_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match=r".") as caught:
        check_url(url)
    assert caught.value.kind == "bad-hook-url"


# -- over HTTP -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, LocalYard]]:
    """A server whose webhooks may be private."""
    with (
        running(tmp_path_factory.mktemp("hooks") / "yard", private_hooks=True) as one,
        open_yard(one.folder) as yard,
    ):
        yield one, yard


def _token(yard: LocalYard, pattern: str, role: Role) -> str:
    desk, name = Desk(yard.house), f"a{time.time_ns()}"
    desk.add_account(name, kind="service")
    desk.give_role(name, pattern, role)
    return desk.make_token(account=name).secret


def test_the_secret_is_shown_once(team: tuple[Running, LocalYard], listener: Listener) -> None:
    one, _ = team
    with one.client() as api:
        made = api.post("/api/v1/hooks", json={"url": f"{listener.url}/in"})
        assert made.status_code == 201
        secret, key = made.json()["secret"], made.json()["hook"]["id"]
        assert secret not in api.get("/api/v1/hooks").text
        assert secret not in api.get(f"/api/v1/hooks/{key}").text
        tried = api.post(f"/api/v1/hooks/{key}/test").json()
        assert (tried["status"], tried["error"]) == (200, "")
        assert json.loads(listener.bodies[0])["type"] == "modelyard.ping"
        assert api.delete(f"/api/v1/hooks/{key}").status_code == 200
        assert api.get(f"/api/v1/hooks/{key}").json()["kind"] == "no-hook"
    assert secret not in one.log_text()


def test_maintainers_look_after_the_hooks_of_their_models_alone(
    team: tuple[Running, LocalYard], listener: Listener
) -> None:
    one, yard = team
    maintainer, writer = _token(yard, "team/*", "maintainer"), _token(yard, "team/*", "writer")
    with one.client() as api, one.client(maintainer) as mine, one.client(writer) as other:
        body = {"url": f"{listener.url}/in"}
        theirs = api.post("/api/v1/hooks", json=body).json()["hook"]["id"]
        assert mine.post("/api/v1/hooks", json=body).status_code == 403
        assert mine.post("/api/v1/hooks", json={**body, "pattern": "x/*"}).status_code == 403
        assert other.post("/api/v1/hooks", json={**body, "pattern": "team/*"}).status_code == 403
        made = mine.post("/api/v1/hooks", json={**body, "pattern": "team/*"})
        assert made.status_code == 201, made.text
        key = made.json()["hook"]["id"]
        assert [hook["id"] for hook in mine.get("/api/v1/hooks").json()] == [key]
        assert other.get("/api/v1/hooks").json() == []
        for client, number in ((mine, theirs), (other, key), (other, 10**9)):
            for method, path in (
                ("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/test"),
                ("GET", "/deliveries"), ("POST", "/deliveries/1/redeliver"),
            ):  # fmt: skip
                given = {"json": {"active": False}} if method == "PATCH" else {}
                answer = client.request(method, f"/api/v1/hooks/{number}{path}", **given)
                assert (answer.status_code, answer.json()["kind"]) == (404, "no-hook")
        for number in (theirs, key):
            api.delete(f"/api/v1/hooks/{number}")


def test_a_server_that_is_killed_before_it_noted_a_delivery_sends_it_again(
    tmp_path: Path, listener: Listener
) -> None:
    arrived, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        arrived.set()
        go_on.wait(20)

    listener.before = hold
    file = tmp_path / "model.txt"
    file.write_text("x")
    with running(tmp_path / "yard", private_hooks=True) as one:
        with one.client() as api:
            made = api.post("/api/v1/hooks", json={"url": f"{listener.url}/in"}).json()
        with open_yard(one.folder) as yard:
            yard.commit("team/a", file)
            assert arrived.wait(20)
            os.kill(one.process.pid, signal.SIGKILL)
            one.process.wait()
            go_on.set()
            listener.before = lambda: None
            key = made["hook"]["id"]
            (row,) = deliveries_of(yard.house, key, 10)
            assert row.state == "sending"
            yard.house.catalog.write(
                lambda connection: deliveries.change(connection, row.id, due=0)
            )  # the claim runs out
            with running(tmp_path / "yard", private_hooks=True):
                limit = time.monotonic() + 20
                while len(listener.bodies) < 2 and time.monotonic() < limit:
                    time.sleep(0.02)
            assert [d.state for d in deliveries_of(yard.house, key, 10)] == ["done"]
    assert len(listener.bodies) == 2
    assert listener.headers[0]["webhook-id"] == listener.headers[1]["webhook-id"]
