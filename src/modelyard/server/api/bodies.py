"""Large bodies: written into a file as they come, after it is known who sends them."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from modelyard.errors import InvalidInput, Unavailable
from modelyard.server.auth import again
from modelyard.store.interface import NO_ROOM

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.server.state import Ask

__all__ = ["LARGEST", "received"]

LARGEST = 1 << 40
"""Bytes of a file that is sent whole."""


@contextmanager
def received(ask: Ask, *types: str) -> Iterator[Path]:
    """The body in a file, in a folder of its own, both of which go afterwards.

    InvalidInput: `wrong-media-type` if it is none of these, `empty-body`. What `auth.again` raises:
    whoever began to send may not any more.
    """
    given = ask.request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given not in types:
        raise InvalidInput("wrong-media-type", f"the body is to be {' or '.join(types)}")
    with tempfile.TemporaryDirectory(prefix="yard-body-") as room:
        file = Path(room) / "body"
        try:
            with file.open("xb") as out:
                size = sum(out.write(piece) for piece in ask.body())
        except OSError as error:
            kind = "disk-full" if error.errno in NO_ROOM else "dest-io"
            raise Unavailable(kind, f"the server can't take the body: {error.strerror}") from error
        if not size:
            raise InvalidInput("empty-body", "the request has no body")
        again(ask)
        yield file
