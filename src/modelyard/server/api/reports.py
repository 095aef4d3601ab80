"""Reports: evaluations and other findings about versions; comparing and choosing by them."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, Any, Literal

import msgspec
from fastapi import Body as InBody
from fastapi import Query
from pydantic import Field
from starlette.responses import Response

from modelyard.core.decoding import decode_json, decode_packed
from modelyard.core.evaluation import Choice, Comparison, Evaluation, Report
from modelyard.core.listed import Listed
from modelyard.errors import Corrupt, InvalidInput
from modelyard.registry.access import known_name
from modelyard.registry.data import DataName
from modelyard.registry.outcomes import decode_outcomes
from modelyard.registry.pages import reports_page
from modelyard.registry.reports import evaluation_of, keep_report, outcomes_of
from modelyard.server.api.inputs import After, Body, Limit, ModelName, Name, Rev, RevisionQuery
from modelyard.server.ranges import BYTES, download
from modelyard.server.routing import Routes, on_model
from modelyard.server.state import Ask

__all__ = ["routes"]

routes = Routes("reports")

Kind = Literal["evaluation", "explanation", "profile", "optimization"]
Text = Annotated[str, Field(max_length=4096)]


class Data(msgspec.Struct, forbid_unknown_fields=True):
    """Which data: a name for people, and its SHA-256."""

    name: Annotated[str, msgspec.Meta(max_length=400)]
    digest: Annotated[str, msgspec.Meta(pattern="^(|[0-9a-f]{64})$")]


class Keeping(msgspec.Struct, forbid_unknown_fields=True):
    """A report that was made elsewhere."""

    kind: Kind
    content: dict[str, Any]
    revision: str | int | None = None
    data: Data | None = None
    suite: Annotated[str, msgspec.Meta(max_length=40)] = ""
    outcomes: bytes | None = None


class Comparing(Body):
    """Which versions are compared, and by what."""

    revisions: list[Rev] = Field(min_length=2, max_length=1000, examples=[[1, 2]])
    metric: Name | None = Field(None, examples=["accuracy"])
    data: Text | None = None
    higher: bool | None = None


class Choosing(Body):
    """What the best version is, and where to point an alias at it."""

    metric: Name = Field(examples=["accuracy"])
    where: Text = Field("", examples=["size<10MB"])
    alias: Name | None = None
    data: Text | None = None
    higher: bool | None = None


_KEEPING: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["kind", "content"],
                    "additionalProperties": False,
                    "properties": {
                        "kind": {
                            "enum": ["evaluation", "explanation", "profile", "optimization"]
                        },
                        "content": {"type": "object"},
                        "revision": {"type": ["string", "integer", "null"]},
                        "data": {
                            "type": ["object", "null"],
                            "required": ["name", "digest"],
                            "additionalProperties": False,
                            "properties": {
                                "name": {"type": "string", "maxLength": 400},
                                "digest": {"type": "string", "pattern": "^(|[0-9a-f]{64})$"},
                            },
                        },
                        "suite": {"type": "string", "maxLength": 40},
                        "outcomes": {
                            "type": ["string", "null"], "contentEncoding": "base64",
                            "description": "Columns by row, as docs/spec/journal-1.md packs them.",
                        },
                    },
                },
                "example": {
                    "kind": "evaluation", "revision": 1, "suite": "classification",
                    "content": {"measures": [{"name": "accuracy", "value": 0.9}]},
                },
            },
            "application/msgpack": {
                "schema": {"type": "string", "format": "binary"},
            },
        },
    }
}  # fmt: skip


@routes.get("/models/{model}/reports", needs=on_model("reader"), answers=Listed[Report])
def list_reports(
    ask: Ask,
    model: ModelName,
    *,
    revision: RevisionQuery = None,
    kind: Annotated[Kind | None, Query(description="Only these.")] = None,
    limit: Limit = 100,
    after: After = None,
) -> Listed[Report]:
    """Reports of a version, or of all that live, newest first."""
    return reports_page(ask.house, model, revision, kind, limit=limit, after=after)


@routes.get("/models/{model}/evaluations", needs=on_model("reader"), answers=Listed[Evaluation])
def list_evaluations(
    ask: Ask,
    model: ModelName,
    *,
    revision: RevisionQuery = None,
    limit: Limit = 100,
    after: After = None,
) -> Listed[Evaluation]:
    """Evaluations of a version, or of all that live, newest first."""
    page = reports_page(ask.house, model, revision, "evaluation", limit=limit, after=after)
    found = []
    for report in page.items:
        with suppress(Corrupt):
            found.append(evaluation_of(report))
    return Listed(tuple(found), page.next)


@routes.post(
    "/models/{model}/reports", needs=on_model("writer"), answers=Report, status=201,
    extra=_KEEPING,
)  # fmt: skip
def add_report(ask: Ask, model: ModelName) -> Report:
    """Keep what was found out about a version elsewhere; an evaluation's measures become metrics.

    The body may be msgpack too, and then holds `outcomes` as bytes.
    """
    given = _kept(ask)
    outcomes = None
    if given.outcomes is not None:
        try:
            outcomes = decode_outcomes(given.outcomes)
        except Corrupt as error:
            raise InvalidInput("bad-report", error.message) from None
    data = None if given.data is None else DataName(given.data.name, given.data.digest)
    return keep_report(
        ask.house, model, given.revision, given.kind, given.content, data=data,
        suite=given.suite, outcomes=outcomes,
    )  # fmt: skip


def _kept(ask: Ask) -> Keeping:
    content = b"".join(ask.body())
    kind = ask.request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if kind == "application/json":
            return decode_json(content, Keeping)
        if kind == "application/msgpack":
            return decode_packed(content, Keeping)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise InvalidInput("bad-report", f"the report can't be read: {error}") from None
    raise InvalidInput("wrong-media-type", "the body is to be JSON or msgpack")


@routes.get("/models/{model}/reports/{report}/outcomes", needs=on_model("reader"), responses=BYTES)
def download_outcomes(ask: Ask, model: ModelName, report: int) -> Response:
    """The rows behind a report, packed as docs/spec/journal-1.md says."""
    if not 0 < report < 1 << 62:
        raise InvalidInput("bad-report", f"{report} is no number of a report")
    data = outcomes_of(ask.house, model, report)
    return download(
        ask.request, size=len(data), read=lambda start, stop: data[start:stop],
        name=f"outcomes-{report}", etag=f'"{report}"',
    )  # fmt: skip


@routes.post("/models/{model}/compare", needs=on_model("reader"), answers=Comparison)
def compare(ask: Ask, model: ModelName, body: Annotated[Comparing, InBody()]) -> Comparison:
    """The latest evaluations of versions on one dataset, tested against the leader."""
    return ask.yard.compare(
        model, body.revisions, metric=body.metric, data=body.data, higher=body.higher
    )


@routes.post("/models/{model}/best", needs=on_model("reader"), answers=Choice)
def choose_best(ask: Ask, model: ModelName, body: Annotated[Choosing, InBody()]) -> Choice:
    """The best version by a metric; in a tie there is no winner.

    To point an alias at it takes the role writer.
    """
    if body.alias is not None:
        known_name(ask.house, ask.caller, model, "writer")
    return ask.yard.best(
        model, metric=body.metric, where=body.where, alias=body.alias, data=body.data,
        higher=body.higher,
    )  # fmt: skip
