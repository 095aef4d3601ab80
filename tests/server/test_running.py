"""A server starts from nothing, tells how to get in, and stops in peace."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2
from tests.server.running import Running, running

if TYPE_CHECKING:
    from pathlib import Path


def test_the_first_run_shows_a_token_that_lets_in(server: Running) -> None:
    assert server.token is not None
    assert server.lines.count(f"token: {server.token}") == 1
    with server.client() as client:
        assert client.get("/api/v1/models").json() == []


def test_without_a_token_nobody_is_let_in(server: Running) -> None:
    answer = httpx2.get(f"{server.url}/api/v1/models")
    assert answer.status_code == 401
    assert answer.json()["kind"] == "not-signed-in"


def test_health_and_version_are_public(server: Running) -> None:
    assert httpx2.get(f"{server.url}/health").json() == {"status": "ok"}
    assert httpx2.get(f"{server.url}/api/v1/version").json()["api"] == 1


def test_ready_and_metrics_need_an_account(server: Running, api: httpx2.Client) -> None:
    for path in ("/ready", "/metrics"):
        assert httpx2.get(f"{server.url}{path}").status_code == 401
        assert api.get(path).status_code == 200
    assert (
        'yard_requests_total{method="GET",route="/health",status="200"}' in api.get("/metrics").text
    )


def test_the_second_run_shows_no_token(tmp_path: Path) -> None:
    with running(tmp_path / "yard") as first:
        token = first.token
        assert first.stop() == 0
    with running(tmp_path / "yard", command="up") as second:
        assert second.token is None
        assert second.link is None, "stdout is no terminal"
        with second.client(token) as client:
            assert client.get("/api/v1/models").status_code == 200
