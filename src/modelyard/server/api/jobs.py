"""Jobs: long work, to be asked about and waited for."""

from __future__ import annotations

import math
from typing import Annotated, Any

from fastapi import Query
from starlette.responses import Response

from modelyard.core.listed import Listed
from modelyard.server.jobs import Job
from modelyard.server.routing import SIGNED_IN, Routes
from modelyard.server.sse import event_stream
from modelyard.server.state import Ask

__all__ = ["routes"]

routes = Routes("jobs")

_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "`progress` with a Progress, then `done` with the result or `failed` with a"
        " Problem.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


@routes.get("/jobs", needs=SIGNED_IN, answers=Listed[Job])
def list_jobs(ask: Ask, *, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> Listed[Job]:
    """The caller's newest jobs; for an admin those of all accounts."""
    return Listed(tuple(ask.server.jobs.newest(ask.caller, limit)))


@routes.get("/jobs/{job}", needs=SIGNED_IN, answers=Job)
def show_job(ask: Ask, job: str) -> Job:
    """How far a job is, and in the end what it gave."""
    return ask.server.jobs.show(job, ask.caller)


@routes.get("/jobs/{job}/events", needs=SIGNED_IN, responses=_STREAM, seconds=math.inf)
def follow_job(ask: Ask, job: str) -> Response:
    """A job's progress as server-sent events, until it ends."""
    ask.server.jobs.show(job, ask.caller)
    return event_stream(ask.server, ask.server.jobs.events(job, ask.caller))
