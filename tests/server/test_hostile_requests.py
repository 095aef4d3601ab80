"""Requests that are to hold up, fill or confuse a server. Others are answered all the while."""

from __future__ import annotations

import gzip
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import pytest
from tests.server.raw import connect, exchange, head, status
from tests.server.running import Running, running

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server with little patience."""
    folder = tmp_path_factory.mktemp("hasty") / "yard"
    with running(folder, patience=1) as one:
        yield one


def _memory(one: Running) -> int:
    """Bytes that a server has in memory."""
    text = Path(f"/proc/{one.process.pid}/status").read_text()
    return int(text.partition("VmRSS:")[2].split()[0]) * 1024


def _auth(one: Running) -> str:
    return f"Authorization: Bearer {one.token}"


def test_a_head_without_end_is_cut_off(server: Running) -> None:
    before = _memory(server)
    for piece in (b"X-Long: " + b"a" * (32 << 20), b"X: y\r\n" * 5_000_000):
        start = head(server.url, "GET /health").removesuffix(b"\r\n")
        answer = exchange(server.url, start + piece)
        assert status(answer) in (0, 431)
    answer = exchange(server.url, b"GET /" + b"a" * (16 << 20))
    assert status(answer) in (0, 400, 431)
    assert _memory(server) - before < 50 << 20
    assert httpx2.get(f"{server.url}/health").status_code == 200


def test_more_than_two_hundred_headers_are_too_many(server: Running) -> None:
    answer = exchange(server.url, head(server.url, "GET /health", *["X: y"] * 300))
    assert status(answer) == 431


def test_a_body_that_claims_ten_gigabytes_is_refused_unread(server: Running) -> None:
    began = time.monotonic()
    answer = exchange(
        server.url,
        head(
            server.url, "POST /login", f"Content-Length: {10 << 30}",
            "Content-Type: application/x-www-form-urlencoded",
        ),
    )  # fmt: skip
    assert status(answer) == 413
    assert b"too-large" in answer
    assert b"connection: close" in answer.lower()
    assert time.monotonic() - began < 5


def test_a_body_in_chunks_is_cut_off_at_the_limit(server: Running) -> None:
    before = _memory(server)
    start = head(
        server.url, "POST /login", "Transfer-Encoding: chunked",
        "Content-Type: application/x-www-form-urlencoded",
    )  # fmt: skip
    piece = b"10000\r\n" + b"a" * 0x10000 + b"\r\n"
    answer = exchange(server.url, start, *[piece] * 400)
    assert status(answer) in (0, 413)
    assert _memory(server) - before < 30 << 20


@pytest.mark.parametrize(
    "lines",
    [
        ("Content-Length: 5", "Content-Length: 6"),
        ("Content-Length: 5", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: chunked, identity",),
        ("Content-Length: -1",),
        ("Content-Length: 1e3",),
        ("Content-Length: 99999999999999999999999999",),
        ("Bad Header: x",),
        ("X-Nul: a\x00b",),
    ],
)
def test_a_head_that_can_be_read_in_two_ways_is_refused(
    server: Running, lines: tuple[str, ...]
) -> None:
    answer = exchange(server.url, head(server.url, "POST /login", *lines) + b"hello", timeout=5)
    assert status(answer) in (0, 400, 413, 415, 501)


@pytest.mark.parametrize("first", ["GET /health\r\n folded", "\x00", "GET", "PRI *"])
def test_what_is_no_request_is_refused(server: Running, first: str) -> None:
    assert status(exchange(server.url, head(server.url, first), timeout=5)) in (0, 400, 404, 405)


def test_line_ends_in_what_is_given_start_no_header(api: httpx2.Client) -> None:
    for path in ("/login?next=%0d%0aSet-Cookie:%20a=b", "/%0d%0aX-Evil:%201"):
        answer = api.get(path, headers={"accept": "text/html"})
        assert "x-evil" not in answer.headers
        assert "set-cookie" not in answer.headers


def test_a_compressed_body_is_not_unpacked(server: Running, api: httpx2.Client) -> None:
    before = _memory(server)
    bomb = gzip.compress(b"0" * (200 << 20))
    answer = api.post(
        "/login", content=bomb,
        headers={
            "content-encoding": "gzip", "content-type": "application/x-www-form-urlencoded",
        },
    )  # fmt: skip
    assert 400 <= answer.status_code < 500
    assert _memory(server) - before < 30 << 20


def test_slow_heads_are_hung_up_on_and_hold_nobody_up(hasty: Running) -> None:
    slow = [connect(hasty.url) for _ in range(100)]
    try:
        for connection in slow:
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n")
        began = time.monotonic()
        assert httpx2.get(f"{hasty.url}/health").status_code == 200
        assert time.monotonic() - began < 1
        for connection in slow:
            answer = connection.recv(1000)
            assert answer == b"" or status(answer) == 408
        assert time.monotonic() - began < 5
    finally:
        for connection in slow:
            connection.close()


def test_a_head_that_comes_by_drops_is_hung_up_on(hasty: Running) -> None:
    with connect(hasty.url) as connection:
        began = time.monotonic()
        try:
            for letter in b"GET /health HTTP/1.1\r\nX: " + b"a" * 1000:
                connection.sendall(bytes([letter]))
                time.sleep(0.05)
        except OSError:
            pass
        assert time.monotonic() - began < 5


def test_a_body_that_stops_is_answered_and_its_connection_closed(hasty: Running) -> None:
    start = head(
        hasty.url, "POST /login", "Content-Length: 100",
        "Content-Type: application/x-www-form-urlencoded",
    )  # fmt: skip
    began = time.monotonic()
    answer = exchange(hasty.url, start + b"name=a")
    assert status(answer) == 408
    assert b"slow-body" in answer
    assert time.monotonic() - began < 5


def test_slow_bodies_hold_nobody_up(hasty: Running) -> None:
    start = head(
        hasty.url, "POST /login", "Content-Length: 100",
        "Content-Type: application/x-www-form-urlencoded",
    )  # fmt: skip

    def slow(_: int) -> int:
        return status(exchange(hasty.url, start + b"n"))

    with ThreadPoolExecutor(60) as pool:
        answers = pool.map(slow, range(60))
        time.sleep(0.3)
        began = time.monotonic()
        with hasty.client() as client:
            assert client.get("/api/v1/models").status_code == 200
        assert time.monotonic() - began < 3
        assert set(answers) <= {0, 408}
