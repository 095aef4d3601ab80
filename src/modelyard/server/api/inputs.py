"""What many routes take: revisions, pages, bodies."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

__all__ = ["After", "Body", "Limit", "MaybeRevision", "Name", "Rev", "RevisionQuery", "revision_in"]

Limit = Annotated[int, Query(ge=1, le=1000, description="How many at most.")]
After = Annotated[
    str | None, Query(max_length=20_000, description="The `next` of the page before.")
]
RevisionQuery = Annotated[
    str | None,
    Query(
        min_length=1, max_length=200, examples=["champion"],
        description="A number, branch, tag, alias, commit or `latest`.",
    ),
]  # fmt: skip
Name = Annotated[str, Field(min_length=1, max_length=200)]
Rev = Annotated[
    Annotated[str, Field(min_length=1, max_length=200)]
    | Annotated[int, Field(ge=1, le=1 << 53)],
    Field(description="A number, branch, tag, alias, commit or `latest`.", examples=[3]),
]  # fmt: skip
MaybeRevision = Rev | None

_NONE = "-"


class Body(BaseModel):
    """JSON of a request: what is not known is refused, and nothing is guessed."""

    model_config = ConfigDict(extra="forbid", strict=True)


def revision_in(segment: str) -> str | None:
    """A revision in a path; `-` is the tip of `main`, or else the latest version."""
    return None if segment == _NONE else segment
