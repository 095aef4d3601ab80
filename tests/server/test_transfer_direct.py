"""Versions read from the store itself, by URLs that the server signs for those who may."""

from __future__ import annotations

import json
import os
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx2
import msgspec
import pytest
from tests.server.running import running
from tests.server.sending import random_file
from tests.server.test_transfer_secrets import member

from modelyard.client.addresses import Address
from modelyard.client.connection import Connection
from modelyard.client.direct import is_taken
from modelyard.client.reading import layout as layout_of
from modelyard.client.remote import RemoteYard
from modelyard.client.shelf import RemoteBackend, RemoteIndex
from modelyard.core.transferring import Layout, decode_packed
from modelyard.registry import create

pytestmark = pytest.mark.slow


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "w.bin").write_bytes(random_file(9 << 20))
    return folder


@contextmanager
def served(tmp_path, s3_url, source, *words):
    """A server of a yard on S3 with one version, and a yard there as its admin sees it."""
    with create(tmp_path / "yard", store=s3_url) as yard:
        yard.commit("m", source)
    around = {"HOME": str(tmp_path), "YARD_CACHE_SIZE": "0"}
    with (
        running(tmp_path / "yard", *words) as server,
        RemoteYard.at(server.url, token=server.token, environment=around) as yard,
    ):
        yield server, yard


def ranges_of(server):
    """How many ranges the server was asked for."""
    lines = [json.loads(line) for line in server.log_text().splitlines() if line.startswith("{")]
    return sum(str(line.get("route", "")).endswith("/encoded") for line in lines)


def test_who_may_read_everything_reads_from_the_store(tmp_path, s3_url, source):
    with served(tmp_path, s3_url, source) as (server, yard):
        yard.checkout("m", None, tmp_path / "out")
        told = layout_of(yard.desk.connection, "m", 1)
        assert (tmp_path / "out" / "w.bin").read_bytes() == (source / "w.bin").read_bytes()
        assert told.direct
        assert ranges_of(server) == 0
        assert server.token not in "".join(each.url for each in told.direct)


def test_the_urls_read_what_the_layout_says(tmp_path, s3_url, source):
    with served(tmp_path, s3_url, source) as (server, yard), server.client() as client:
        told = layout_of(yard.desk.connection, "m", 1)
        assert sorted(i for each in told.direct for i, _ in each.chunks) == [
            *range(len(told.chunks))
        ]
        for each in told.direct:
            number, offset = each.chunks[0]
            chunk = told.chunks[number]
            said = {"range": f"bytes={offset}-{offset + chunk.length - 1}"}
            there = httpx2.get(each.url, headers=said)
            last = chunk.start + chunk.length - 1
            said = {"range": f"bytes={chunk.start}-{last}", "if-match": f'"{told.etag}"'}
            here = client.get("/api/v1/models/m/versions/1/encoded", headers=said)
            assert (there.status_code, there.content) == (206, here.content)


def test_a_server_can_be_told_to_sign_nothing(tmp_path, s3_url, source):
    with served(tmp_path, s3_url, source, "--no-direct") as (server, yard):
        yard.checkout("m", None, tmp_path / "out")
        assert (tmp_path / "out" / "w.bin").read_bytes() == (source / "w.bin").read_bytes()
        assert layout_of(yard.desk.connection, "m", 1).direct == []
        assert ranges_of(server) > 0


def test_who_may_not_read_every_model_gets_no_url(tmp_path, s3_url, source):
    with served(tmp_path, s3_url, source) as (server, _), server.client() as api:
        name = f"bob{os.urandom(3).hex()}"
        with member(server, api, name, {"m": "admin"}) as bob:
            token = bob.headers["authorization"].removeprefix("Bearer ")
        with RemoteYard.at(server.url, token=token, environment={"HOME": str(tmp_path)}) as yard:
            assert layout_of(yard.desk.connection, "m", 1).direct == []


def test_an_encrypted_yard_signs_nothing(tmp_path, s3_url, source):
    with create(tmp_path / "yard", store=s3_url, key=str(tmp_path / "key")) as yard:
        yard.commit("m", source)
    with running(tmp_path / "yard") as server, server.client() as client:
        answer = client.get("/api/v1/models/m/versions/1/layout")
        assert decode_packed(answer.content, Layout).direct == []


class _Refusing(BaseHTTPRequestHandler):
    """A store that lets nobody read, and remembers what it was shown."""

    def do_GET(self):
        self.server.shown.append(dict(self.headers))
        self.send_response(403)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def refusing():
    with ThreadingHTTPServer(("127.0.0.1", 0), _Refusing) as server:
        server.shown = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_what_the_store_refuses_comes_from_the_server_and_no_token_goes_there(
    tmp_path, s3_url, source, refusing
):
    with served(tmp_path, s3_url, source) as (server, _):
        connection = Connection(Address.parse(server.url), server.token)
        told = layout_of(connection, "m", 1)
        wrong = f"http://127.0.0.1:{refusing.server_address[1]}/pack"
        bad = [msgspec.structs.replace(each, url=wrong) for each in told.direct]
        index = RemoteIndex(connection, lambda model, number: told)
        good = index.add("m", 1, "c", msgspec.structs.replace(told, direct=[]))
        placed = index.add("m", 1, "d", msgspec.structs.replace(told, direct=bad))
        backend = RemoteBackend(connection, index)
        for row, same in zip(placed.rows[:-1], good.rows[:-1], strict=True):
            assert row.pack != placed.key
            got = backend.get(row.pack, row.start, row.start + row.length)
            assert got == backend.get(same.pack, same.start, same.start + same.length)
        near = sorted(
            (row for row in placed.rows if row.pack == placed.rows[0].pack), key=lambda r: r.start
        )
        first, last = near[0].start, near[-1].start + near[-1].length
        whole = bytes(backend.get(near[0].pack, first, last))
        for row in near:
            piece = whole[row.start - first : row.start - first + row.length]
            assert piece == backend.get(row.pack, row.start, row.start + row.length)
        connection.close()
        assert len(refusing.shown) == 1, "one failure is enough for a while"
        assert "authorization" not in {name.lower() for name in refusing.shown[0]}


@pytest.mark.parametrize(
    ("server", "url", "taken"),
    [
        ("https://y.org", "https://s3.org/b?sig=1", True),
        ("https://y.org", "http://s3.org/b", False),
        ("http://localhost", "http://s3.org/b", True),
        ("http://localhost", "file:///etc/passwd", False),
        ("http://localhost", "http://user:word@s3.org/b", False),
        ("http://localhost", "http://[", False),
    ],
)
def test_urls_that_are_opened(server, url, taken):
    assert is_taken(Address.parse(server), url) is taken
