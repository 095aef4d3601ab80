"""What goes wrong in the data plane, as answers."""

from __future__ import annotations

import math

import orjson

from modelyard.errors import (
    Conflict,
    Corrupt,
    Denied,
    InvalidInput,
    ModelyardError,
    NotFound,
    Unavailable,
    Unsupported,
)

__all__ = ["Late", "Overloaded", "body_of", "retry_after", "status_of"]

_STATUS: tuple[tuple[type[ModelyardError], int], ...] = (
    (InvalidInput, 400), (NotFound, 404), (Conflict, 409), (Denied, 403), (Unavailable, 503),
    (Unsupported, 501), (Corrupt, 500),
)  # fmt: skip
_KINDS = {
    "not-signed-in": 401, "bad-token": 401, "wrong-password": 401, "too-many-requests": 429,
    "body-too-large": 413, "deadline": 504, "wrong-method": 405, "wrong-media-type": 415,
    "too-slow": 408, "wrong-host": 421,
}  # fmt: skip


class Overloaded(Unavailable):
    """More waits than can be answered in time: come again in so many seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds = max(0.0, seconds)
        super().__init__(
            "overloaded", "more requests wait than can be answered in time",
            hint=f"come again in {max(1, math.ceil(self.seconds))} s",
        )  # fmt: skip

    def __reduce__(self) -> tuple[object, ...]:
        return (Overloaded, (self.seconds,))


class Late(Unavailable):
    """The deadline of a request passed before it was answered."""

    def __init__(self) -> None:
        super().__init__(
            "deadline", "the request's deadline passed before it was answered",
            hint="give it more time (x-deadline-ms), or come again when less is asked",
        )  # fmt: skip

    def __reduce__(self) -> tuple[object, ...]:
        return (Late, ())


def status_of(error: BaseException) -> int:
    """Of HTTP."""
    if isinstance(error, ModelyardError):
        if error.kind in _KINDS:
            return _KINDS[error.kind]
        return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    return 500


def retry_after(error: BaseException) -> int | None:
    """Seconds after which the same request may do better."""
    if isinstance(error, Late) or not isinstance(error, Unavailable):
        return None
    return max(1, math.ceil(min(getattr(error, "seconds", 1.0), 3600)))


def body_of(error: BaseException) -> bytes:
    """`{"error": ...}`, as the protocol wants it; with our kind and hint beside."""
    if not isinstance(error, ModelyardError):
        return b'{"error":"the server failed; its log tells more","kind":"failed"}'
    told = {"error": error.message, "kind": error.kind}
    if error.hint:
        told["hint"] = error.hint
    return orjson.dumps(told)
