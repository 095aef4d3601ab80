"""Large bodies between a socket and a handler's thread: slow, broken and pipelined ones."""

from __future__ import annotations

import os
import socket
import time
from urllib.parse import urlsplit

import pytest
from tests.server.running import running
from tests.server.sending import Sender, body_of, cut, random_file

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wire") / "yard"
    with running(folder, patience=1.5) as server:
        yield server


@pytest.fixture
def sender(one):
    with one.client() as client:
        yield Sender(client, f"t/m{os.urandom(4).hex()}")


@pytest.fixture
def plug(one):
    parts = urlsplit(one.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as opened:
        yield opened


def head(one, method, path, **headers):
    said = {"host": urlsplit(one.url).netloc, "authorization": f"Bearer {one.token}", **headers}
    lines = [f"{method} {path} HTTP/1.1", *(f"{k.replace('_', '-')}: {v}" for k, v in said.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def answer(plug):
    """Status, and what came of the body with the head."""
    got = b""
    while b"\r\n\r\n" not in got:
        more = plug.recv(65536)
        assert more, got
        got += more
    lines, _, body = got.partition(b"\r\n\r\n")
    return int(lines.split()[1]), lines.lower(), body


def stored(sender, size=20 << 20):
    frames = cut(random_file(size))
    for i in range(0, len(frames), 8):
        sender.send(frames[i : i + 8], i // 8)
    assert sender.finish({"w.bin": frames}).status_code == 201
    return sender.layout(1)


def ask_for_all(one, sender, layout):
    path = f"{sender.place}/versions/1/encoded"
    return head(
        one, "GET", path, range=f"bytes=0-{layout.size - 1}", if_match=f'"{layout.etag}"'
    )  # fmt: skip


def test_a_slow_reader_gets_everything_and_may_ask_again(one, sender, plug):
    layout = stored(sender)
    fast = sender.encoded(1, layout.etag, 0, layout.size).content
    for _ in range(2):
        plug.sendall(ask_for_all(one, sender, layout))
        status, _, body = answer(plug)
        got = bytearray(body)
        waits = 0
        while len(got) < layout.size:
            if waits < 12 and len(got) > waits * 1_500_000:
                time.sleep(0.1)
                waits += 1
            got += plug.recv(1 << 18)
        assert status == 206
        assert got == fast


def test_many_slow_readers_leave_room_for_others(one, sender):
    layout = stored(sender)
    parts = urlsplit(one.url)
    plugs = [socket.create_connection((parts.hostname, parts.port)) for _ in range(60)]
    try:
        for plug in plugs:
            plug.sendall(ask_for_all(one, sender, layout))
        time.sleep(1.0)
        began = time.monotonic()
        assert sender.client.get("/api/v1/models").status_code == 200
        assert time.monotonic() - began < 5
    finally:
        for plug in plugs:
            plug.close()


def test_a_reader_that_leaves_is_no_error(one, sender, plug):
    layout = stored(sender)
    plug.sendall(ask_for_all(one, sender, layout))
    answer(plug)
    plug.close()
    time.sleep(0.5)
    assert sender.encoded(1, layout.etag, 0, layout.size).status_code == 206
    assert "Traceback" not in one.log_text()
    assert "Exception" not in one.log_text()


def test_after_a_large_body_the_connection_serves_the_next_request(one, sender, plug):
    for part in range(2):
        body = body_of(cut(random_file(6 << 20)))
        path = f"{sender.place}/chunks?session={sender.session}&part={part}"
        following = head(one, "GET", "/health")
        plug.sendall(head(one, "POST", path, content_length=len(body)) + body + following)
        got = b""
        while got.count(b"HTTP/1.1 200") < 2 or not got.endswith(b"}"):
            more = plug.recv(65536)
            assert more, got
            got += more


def test_a_large_body_that_stops_is_refused_and_the_connection_ends(one, sender, plug):
    body = body_of(cut(random_file(6 << 20)))
    path = f"{sender.place}/chunks?session={sender.session}&part=0"
    plug.sendall(head(one, "POST", path, content_length=len(body)) + body[: 3 << 20])
    status, lines, _ = answer(plug)
    assert status == 408
    assert b"connection: close" in lines
    while plug.recv(65536):
        pass


def test_a_sender_that_leaves_in_the_middle_is_no_error(one, sender, plug):
    body = body_of(cut(random_file(6 << 20)))
    path = f"{sender.place}/chunks?session={sender.session}&part=0"
    plug.sendall(head(one, "POST", path, content_length=len(body)) + body[: 3 << 20])
    plug.close()
    time.sleep(0.5)
    assert sender.client.get("/health").status_code == 200
    assert "Traceback" not in one.log_text()
