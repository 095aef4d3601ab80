"""A server starts from nothing, tells how to get in, and stops in peace."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx2
from tests.server.running import Running, running

if TYPE_CHECKING:
    from pathlib import Path


def test_the_first_run_shows_a_token_that_lets_in(server: Running) -> None:
    assert server.token is not None
    assert server.lines.count(f"token: {server.token}") == 1
    with server.client() as client:
        assert client.get("/api/v1/models").json()["items"] == []


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
    counted = 'modelyard_http_requests_total{method="GET",route="/health",status="200"}'
    assert counted in api.get("/metrics").text


def test_the_second_run_shows_no_token(tmp_path: Path) -> None:
    with running(tmp_path / "yard") as first:
        token = first.token
        assert first.stop() == 0
    with running(tmp_path / "yard", command="up") as second:
        assert second.token is None
        assert second.link is None, "stdout is no terminal"
        with second.client(token) as client:
            assert client.get("/api/v1/models").status_code == 200


def _on_a_terminal(folder: Path) -> str:
    """What `yard up` shows on a terminal until it answers; then Ctrl-C."""
    main, side = pty.openpty()
    command = [sys.executable, "-m", "modelyard", "up", "--yard", str(folder), "--port", "0"]
    with subprocess.Popen(
        [*command, "--no-browser"], stdout=side, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        os.close(side)
        shown = ""
        while "link: " not in shown or not shown.endswith("\n"):
            shown += os.read(main, 4096).decode().replace("\r\n", "\n")
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    os.close(main)
    return shown


def test_on_a_terminal_every_run_shows_a_link_and_only_the_first_a_token(tmp_path: Path) -> None:
    first, second = (_on_a_terminal(tmp_path / "yard") for _ in range(2))
    assert "\ntoken: yard_" in first
    assert "token: " not in second
    assert re.search(r"\nlink: http://127\.0\.0\.1:\d+/login\?code=\S+\n", second)


def test_no_server_without_accounts_listens_to_others(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable, "-m", "modelyard", "server", "--yard", str(tmp_path / "yard"),
            "--port", "0", "--no-accounts", "--host", "0.0.0.0",
        ],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert "everybody who reaches 0.0.0.0 would be admin" in done.stderr
    assert done.stdout == ""


def test_json_tells_where_it_serves_in_one_document(tmp_path: Path) -> None:
    with subprocess.Popen(
        [
            sys.executable, "-m", "modelyard", "up", "--yard", str(tmp_path / "yard"),
            "--port", "0", "--json",
        ],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        assert sorted(told) == ["link", "token", "url"]
        assert httpx2.get(f"{told['url']}/health").status_code == 200
        process.terminate()
