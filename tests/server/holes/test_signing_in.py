"""Rows of reference/security.md section 3 about who is let in."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx2
import pytest
from tests.server.holes.routes import every_route, filled
from tests.server.holes.tenants import Tenants, kind_of, tenants
from tests.server.raw import connect, exchange, head, status
from tests.server.running import running

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["tenants"]

PUBLIC = {
    ("GET", "/health"), ("GET", "/api/v1/version"), ("GET", "/login"), ("POST", "/login"),
    ("GET", "/openapi.json"),
    ("GET", "/static/{digest}/{name:path}"), ("POST", "/do/language"), ("POST", "/do/theme"),
}  # fmt: skip
"""Frozen. What comes to it needs a review, and a sentence in docs/guides/access.md."""


def test_every_route_without_a_token_answers_401_but_for_a_frozen_list(
    tenants: Tenants, tmp_path: Path
) -> None:
    """Row "missing authn on some routes": MLflow CVE-2026-0545, CVE-2026-2652, Ray CVE-2023-48022,
    Triton CVE-2026-24207, BentoML CVE-2025-32375.
    """
    routes = every_route(tmp_path / "yard")
    assert len(routes) > 90
    assert not [route for route in routes if route[2] is None]
    assert {(m, p) for m, p, needs in routes if needs.what == "public"} == PUBLIC
    assert [p for _, p, _ in routes if p.endswith(".git/info/lfs/objects/{oid}")]
    with httpx2.Client(base_url=tenants.server.url, timeout=30) as stranger:
        for method, path, _ in routes:
            if (method, path) in PUBLIC:
                continue
            for names in ({}, {"model": "bob%2Fguarded", "ns": "bob", "name": "guarded"}):
                place = filled(path, **names)
                answer = stranger.request(method, place)
                if answer.status_code == 422:  # the form of a body is looked at first
                    assert answer.json()["kind"] in ("invalid-request", "unreadable-body"), place
                    answer = stranger.request(method, place, headers={"x-big": "1"}, content=BIG)
                assert answer.status_code in (401, 303, 422), f"{method} {place}: {answer.text}"
                if answer.status_code == 303:  # a page
                    assert method == "GET", path
                    assert answer.headers["location"].startswith("/login?next="), path


BIG = b"{" + b" " * (2 << 20) + b"}"
"""Who sends a large body is looked at before it is read."""


@pytest.mark.parametrize("first", ["//", "/./", "/x/../", "/%2e/", "/;/", "/%2F"])
def test_no_other_spelling_of_a_path_leads_past_the_door(tenants: Tenants, first: str) -> None:
    """Row "missing authn on some routes": maps of paths beside the routes miss spellings."""
    for rest in ("api/v1/models", "api/v1/tokens", "bob/guarded.git/info/refs"):
        answer = exchange(tenants.server.url, head(tenants.server.url, f"GET {first}{rest}"))
        assert status(answer) in (400, 401, 404), answer
    for rest in ("/api/v1/models/", "/API/v1/models", "/api/v1/models.json", "/api//v1/models"):
        assert httpx2.get(f"{tenants.server.url}{rest}").status_code in (401, 404)
    for method in ("HEAD", "OPTIONS", "TRACE", "PROPFIND", "get"):
        got = exchange(
            tenants.server.url, head(tenants.server.url, f"{method} /api/v1/models"), timeout=3
        )
        assert status(got) in (400, 401, 405, 501), (method, got)


def test_nothing_is_open_at_first_and_the_first_token_is_shown_once(tmp_path: Path) -> None:
    """Row "default credentials": MLflow CVE-2026-2635 (admin / password1234)."""
    with running(tmp_path / "yard") as first:
        assert first.token is not None
        for name, password in (
            ("admin", "password1234"), ("admin", "admin"), ("admin", ""), ("admin", "password"),
            ("root", "root"), ("mlflow", "mlflow"), ("admin", "yard"),
        ):  # fmt: skip
            answer = httpx2.get(f"{first.url}/api/v1/whoami", auth=(name, password), timeout=60)
            assert answer.status_code in (401, 429), (name, password)
        assert first.token not in first.log_text()
    with running(tmp_path / "yard") as second:
        assert second.token is None
        assert not [line for line in second.lines if "yard_" in line]


def test_a_server_without_accounts_is_not_open_to_the_network(tmp_path: Path) -> None:
    """Row "default credentials": a bind beyond loopback with accounts off is refused."""
    for host in ("0.0.0.0", "::"):
        done = subprocess.run(
            [
                sys.executable, "-m", "modelyard", "server", "--yard", str(tmp_path / "yard"),
                "--host", host, "--port", "0", "--no-accounts",
            ],
            capture_output=True, text=True, timeout=60, env=dict(os.environ),
        )  # fmt: skip
        assert done.returncode != 0
        assert "serving" not in done.stdout


def test_a_page_of_another_site_changes_nothing_by_any_method(
    tenants: Tenants, tmp_path: Path
) -> None:
    """Row "DNS rebinding / CSRF / CORS": Ray CVE-2025-62593, CVE-2026-27482 (DELETE forgotten)."""
    with httpx2.Client(base_url=tenants.server.url, timeout=30) as browser:
        form = {"name": "bob", "password": tenants.tokens["bob"]}
        own = {"sec-fetch-site": "same-origin"}
        tenants.client("bob")
        form["password"] = tenants.tokens["bob"]
        assert browser.post("/login", data=form, headers=own).status_code == 303
        assert browser.get("/api/v1/whoami").status_code == 200
        for method, path, _ in every_route(tmp_path / "yard"):
            if method in ("GET", "HEAD"):
                continue
            place = filled(path, model="bob%2Fcsrf", ns="bob", name="csrf")
            for foreign in (
                {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"},
                {"origin": "https://evil.example"}, {"origin": "null"},
                {"origin": tenants.server.url.replace("127.0.0.1", "127.0.0.1.evil.example")},
                {},
            ):  # fmt: skip
                answer = browser.request(
                    method, place, content=b"{}",
                    headers={"content-type": "text/plain", **foreign},
                )  # fmt: skip
                assert kind_of(answer) == (403, "cross-site"), (method, place, answer.text)
        assert browser.get("/api/v1/whoami").status_code == 200


def test_no_site_is_let_to_read_and_no_other_name_is_answered(tenants: Tenants) -> None:
    """Row "DNS rebinding / CSRF / CORS": MLflow CVE-2025-14279; also WebSocket."""
    shown = {"authorization": f"Bearer {tenants.tokens['bob']}"}
    for method in ("GET", "OPTIONS"):
        answer = httpx2.request(
            method, f"{tenants.server.url}/api/v1/models",
            headers={
                **shown, "origin": "https://evil.example", "access-control-request-method": "PUT",
            },
        )  # fmt: skip
        assert not [name for name in answer.headers if name.startswith("access-control")]
    for host in (
        "evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "127.0.0.1@evil",
        "[::ffff:evil]", "", "evil.example:80", "169.254.169.254", "0",
    ):  # fmt: skip
        for path in ("/api/v1/models", "/login", "/health", "/bob/x.git/info/refs"):
            answer = httpx2.get(f"{tenants.server.url}{path}", headers={**shown, "host": host})
            assert answer.status_code in (400, 403, 421), (host, path, answer.status_code)
    upgrade = head(
        tenants.server.url, "GET /api/v1/events/stream", "Upgrade: websocket",
        "Connection: Upgrade", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13", "Origin: https://evil.example",
    )  # fmt: skip
    assert status(exchange(tenants.server.url, upgrade, timeout=5)) in (0, 400, 401, 403, 404, 426)


def test_what_follows_a_large_body_is_a_request_of_its_own(tenants: Tenants) -> None:
    """Request smuggling: a body ends where its length says, and whoever sends more is looked at."""
    place, size = "/api/v1/models/bob%2Fsmuggled/chunks?session=" + "c" * 32, 3 << 20
    for rest, expected in (("", b""), (f"Authorization: Bearer {tenants.tokens['eve']}", b'"eve"')):
        second = head(tenants.server.url, "GET /api/v1/whoami", *filter(None, [rest]))
        first = head(
            tenants.server.url, f"POST {place}", f"Content-Length: {size}",
            f"Authorization: Bearer {tenants.tokens['bob']}",
        )  # fmt: skip
        with connect(tenants.server.url, 10) as connection:
            connection.sendall(first + b"\xff" * size + second)
            got = b""
            with contextlib.suppress(OSError):
                connection.settimeout(2)
                while piece := connection.recv(65536):
                    got += piece
        answers = got.split(b"HTTP/1.1 ")[1:]
        assert answers[0].startswith(b"422"), answers
        assert b'"bob"' not in b"".join(answers[1:]), "the second request is not bob's"
        for answer in answers[1:]:
            assert answer.startswith(b"200" if expected else b"401"), answer
            assert expected in answer
