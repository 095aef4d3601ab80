"""A real server, a model that begins to fail: a signed webhook tells of it within two seconds."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from typing import TYPE_CHECKING

import pytest
from tests.monitoring.alerts.faulty import Heard, ask, deploy, doubling, hearing, play, until
from tests.server.running import Running, running

from modelyard.registry import create

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx2

pytestmark = pytest.mark.slow

BOUND = 2.0
"""Seconds from the first failed answer to the webhook."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    place = tmp_path_factory.mktemp("alerts")
    with create(place / "yard") as yard:
        yard.commit("m", doubling(place / "m"))
    with running(place / "yard", private_hooks=True) as one:
        yield one


@pytest.fixture
def api(server: Running) -> Iterator[httpx2.Client]:
    with server.client() as client:
        yield client


def errors_of(heard: list) -> list[dict]:
    return [a for body in heard for a in body["data"]["alerts"] if a["rule"] == "errors"]


def fail(asked: dict[str, float], heard: Heard) -> float:
    """Seconds from a fault until it is told; a busy machine may try again."""
    for _ in range(3):
        before = len(errors_of(heard.bodies))
        began = time.monotonic()
        asked["number"] = 99.0
        until(lambda: len(errors_of(heard.bodies)) > before)  # noqa: B023
        seconds = heard.times[-1] - began
        asked["number"] = 1.0
        if seconds <= BOUND:
            break
        until(lambda: errors_of(heard.bodies)[-1]["state"] == "resolved", 120)
        time.sleep(31)  # in which nothing more is told of this deployment
    return seconds


def test_a_fault_is_told_within_two_seconds(server, api):
    with hearing() as heard:
        made = api.post("/api/v1/channels", json={"name": "ops", "kind": "webhook",
                                                  "address": f"{heard.url}/hook"})  # fmt: skip
        assert made.status_code == 201, made.text
        secret = made.json()["secret"]
        assert secret not in api.get("/api/v1/channels").text
        deploy(api, "svc", "m")
        assert ask(api, "svc") == 200
        with play(api, "svc") as asked:
            until(lambda: asked["asked"] > 300)
            assert not heard.bodies
            seconds = fail(asked, heard)
        print(f"fault to webhook: {seconds:.2f} s")
        assert seconds <= BOUND
        alert = errors_of(heard.bodies)[-1]
        assert (alert["deployment"], alert["severity"], alert["state"]) == (
            "svc", "critical", "firing",
        )  # fmt: skip
        assert alert["evidence"]["outcomes"]
        data = heard.bodies[-1]["data"]
        assert data["link"].endswith("/deployments/svc/monitoring")
        headers = heard.headers[-1]
        told = b".".join(
            [headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), heard.raw[-1]]
        )
        key = base64.b64decode(secret.removeprefix("whsec_"))
        mine = base64.b64encode(hmac.digest(key, told, hashlib.sha256)).decode()
        assert headers["webhook-signature"] == f"v1,{mine}"
        inbox = api.get("/api/v1/alerts", params={"deployment": "svc"}).json()
        assert any(each["rule"] == "errors" for each in inbox)
        kinds = [event["kind"] for event in api.get("/api/v1/events").json()["items"]]
        assert "alert-fired" in kinds


def test_two_processes_of_a_server_tell_it_once(tmp_path):
    with create(tmp_path / "yard") as yard:
        yard.commit("m", doubling(tmp_path / "m"))
    with (
        running(tmp_path / "yard", private_hooks=True, workers=2) as server,
        hearing() as heard,
        server.client() as one,
        server.client() as two,
    ):
        made = {"name": "ops", "kind": "webhook", "address": heard.url}
        assert one.post("/api/v1/channels", json=made).status_code == 201
        deploy(one, "svc", "m")
        until(lambda: all(ask(each, "svc") == 200 for each in (one, two) for _ in range(5)))
        with play(one, "svc") as first, play(two, "svc") as second:
            first["number"] = second["number"] = 99.0
            until(lambda: errors_of(heard.bodies))
            time.sleep(4)
            first["number"] = second["number"] = 1.0
            until(lambda: any(a["state"] == "resolved" for a in errors_of(heard.bodies)), 90)
        states = [alert["state"] for alert in errors_of(heard.bodies)]
        assert states == ["firing", "resolved"]
