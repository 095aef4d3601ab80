"""Errors as answers: RFC 9457 with our `kind` and `hint`, never a traceback."""

from __future__ import annotations

import logging
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.responses import Response

from modelyard.core.wire import Problem, encode, problem_of
from modelyard.errors import InvalidInput, ModelyardError

__all__ = ["MEDIA_TYPE", "PROBLEMS", "answer_to", "status_of"]

MEDIA_TYPE = "application/problem+json"

_log = logging.getLogger("modelyard.server")

_WHEN = {
    400: "The request can't be read.",
    401: "Not signed in, or with a token that is not valid.",
    403: "The caller may not do this.",
    404: "There is no such thing, or not for this caller.",
    409: "Somebody else was first, or two changes exclude each other.",
    412: "What If-Match names is not so any more.",
    405: "The path takes other methods.",
    408: "The body did not arrive in time.",
    410: "It was there, and is gone for good.",
    413: "The body is too large.",
    415: "The body is of a type that is not taken here.",
    421: "This server does not answer for that host.",
    422: "What was given can't be used as it is.",
    429: "Too many requests; Retry-After tells when to go on.",
    500: "Stored bytes are damaged, or the server has a fault; its log tells more.",
    501: "Not possible with this server.",
    503: "The store or the catalog does not answer now.",
    504: "Not done in time; it may be done all the same.",
}

PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {
        "description": words,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for status, words in _WHEN.items()
}
"""What any route may answer, for the OpenAPI document."""


def answer_to(error: BaseException, request_id: str | None, status: int | None = None) -> Response:
    """The problem that an error is for the caller; what is no error of ours is logged.

    Args:
        status: In place of the one that the error's kind has.
    """
    if isinstance(error, ClientDisconnect):  # nobody is there to read it
        error = InvalidInput("bad-request", "the body is cut")
    if isinstance(error, ModelyardError):
        problem = problem_of(error, request_id)
    else:
        _log.error("internal error", exc_info=error, extra={"request": request_id})
        problem = Problem(
            title="Unavailable", status=500, kind="internal", instance=request_id,
            detail="this should not have happened; the server's log tells more",
        )  # fmt: skip
    if status is not None:
        problem.status = status
    headers = {"cache-control": "no-store"}
    if problem.status == 401:
        headers["www-authenticate"] = 'Bearer realm="modelyard"'
    if problem.status in (429, 503):
        headers["retry-after"] = str(getattr(error, "seconds", 1))
    return Response(encode(problem), problem.status, headers, MEDIA_TYPE)


def status_of(error: ModelyardError) -> int:
    """The HTTP status that an error's kind has."""
    return problem_of(error).status
