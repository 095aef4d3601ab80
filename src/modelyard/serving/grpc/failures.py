"""What goes wrong, as states of gRPC: the ones that Triton gives for the same."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

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
from modelyard.serving.failures import retry_after

if TYPE_CHECKING:
    import grpc

__all__ = ["code_of", "sentence_of", "trailers_of"]

_LOG = logging.getLogger("modelyard.serving")
_CODES: Final[tuple[tuple[type[ModelyardError], str], ...]] = (
    (InvalidInput, "INVALID_ARGUMENT"), (NotFound, "NOT_FOUND"), (Conflict, "FAILED_PRECONDITION"),
    (Denied, "PERMISSION_DENIED"), (Unavailable, "UNAVAILABLE"), (Unsupported, "UNIMPLEMENTED"),
    (Corrupt, "DATA_LOSS"),
)  # fmt: skip
_KINDS: Final = {
    "not-signed-in": "UNAUTHENTICATED", "bad-token": "UNAUTHENTICATED",
    "too-many-requests": "RESOURCE_EXHAUSTED", "body-too-large": "RESOURCE_EXHAUSTED",
    "deadline": "DEADLINE_EXCEEDED", "not-loadable": "INTERNAL",
}  # fmt: skip


def code_of(error: BaseException) -> grpc.StatusCode:
    """INTERNAL for what is nobody's purpose."""
    import grpc

    if not isinstance(error, ModelyardError):
        return grpc.StatusCode.INTERNAL
    name = _KINDS.get(error.kind)
    if name is None:
        name = next((code for kind, code in _CODES if isinstance(error, kind)), "INTERNAL")
    return grpc.StatusCode[name]


def sentence_of(error: BaseException, number: str) -> str:
    """For people; what was not raised on purpose goes to the log instead."""
    if isinstance(error, ModelyardError):
        return error.message if error.hint is None else f"{error.message} ({error.hint})"
    _LOG.error("request %s", number, exc_info=error)
    return "the server failed; its log tells more"


def trailers_of(error: BaseException) -> tuple[tuple[str, str], ...]:
    """The kind of the error, and when it is worth to come again."""
    if not isinstance(error, ModelyardError):
        return (("modelyard-kind", "failed"),)
    found: tuple[tuple[str, str], ...] = (("modelyard-kind", error.kind),)
    seconds = retry_after(error)
    if seconds is None:
        return found
    return (*found, ("retry-after", str(seconds)), ("grpc-retry-pushback-ms", str(seconds * 1000)))
