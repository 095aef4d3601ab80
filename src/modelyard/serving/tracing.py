"""W3C Trace Context: a caller's trace goes on with a span of our own."""

from __future__ import annotations

import re
import secrets
from typing import Final

__all__ = ["Trace", "traced"]

_TRACE: Final = re.compile(rb"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")


class Trace(str):
    """The value of `traceparent` that we send on, with our span in it."""

    __slots__ = ("parent",)
    parent: str
    """The caller's span: 16 hex digits."""

    @property
    def id(self) -> str:
        """Of the trace: 32 hex digits."""
        return self[3:35]

    @property
    def span(self) -> str:
        """Ours: 16 hex digits."""
        return self[36:52]

    @property
    def sampled(self) -> bool:
        """Whether the caller records this trace."""
        return int(self[53:55], 16) & 1 == 1


def traced(given: bytes | None) -> Trace | None:
    """The caller's trace with a span of our own; None if it isn't one.

    Args:
        given: The value of `traceparent`, if there is one.
    """
    found = None if given is None else _TRACE.fullmatch(given)
    if found is None or found[1] == b"0" * 32 or found[2] == b"0" * 16:
        return None
    trace = Trace(f"00-{found[1].decode()}-{secrets.token_hex(8)}-{found[3].decode()}")
    trace.parent = found[2].decode()
    return trace
