"""Requests as no client would send them: bytes on a socket."""

from __future__ import annotations

import socket
import time
from urllib.parse import urlsplit

__all__ = ["connect", "exchange", "head", "status"]


def connect(url: str, timeout: float = 20.0) -> socket.socket:
    """A connection to a server."""
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname, parts.port), timeout)


def head(url: str, first: str, *lines: str) -> bytes:
    """The head of a request: its first line, a Host, and what else is given."""
    told = "\r\n".join([f"{first} HTTP/1.1", f"Host: {urlsplit(url).netloc}", *lines])
    return told.encode("latin-1") + b"\r\n\r\n"


def exchange(url: str, *pieces: bytes, pause: float = 0.0, timeout: float = 20.0) -> bytes:
    """Send, and read until the server closes or has nothing more to say."""
    with connect(url, timeout) as connection:
        try:
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(pause)
        except OSError:
            pass  # it hung up while we sent; what it said is read below
        got = b""
        connection.settimeout(timeout)
        try:
            while data := connection.recv(65536):
                got += data
                if b"\r\n\r\n" in got and b"connection: close" not in got.lower():
                    break
        except OSError:
            pass
        return got


def status(answer: bytes) -> int:
    """Of an answer; 0 if the server closed without a word."""
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0
