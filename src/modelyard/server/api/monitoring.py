"""Monitoring: what deployments do, references, what was true, and a stream of what changes."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Any

from fastapi import Body as InBody
from fastapi import Query
from pydantic import Field
from starlette.responses import Response

from modelyard.core.monitoring import FeedbackSummary, Monitor, Overview, ProfileInfo, Series
from modelyard.core.trust import TRUST_ALL
from modelyard.core.truths import read_truths
from modelyard.core.watching import Monitoring
from modelyard.core.wire import encode, problem_of
from modelyard.errors import InvalidInput, ModelyardError
from modelyard.registry.local_desk import LocalDesk
from modelyard.registry.watching.seeing import watched
from modelyard.server.api.deployments import Deployed
from modelyard.server.api.inputs import Body, ModelName, Segment, revision_in
from modelyard.server.api.versions import LATER
from modelyard.server.auth import again
from modelyard.server.datasets import check_dataset
from modelyard.server.routing import SIGNED_IN, Answer, Routes, on_model, on_yard
from modelyard.server.shared import Slot, sight_of
from modelyard.server.sse import Event, event_stream
from modelyard.server.state import Ask

__all__ = ["monitoring_of", "routes"]

routes = Routes("monitoring")

_EVERY = 2.0
"""Seconds between two looks for a stream."""
_LARGEST_FEEDBACK = 1 << 34
_EPOCH, _END = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)

Since = Annotated[
    datetime | None, Query(description="Beginning of the window. Default: an hour before its end.")
]
Until = Annotated[datetime | None, Query(description="End of the window. Default: now.")]
Names = Annotated[
    list[str],
    Query(
        max_length=200, examples=[["requests", "drift.age"]],
        description="Of the series, repeated or with commas; none: all.",
    ),
]  # fmt: skip
Text = Annotated[str, Field(min_length=1, max_length=400)]

_TRUTHS: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["request", "truth"],
                        "properties": {
                            "request": {"type": "string", "maxLength": 400},
                            "row": {"type": "integer", "minimum": 0, "maximum": 1 << 30},
                            "truth": {"type": ["string", "number"]},
                        },
                        "additionalProperties": False,
                    },
                },
                "example": [{"request": "5f0c", "truth": "good"}],
            },
            "application/jsonl": {"schema": {"type": "string"}},
            "text/csv": {"schema": {"type": "string"}},
        },
    }
}
_PACKED: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/msgpack": {"schema": {"type": "string", "format": "binary"}}},
    }
}
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "`monitor` with a Monitor whenever it is another one, until one side ends"
        " the stream; `failed` with a Problem.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


class Profiling(Body):
    """What a version is asked about for its reference."""

    data: Text = Field(examples=["data/loans@3"], description="`MODEL@REV` of a dataset.")
    target: Text | None = Field(None, description="The column with the truth, if there is one.")
    groups: list[Text] = Field(default_factory=list, max_length=16)
    trusted: list[Text] = Field(
        default_factory=list, max_length=1000,
        description="Names that loading may import; `*` is everything.",
    )  # fmt: skip


def monitoring_of(ask: Ask) -> Monitoring:
    """Monitoring as the caller may see it."""
    from modelyard.monitoring.local import LocalMonitoring

    return LocalMonitoring(ask.house)


@routes.get("/monitoring", needs=on_yard("none"), answers=list[Overview])
def list_monitored(ask: Ask) -> list[Overview]:
    """How all deployments that the caller may see are, worst first."""
    return list(monitoring_of(ask).fleet())


@routes.get("/deployments/{deployment}/monitoring", needs=on_yard("none"), answers=Monitor)
def show_monitoring(
    ask: Ask, deployment: Deployed, *, since: Since = None, until: Until = None
) -> Monitor:
    """All that is known of a deployment in a window: the last hour if nothing else is said."""
    begin, end = _window(since, until)
    return monitoring_of(ask).look(deployment, since=begin, until=end)


@routes.get(
    "/deployments/{deployment}/monitoring/series", needs=on_yard("none"), answers=list[Series]
)
def monitoring_series(
    ask: Ask,
    deployment: Deployed,
    *,
    name: Names = [],  # noqa: B006 - FastAPI copies it
    since: Since = None,
    until: Until = None,
    steps: Annotated[int, Query(ge=1, le=1000, description="Points of each, at most.")] = 60,
) -> list[Series]:
    """Numbers over time, such as `requests`, `latency_p99`, `drift.age`, `accuracy`."""
    begin, end = _window(since, until)
    names = [each for given in name for each in given.split(",") if each]
    found = monitoring_of(ask).series(deployment, names, since=begin, until=end, steps=steps)
    return list(found)


@routes.get(
    "/deployments/{deployment}/monitoring/stream", needs=on_yard("none"), responses=_STREAM,
    seconds=math.inf,
)  # fmt: skip
def stream_monitoring(
    ask: Ask,
    deployment: Deployed,
    *,
    window: Annotated[
        int, Query(ge=60, le=86_400 * 31, description="Seconds up to now that are looked at.")
    ] = 3600,
) -> Response:
    """How a deployment is, now and whenever that changes, as server-sent events.

    It is looked at every two seconds, or less often if that takes long. An account may have 20
    streams at once (`too-many-streams`).
    """
    watched(ask.house, deployment)  # NotFound as an answer, before the stream begins
    slot = ask.server.shared.slot(ask.caller)
    return event_stream(ask.server, _changes(ask, deployment, timedelta(seconds=window), slot))


@routes.post(
    "/deployments/{deployment}/feedback", needs=SIGNED_IN, answers=FeedbackSummary, extra=_TRUTHS,
    largest_body=_LARGEST_FEEDBACK, seconds=math.inf,
)  # fmt: skip
def send_feedback(ask: Ask, deployment: Deployed) -> FeedbackSummary:
    """What was true of requests, by their ids; what is sent again changes nothing.

    The body is a list in JSON, or as long as you like as JSON lines or as CSV with the columns
    `request`, `truth` and perhaps `row`. A request with several rows names the `row` (from 0) of
    each truth. It takes the role writer for every model that is deployed.
    """
    kind = ask.request.headers.get("content-type", "")
    return monitoring_of(ask).feedback(deployment, read_truths(ask.body(), kind))


# -- references ------------------------------------------------------------------------------------


@routes.get(
    "/models/{model}/versions/{revision}/profile", needs=on_model("reader"), answers=ProfileInfo
)
def show_profile(ask: Ask, model: ModelName, revision: Segment) -> ProfileInfo:
    """What a version's traffic is compared with."""
    return monitoring_of(ask).profile(model, revision_in(revision))


@routes.post(
    "/models/{model}/versions/{revision}/profile", needs=on_model("writer"), answers=ProfileInfo,
    responses=LATER,
)  # fmt: skip
def make_profile(
    ask: Ask, model: ModelName, revision: Segment, body: Annotated[Profiling, InBody()]
) -> Answer:
    """Ask a version about every row of a dataset, and keep what that says as its reference."""
    check_dataset(ask, body.data)
    watching = monitoring_of(ask)
    trusted: Any = TRUST_ALL if body.trusted == ["*"] else body.trusted or None

    def work(_: Any) -> ProfileInfo:
        return watching.make_profile(
            model, revision_in(revision), body.data, target=body.target, groups=body.groups,
            trusted=trusted,
        )  # fmt: skip

    return ask.server.jobs.run(ask, "profile", [model], work)


@routes.put(
    "/models/{model}/versions/{revision}/profile", needs=on_model("writer"), answers=ProfileInfo,
    extra=_PACKED,
)  # fmt: skip
def keep_profile(ask: Ask, model: ModelName, revision: Segment) -> ProfileInfo:
    """Keep a reference that was made elsewhere. A better one stays: of data, then an evaluation.

    The body is msgpack: `info` as it is told, and `body` as docs/spec/tile-1.md packs it.
    """
    from modelyard.monitoring.observing import keep_sent

    number = ask.yard.resolve(model, revision_in(revision)).number
    return keep_sent(LocalDesk(ask.house), model, number, b"".join(ask.body()))


# -- how -------------------------------------------------------------------------------------------


def _window(since: datetime | None, until: datetime | None) -> tuple[Any, Any]:
    """Both in UTC, which is meant where nothing is said. InvalidInput: `bad-window`."""
    begin, end = (
        None if time is None else time.replace(tzinfo=time.tzinfo or UTC) for time in (since, until)
    )
    for time_ in (begin, end):
        if time_ is not None and not _EPOCH <= time_ <= _END:
            raise InvalidInput("bad-window", f"{time_} is no time of a window")
    if begin is not None and end is not None and begin >= end:
        raise InvalidInput("bad-window", "a window ends after it begins")
    return begin, end


def _look(ask: Ask, name: str, window: timedelta) -> Monitor:
    now = datetime.now(UTC)
    return monitoring_of(ask).look(name, since=now - window, until=now)


def _changes(ask: Ask, name: str, window: timedelta, _slot: Slot) -> Iterator[list[Event]]:
    """A look every few seconds, told if it is another one; the caller may lose the right to it.

    Callers who may see the same share it.
    """
    told, due = b"", 0.0
    while True:
        if time.monotonic() < due:
            yield []
            continue
        due = time.monotonic() + _EVERY
        try:
            asked = again(ask)
            at = watched(asked.house, name)
            key = ("look", at.id, at.generation, window, sight_of(asked.caller))
            found = ask.server.shared.of(key, _EVERY, partial(_look, asked, name, window))
        except ModelyardError as error:
            yield [Event("failed", problem_of(error))]
            return
        seen = encode(replace(found, since=_EPOCH, until=_EPOCH))
        yield [Event("monitor", found)] if seen != told else []
        told = seen
