"""What pymongo raises, as errors of ours."""

from __future__ import annotations

import os
import re

from pymongo import errors as mongo

from modelyard.errors import Denied, ModelyardError, Unavailable

__all__ = ["is_of_driver", "is_passing", "translated"]

_CREDENTIALS = (11, 18, 334)  # UserNotFound, AuthenticationFailed, mechanism unknown
_RIGHTS = (13, 8000)  # Unauthorized, Atlas' own
_FULL = (14031,)  # OutOfDiskSpace
_PASSING = (
    6, 7, 24, 64, 89, 91, 112, 117, 133, 134, 189, 202, 262, 290, 358,
    9001, 10107, 11600, 11602, 13388, 13435, 13436,
)  # fmt: skip
"""Network, election, shutdown, write conflict and write concern timeouts."""


def is_of_driver(error: BaseException) -> bool:
    return isinstance(error, mongo.PyMongoError)


def is_passing(error: BaseException, *, has_answered: bool) -> bool:
    """Whether the same call may work in a moment; of a server that has answered, more may."""
    if isinstance(error, mongo.ServerSelectionTimeoutError):
        return has_answered  # else pymongo has tried for long enough
    if isinstance(error, mongo.ConnectionFailure | mongo.CursorNotFound):
        return True
    if isinstance(error, mongo.OperationFailure):
        return error.code in _PASSING or error.has_error_label("RetryableWriteError")
    return False


def translated(error: BaseException, place: str) -> ModelyardError:
    """The error of ours that says what `error` means at `place` (a URL without credentials)."""
    text = _text(error)
    if secret := os.environ.get("YARD_STORE_PASSWORD"):
        text = text.replace(secret, "***")
    code = error.code if isinstance(error, mongo.OperationFailure) else None
    if code in _CREDENTIALS:
        return Denied(
            "store-credentials", f"{place} does not accept the credentials: {text}",
            hint="give them in YARD_STORE_USER and YARD_STORE_PASSWORD",
        )  # fmt: skip
    if code in _RIGHTS:
        return Denied(
            "store-permission", f"{place}: {text}",
            hint="the user needs the role readWrite on this database",
        )  # fmt: skip
    if code in _FULL or "no space left" in text.lower():
        return Unavailable(
            "disk-full", f"{place} is full: {text}",
            hint="free some space, then run the command again",
        )  # fmt: skip
    if isinstance(error, mongo.ConnectionFailure | mongo.ConfigurationError) or is_passing(
        error, has_answered=True
    ):
        return Unavailable(
            "store-unavailable", f"{place} does not answer: {text}",
            hint="is the server running, and are host and port right?",
        )  # fmt: skip
    return Unavailable("store-io", f"{place}: {text}")


def _text(error: BaseException) -> str:
    details = error.details if isinstance(error, mongo.OperationFailure) else None
    found = details or {}
    if found.get("writeErrors"):  # its own text would show the documents
        found = found["writeErrors"][0]
    said = str(found.get("errmsg") or error)
    return " ".join(re.split(r", Timeout:| \(configured timeouts:", said)[0].split())[
        :300
    ]  # then the topology follows
