"""The audit log: who did what, when, from where; before and after."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Annotated, Literal

from fastapi import Path, Query
from pydantic import BeforeValidator
from starlette.responses import Response, StreamingResponse

from modelyard.core.people import AuditFilter, AuditPage, ChainHead
from modelyard.core.trail import as_csv, as_json_lines
from modelyard.registry.access.desk import Desk
from modelyard.server.routing import SIGNED_IN, Routes, on_yard
from modelyard.server.state import Ask

__all__ = ["routes"]

routes = Routes("audit")

Model = Annotated[str | None, Query(min_length=1, max_length=200, description="A model.")]
Name = Annotated[str | None, Query(min_length=1, max_length=64)]
Action = Annotated[str | None, Query(min_length=1, max_length=40, examples=["alias", "sign-in"])]


def _no_number(text: object) -> object:
    """A number is no time, though pydantic would count seconds."""
    if isinstance(text, str) and text.lstrip("+-").replace(".", "", 1).isdigit():
        raise ValueError("a time is such as 2026-11-22T05:00:00Z")
    return text


Time = Annotated[
    datetime | None, BeforeValidator(_no_number), Query(description="UTC if no zone is said.")
]


@routes.get("/audit", needs=SIGNED_IN, answers=AuditPage)
def list_audit(
    ask: Ask,
    *,
    of: Model = None,
    account: Name = None,
    action: Action = None,
    since: Time = None,
    until: Time = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    after: Annotated[str | None, Query(max_length=20, pattern="^[0-9]{1,18}$")] = None,
) -> AuditPage:
    """Lines about models that the caller maintains, newest first; all for an admin of the yard.

    `next` of an answer is what `after` is to be for the page that follows.
    """
    wanted = AuditFilter(model=of, account=account, action=action, since=since, until=until)
    return Desk(ask.house).audit(wanted, limit=limit, after=after)


@routes.get(
    "/audit/export", needs=SIGNED_IN, seconds=math.inf,
    responses={200: {"description": "The lines.", "content": {
        "text/csv": {"schema": {"type": "string"}},
        "application/x-ndjson": {"schema": {"type": "string"}},
    }}},
)  # fmt: skip
def export_audit(
    ask: Ask,
    *,
    format: Literal["csv", "json"] = "json",
    of: Model = None,
    account: Name = None,
    action: Action = None,
    since: Time = None,
    until: Time = None,
) -> Response:
    """The same lines in one file: JSON lines, or CSV in which nothing is taken for a formula."""
    wanted = AuditFilter(model=of, account=account, action=action, since=since, until=until)
    desk = Desk(ask.house)
    desk.audit(wanted, limit=1)  # whoever may not is told so before the answer begins
    lines = desk.every_line(wanted)
    text, kind = (
        (as_csv(lines), "text/csv") if format == "csv"
        else (as_json_lines(lines), "application/x-ndjson")
    )  # fmt: skip
    name = f"audit.{'csv' if format == 'csv' else 'jsonl'}"
    headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
    return StreamingResponse((part.encode() for part in text), 200, headers, kind)


@routes.get("/audit/head", needs=on_yard("admin"), answers=ChainHead)
def audit_head(ask: Ask) -> ChainHead | None:
    """The end of the chain over the log, with all lines sealed: keep it elsewhere."""
    return Desk(ask.house).chain_head()


@routes.get("/audit/seals/{digest}", needs=on_yard("admin"), answers=ChainHead)
def show_seal(
    ask: Ask, digest: Annotated[str, Path(min_length=64, max_length=64, pattern="^[0-9a-f]{64}$")]
) -> ChainHead:
    """A seal that was noted elsewhere; 404 if the chain has none such: it was made again."""
    return Desk(ask.house).expect_head(digest)
