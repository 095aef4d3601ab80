"""Roles: who may do what."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from modelyard.core.people import Given
from modelyard.registry.access.desk import Desk
from modelyard.server.routing import SIGNED_IN, Routes
from modelyard.server.state import Ask

__all__ = ["routes"]

routes = Routes("roles")


class RoleBody(BaseModel):
    """A role for an account, `everyone` or `anybody`."""

    model_config = ConfigDict(extra="forbid")

    account: Annotated[str, Field(min_length=1, max_length=64, examples=["ann", "everyone"])]
    pattern: Annotated[str, Field(min_length=1, max_length=200, examples=["vision/*"])]
    role: Literal["none", "reader", "writer", "maintainer", "admin"]


@routes.get("/roles", needs=SIGNED_IN, answers=list[Given])
def list_roles(ask: Ask) -> list[Given]:
    """The roles that the caller may give, and what the caller has."""
    return Desk(ask.house).roles()


@routes.put("/roles", needs=SIGNED_IN, answers=Given)
def give_role(ask: Ask, *, body: RoleBody) -> Given:
    """Give a role, in place of the one for the same pattern. It takes an admin of all its models.

    `everyone` stands for every account, `anybody` also for those who are not signed in. `none`
    takes away what a wider pattern gives.
    """
    return Desk(ask.house).give_role(body.account, body.pattern, body.role)


@routes.delete("/roles", needs=SIGNED_IN, answers=Given)
def take_role(
    ask: Ask,
    *,
    account: Annotated[str, Query(min_length=1, max_length=64)],
    pattern: Annotated[str, Query(min_length=1, max_length=200)],
) -> Given:
    """Forget a role. The last admin of the whole yard stays."""
    return Desk(ask.house).take_role(account, pattern)
