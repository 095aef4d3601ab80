"""The text of tokens, cookies and links. None of them is kept: only the SHA-256 of its secret.

A token is `yard_ID_SECRETCHECK`: the number of its row, 32 random bytes, and a checksum of all
before it, so that a mistyped token, and text that is none, costs no query.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import zlib

__all__ = ["digest_of", "fresh", "read_token", "token_text"]

_TOKEN = re.compile(r"(yard_([1-9][0-9]{0,17})_([A-Za-z0-9_-]{43}))([A-Za-z0-9_-]{6})\Z", re.ASCII)


def fresh() -> str:
    """256 random bits in 43 characters."""
    return _text(os.urandom(32))


def digest_of(secret: str) -> bytes:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode()).digest()


def token_text(key: int, secret: str) -> str:
    """The token as people get it, once."""
    body = f"yard_{key}_{secret}"
    return body + _check(body)


def read_token(text: str) -> tuple[int, str] | None:
    """Row and secret of a token; None if the text can't be one."""
    found = _TOKEN.match(text)
    if found is None or _check(found[1]) != found[4]:
        return None
    return int(found[2]), found[3]


def _check(body: str) -> str:
    return _text(zlib.crc32(body.encode()).to_bytes(4, "big"))


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
