"""Guards: refs that not everybody who may write may move."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from modelyard.core.people import Guard
from modelyard.registry.access.desk import Desk
from modelyard.server.routing import SIGNED_IN, Routes
from modelyard.server.state import Ask

__all__ = ["routes"]

routes = Routes("guards")


class GuardBody(BaseModel):
    """Which refs of which models are guarded, and how."""

    model_config = ConfigDict(extra="forbid")

    pattern: Annotated[str, Field(min_length=1, max_length=200, examples=["vision/*"])]
    ref: Annotated[str, Field(min_length=1, max_length=200, examples=["champion", "release/*"])]
    role: Literal["writer", "maintainer", "admin"] = "maintainer"
    approvals: Annotated[int, Field(ge=0, le=20)] = 0


@routes.get("/guards", needs=SIGNED_IN, answers=list[Guard])
def list_guards(ask: Ask) -> list[Guard]:
    """Guards for models that the caller may read."""
    return Desk(ask.house).guards()


@routes.put("/guards", needs=SIGNED_IN, answers=Guard)
def add_guard(ask: Ask, *, body: GuardBody) -> Guard:
    """Guard branches, tags and aliases by a glob; in place of the guard for the same one.

    It takes a maintainer of all the models, and the role that the guard asks for.
    """
    return Desk(ask.house).add_guard(
        body.pattern, body.ref, role=body.role, approvals=body.approvals
    )


@routes.delete("/guards", needs=SIGNED_IN, answers=Guard)
def remove_guard(
    ask: Ask,
    *,
    pattern: Annotated[str, Query(min_length=1, max_length=200)],
    ref: Annotated[str, Query(min_length=1, max_length=200)],
) -> Guard:
    """Remove a guard; one that asks for approvals, as admin."""
    return Desk(ask.house).remove_guard(pattern, ref)
