"""What the tests' own HTTP servers share: requests, answers, ranges, objects in memory."""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
import threading
import time
import urllib.parse
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["Answer", "Handler", "Object", "Refused", "main", "ranged", "serve"]


@dataclass
class Object:
    """Some bytes that a server keeps."""

    data: bytes
    modified: float = field(default_factory=time.time)

    @property
    def md5(self) -> str:
        return hashlib.md5(self.data, usedforsecurity=False).hexdigest()

    @property
    def headers(self) -> dict[str, str]:
        """What every server of objects tells of one."""
        return {
            "ETag": f'"{self.md5}"',
            "Last-Modified": formatdate(self.modified, usegmt=True),
            "Content-Type": "application/octet-stream",
            "Accept-Ranges": "bytes",
        }


@dataclass
class Answer:
    """What is sent back."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


class Refused(Exception):
    """The request can't be done; each server words it in its own way."""

    def __init__(self, status: int, code: str, message: str = "") -> None:
        super().__init__(code)
        self.status, self.code, self.message = status, code, message or code


def ranged(found: Object, wanted: str | None) -> Answer:
    """An object, or the part of it that a Range header asks for."""
    size = len(found.data)
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", wanted or "")
    if not match or match.groups() == ("", ""):
        return Answer(200, found.data, found.headers)
    first, last = match.groups()
    start = int(first) if first else max(0, size - int(last))
    end = min(int(last), size - 1) if first and last else size - 1
    if start >= size:
        raise Refused(416, "InvalidRange", f"the object has {size} bytes")
    headers = {**found.headers, "Content-Range": f"bytes {start}-{end}/{size}"}
    return Answer(206, found.data[start : end + 1], headers)


class Handler(BaseHTTPRequestHandler):
    """One connection; a server overrides `respond` and `refuse`."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    lock = threading.RLock()
    path_only: str
    """The path, percent-decoded."""
    query: dict[str, str]
    body: bytes

    def respond(self) -> Answer:
        raise NotImplementedError

    def refuse(self, refused: Refused) -> Answer:
        return Answer(refused.status, refused.message.encode())

    def handle_request(self) -> None:
        self.body = self._read_body()
        if self.path.startswith("http://"):  # as clients write it that go through a proxy
            host, _, rest = self.path[7:].partition("/")
            self.headers.replace_header("Host", host)
            self.path = f"/{rest}"
        path, _, query = self.path.partition("?")
        self.path_only = urllib.parse.unquote(path)
        self.query = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        try:
            with self.lock:
                answer = self.respond()
        except Refused as refused:
            answer = self.refuse(refused)
        self._send(answer)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_request
    do_PROPFIND = do_MKCOL = do_MOVE = do_COPY = handle_request

    def _read_body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(parts)

    def _send(self, answer: Answer) -> None:
        self._send_head(answer)
        if self.command != "HEAD" and answer.body:
            self.wfile.write(answer.body)

    def _send_head(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        known = any(name.lower() == "content-length" for name in answer.headers)
        if not known and answer.status != 204:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()

    def log_message(self, *words: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *words: Any) -> None:
        """A client that hangs up is no news; the log keeps what else happens."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(*words)


def serve(handler: type[Handler], port: int = 0) -> ThreadingHTTPServer:
    """A server of `handler` on 127.0.0.1 that listens; the caller runs `serve_forever`."""
    return _Server(("127.0.0.1", port), handler)


def main(handler: type[Handler]) -> None:
    """Serve until killed: `python -m tests.services.NAME --port PORT`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    with serve(handler, parser.parse_args().port) as server:
        server.serve_forever()
