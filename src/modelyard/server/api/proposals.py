"""Proposals: moves of guarded refs that wait for approval."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict, Field

from modelyard.core.people import Proposal
from modelyard.registry.access.desk import Desk
from modelyard.server.routing import SIGNED_IN, Answer, Routes, on_model
from modelyard.server.state import Ask

__all__ = ["routes"]

routes = Routes("proposals")

Key = Annotated[int, Path(ge=1, le=(1 << 62) - 1)]
State = Literal["open", "done", "withdrawn"]


class ProposalBody(BaseModel):
    """Where a ref is to point."""

    model_config = ConfigDict(extra="forbid")

    ref: Annotated[str, Field(min_length=1, max_length=200, examples=["champion"])]
    revision: Annotated[str, Field(min_length=1, max_length=200, examples=["12"])]
    message: Annotated[str, Field(max_length=2000)] = ""


@routes.get("/proposals", needs=SIGNED_IN, answers=list[Proposal])
def list_proposals(
    ask: Ask,
    *,
    of: Annotated[str | None, Query(min_length=1, max_length=200, description="A model.")] = None,
    state: Annotated[State | None, Query(description="All of them if it is not said.")] = None,
) -> list[Proposal]:
    """Proposals for models that the caller may read; newest first, at most 1000."""
    return Desk(ask.house).proposals(of, state=state)


@routes.post("/models/{model}/proposals", needs=on_model("writer"), answers=Proposal, status=201)
def propose(ask: Ask, model: str, *, body: ProposalBody) -> Answer:
    """Ask others to let a guarded branch or alias point at a version."""
    made = Desk(ask.house).propose(model, body.ref, body.revision, message=body.message)
    return Answer(made, 201)


@routes.post("/proposals/{proposal}/approve", needs=SIGNED_IN, answers=Proposal)
def approve_proposal(ask: Ask, proposal: Key) -> Proposal:
    """Approve a move, as maintainer or what the guard asks for, and not one's own.

    With the last approval that it needs the ref moves, if it is still where it was.
    """
    return Desk(ask.house).approve(proposal)


@routes.post("/proposals/{proposal}/withdraw", needs=SIGNED_IN, answers=Proposal)
def withdraw_proposal(ask: Ask, proposal: Key) -> Proposal:
    """Give a proposal up: whoever made it, or a maintainer."""
    return Desk(ask.house).withdraw(proposal)
