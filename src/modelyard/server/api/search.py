"""Search over all models that the caller may read."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from modelyard.core.version import Page
from modelyard.server.api.inputs import After, Limit
from modelyard.server.routing import Routes, on_yard
from modelyard.server.state import Ask

__all__ = ["routes"]

routes = Routes("search")

Words = Annotated[
    str,
    Query(
        max_length=4096, examples=["framework:sklearn metric.accuracy>0.9"],
        description="As docs/reference/query.md has it; empty: everything.",
    ),
]  # fmt: skip


@routes.get("/search", needs=on_yard("none"), answers=Page)
def search(ask: Ask, *, q: Words = "", limit: Limit = 30, after: After = None) -> Page:
    """Versions that a query finds, newest first unless it sorts."""
    return ask.yard.search(q, limit=limit, after=after)
