"""Values as JSON: between server and client, and for `--json`. Errors as problems (RFC 9457)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import msgspec

from modelyard import errors
from modelyard.core.decoding import decode_json
from modelyard.errors import ModelyardError, Unavailable

__all__ = ["Problem", "builtins", "decode", "encode", "error_of", "problem_of"]

T = TypeVar("T")

_CLASSES: dict[str, type[ModelyardError]] = {
    name: getattr(errors, name) for name in errors.__all__ if name != "ModelyardError"
}
_STATUS = {
    "InvalidInput": 422, "NotFound": 404, "Conflict": 409, "Denied": 403, "Unavailable": 503,
    "Corrupt": 500, "Unsupported": 501,
}  # fmt: skip
_STATUS_OF_KIND = {
    "not-signed-in": 401, "bad-token": 401, "wrong-password": 401, "stale": 412,
    "too-large": 413, "unreadable-body": 400, "bad-request": 400, "too-many-requests": 429,
    "version-purged": 410, "timeout": 504, "no-route": 404, "wrong-method": 405,
    "wrong-media-type": 415, "wrong-host": 421,
}  # fmt: skip


class Problem(msgspec.Struct, kw_only=True, omit_defaults=True):
    """An error, as a server tells it: `application/problem+json`."""

    title: str
    """Which of our seven classes."""
    status: int
    detail: str
    """The sentence."""
    kind: str
    hint: str | None = None
    instance: str | None = None
    """Id of the request, which the server's log has too."""


def problem_of(error: ModelyardError, instance: str | None = None) -> Problem:
    """An error as a problem with an HTTP status."""
    title = next(name for name, cls in _CLASSES.items() if isinstance(error, cls))
    status = _STATUS_OF_KIND.get(error.kind, _STATUS[title])
    return Problem(
        title=title, status=status, detail=error.message, kind=error.kind, hint=error.hint,
        instance=instance,
    )  # fmt: skip


def error_of(data: bytes, status: int) -> ModelyardError:
    """The error that a server told; of an answer that is no problem, one that says so."""
    try:
        problem = decode_json(data, Problem)
        return _CLASSES[problem.title](problem.kind, problem.detail, hint=problem.hint)
    except (msgspec.MsgspecError, KeyError):
        return Unavailable(
            "strange-answer", f"the server answered with status {status}, and not as a yard does",
            hint="is it a modelyard server? look at its URL, and at proxies on the way",
        )  # fmt: skip


def encode(value: object) -> bytes:
    """One JSON document."""
    return msgspec.json.encode(value, enc_hook=_unusual)


def decode(data: bytes, cls: type[T]) -> T:
    """A value of this class; `Unavailable` `strange-answer` if the JSON is not one's."""
    try:
        return decode_json(data, cls)
    except msgspec.MsgspecError as error:
        raise Unavailable(
            "strange-answer", f"the server's answer can't be read: {error}",
            hint="server and client may be of different versions",
        ) from None  # fmt: skip


def builtins(value: object) -> Any:
    """Frozen values as JSON has them. Times are UTC; what JSON can't say becomes text."""
    return msgspec.to_builtins(value, enc_hook=_unusual, str_keys=True)


def _unusual(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Iterable):
        return list(value)
    return str(value)
