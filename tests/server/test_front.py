"""What holds for every request: ids, hosts, proxies, sites, sizes, headers of safety, the log."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import httpx2
import pytest
from tests.server.raw import exchange, head, status
from tests.server.running import Running, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

UNSAFE = ("POST", "PUT", "PATCH", "DELETE")


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server behind a proxy at /models, that answers for one name."""
    folder = tmp_path_factory.mktemp("proxied") / "yard"
    with running(
        folder, prefix="/models", allow_host="models.example.org", trust_proxy="127.0.0.1"
    ) as one:
        yield one


# -- ids -------------------------------------------------------------------------------------------


def test_a_request_keeps_the_id_that_it_brings(api: httpx2.Client) -> None:
    answer = api.get("/health", headers={"x-request-id": "abc-123"})
    assert answer.headers["x-request-id"] == "abc-123"


@pytest.mark.parametrize("bad", ["a b", "x" * 65, "a\tb", "<script>", ""])
def test_an_id_that_is_not_safe_is_replaced(api: httpx2.Client, bad: str) -> None:
    answer = api.get("/health", headers={"x-request-id": bad})
    assert answer.headers["x-request-id"] != bad
    assert len(answer.headers["x-request-id"]) == 16


# -- hosts -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        "evil.example.org", "localhost.evil.org", "127.0.0.1.nip.io", "10.0.0.1", "", "a b",
        "[::1", "localhost:x", "2130706433",
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/health", "/api/v1/models", "/login", "/nope"])
def test_a_host_that_nobody_allowed_is_not_answered(server: Running, host: str, path: str) -> None:
    answer = httpx2.get(f"{server.url}{path}", headers={"host": host})
    assert answer.status_code in (400, 421)
    if answer.status_code == 421:
        assert answer.json()["kind"] == "wrong-host"


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8300", "127.0.0.1", "[::1]:80", "LOCALHOST."]
)
def test_loopback_is_answered_by_any_of_its_names(server: Running, host: str) -> None:
    assert httpx2.get(f"{server.url}/health", headers={"host": host}).status_code == 200


def test_two_hosts_are_refused(server: Running) -> None:
    answer = exchange(server.url, head(server.url, "GET /health", "Host: other"))
    assert status(answer) in (400, 421)


def test_a_host_that_was_allowed_is_answered(proxied: Running) -> None:
    answer = httpx2.get(f"{proxied.url}/health", headers={"host": "models.example.org"})
    assert answer.status_code == 200


# -- proxies ---------------------------------------------------------------------------------------


def _addresses(server: Running, number: str) -> list[str]:
    """Of a request, as the log has it; the line follows the answer."""
    found: list[str] = []
    limit = time.monotonic() + 5
    while not found and time.monotonic() < limit:
        lines = [json.loads(line) for line in server.log_text().splitlines() if line[-1:] == "}"]
        found = [line["address"] for line in lines if line.get("id") == number]
        time.sleep(0.01)
    return found


def test_nobody_but_a_named_proxy_says_where_a_request_comes_from(
    server: Running, proxied: Running
) -> None:
    told = {"x-forwarded-for": "6.6.6.6, 203.0.113.7", "x-forwarded-proto": "https"}
    answer = httpx2.get(f"{server.url}/health", headers={**told, "x-request-id": "unproxied"})
    assert "strict-transport-security" not in answer.headers
    assert _addresses(server, "unproxied") == ["127.0.0.1"]
    url = proxied.url.removesuffix("/models")
    answer = httpx2.get(f"{url}/health", headers={**told, "x-request-id": "proxied"})
    assert "strict-transport-security" in answer.headers
    assert _addresses(proxied, "proxied") == ["203.0.113.7"], "what is before it can be made up"


def test_a_forwarded_host_is_checked_too(proxied: Running) -> None:
    answer = httpx2.get(f"{proxied.url}/health", headers={"x-forwarded-host": "evil.org"})
    assert answer.status_code == 421


def test_a_prefix_is_taken_with_or_without_the_proxy_cutting_it(proxied: Running) -> None:
    assert proxied.url.endswith("/models")
    assert httpx2.get(f"{proxied.url}/health").status_code == 200
    assert httpx2.get(f"{proxied.url.removesuffix('/models')}/health").status_code == 200


# -- other sites -----------------------------------------------------------------------------------


@pytest.mark.parametrize("method", UNSAFE)
@pytest.mark.parametrize(
    "told",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example.org"},
        {"origin": "null"},
        {"cookie": "yard_session=x"},
        {"cookie": "a=b; yard_session=x", "origin": "http://127.0.0.1:1"},
        {"sec-fetch-site": "cross-site", "origin": "http://127.0.0.1"},
    ],
)
def test_no_other_site_changes_anything(server: Running, method: str, told: dict[str, str]) -> None:
    for path in ("/api/v1/models/a", "/login", "/logout", "/nope"):
        answer = httpx2.request(method, f"{server.url}{path}", headers=told)
        assert answer.status_code == 403, path
        assert answer.json()["kind"] == "cross-site"


def test_without_accounts_other_sites_are_kept_out_too(tmp_path: Path) -> None:
    with running(tmp_path / "yard", accounts=False) as one:
        for method in UNSAFE:
            answer = httpx2.request(
                method, f"{one.url}/api/v1/models/a", headers={"sec-fetch-site": "cross-site"}
            )
            assert answer.json()["kind"] == "cross-site"
        assert httpx2.get(f"{one.url}/api/v1/models").status_code == 200


def test_our_own_pages_and_programs_may(server: Running, api: httpx2.Client) -> None:
    for told in ({"sec-fetch-site": "same-origin"}, {"origin": server.url}, {}):
        answer = api.delete("/api/v1/models/not-there", headers=told)
        assert answer.json()["kind"] != "cross-site"


# -- headers of safety -----------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/health", "/login", "/api/v1/models", "/nope", "/openapi.json"])
def test_every_answer_has_headers_of_safety(server: Running, path: str) -> None:
    headers = httpx2.get(f"{server.url}{path}").headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["cache-control"] == "no-store"
    assert "server" not in headers


def test_no_other_origin_may_read(server: Running) -> None:
    headers = {"origin": "https://evil.org", "access-control-request-method": "DELETE"}
    for method in ("GET", "OPTIONS"):
        answer = httpx2.request(method, f"{server.url}/api/v1/models", headers=headers)
        assert not [name for name in answer.headers if name.startswith("access-control")]


# -- paths -----------------------------------------------------------------------------------------


def test_what_is_not_there_is_a_problem(api: httpx2.Client) -> None:
    answer = api.get("/nope")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["kind"] == "no-route"
    answer = api.put("/health")
    assert (answer.status_code, answer.json()["kind"]) == (405, "wrong-method")
    assert answer.headers["allow"] == "GET"


# -- the log ---------------------------------------------------------------------------------------


def test_one_line_of_json_for_each_request_without_secrets(server: Running) -> None:
    with server.client() as client:
        client.get("/api/v1/models?word=secret-query", headers={"x-request-id": "logged"})
        client.get("/login?code=secret-code")
    text = server.log_text()
    lines = [json.loads(line) for line in text.splitlines() if '"logged"' in line]
    assert len(lines) == 1
    line = lines[0]
    assert (line["route"], line["status"], line["account"]) == ("/api/v1/models", 200, "admin")
    assert (line["method"], line["address"]) == ("GET", "127.0.0.1")
    assert line["ms"] > 0
    assert server.token is not None
    for secret in (server.token, "secret-query", "secret-code"):
        assert secret not in text


def test_no_request_writes_a_line_of_its_own_into_the_log(server: Running) -> None:
    exchange(server.url, head(server.url, "GET /a%0d%0ab%1b[31m", "X-Request-Id: a\x1b[31mb"))
    for line in server.log_text().splitlines():
        assert "\x1b" not in line
        if line.startswith("{"):
            json.loads(line)
