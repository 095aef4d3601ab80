"""What many routes take: revisions, pages, bodies."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "After", "Body", "Limit", "MaybeRevision", "ModelName", "Name", "RefSegment", "Rev",
    "RevisionQuery", "Segment", "revision_in",
]  # fmt: skip

_PART = "[A-Za-z0-9]+((\\.|[_-]+)[A-Za-z0-9]+)*"
_MODEL = f"^{_PART}(/{_PART})?$"
_REVISION = "^(-|[1-9][0-9]{0,14}|[A-Za-z][A-Za-z0-9_/-]*)$"
_REF = "^[g-zG-Z][A-Za-z0-9_-]*(/[A-Za-z0-9_-]+)*$"
"""For the document; what is taken is decided by `core.names`, which takes a little more."""
Limit = Annotated[int, Query(ge=1, le=1000, description="How many at most.")]
After = Annotated[
    str | None,
    Query(
        max_length=12_000,
        pattern=r"^[A-Za-z0-9_-]*$",
        description="The `next` of the page before.",
    ),
]
RevisionQuery = Annotated[
    str | None,
    Query(
        min_length=1, max_length=200, examples=["champion"],
        description="A number, branch, tag, alias, commit or `latest`.",
    ),
]  # fmt: skip
ModelName = Annotated[
    str,
    Path(
        description="`namespace/name`, or a name alone; its `/` is written `%2F`.",
        examples=["own/net"], min_length=1, json_schema_extra={"pattern": _MODEL, "maxLength": 193},
    ),
]  # fmt: skip
Segment = Annotated[
    str,
    Path(
        description="A number, branch, tag, alias, commit, `latest`, or `-` for none of them.",
        examples=["1"], min_length=1, json_schema_extra={"pattern": _REVISION, "maxLength": 200},
    ),
]  # fmt: skip
RefSegment = Annotated[
    str,
    Path(
        description="A branch, tag or alias; its `/` is written `%2F`.", examples=["champion"],
        min_length=1, json_schema_extra={"pattern": _REF, "maxLength": 200},
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
