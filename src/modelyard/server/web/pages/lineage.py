"""Where a version came from and what came of it, over all models and datasets that one may read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import Query

from modelyard.core.family import Family
from modelyard.registry.families import LONGEST, family
from modelyard.server.routing import on_model
from modelyard.server.state import Ask
from modelyard.server.web.optimized import MadeBy, made_by
from modelyard.server.web.twins import Pages

__all__ = ["pages"]

pages = Pages("lineage")

Steps = Annotated[int, Query(ge=0, le=LONGEST)]
Key = Annotated[str, Query(max_length=600)]

_MOST = 60


@dataclass(frozen=True, slots=True)
class LineagePage:
    """What the page shows."""

    model: str
    """Of the version in the middle."""
    number: int
    """Of the version in the middle."""
    family: Family
    """What is around it."""
    metric: str
    """What boxes tell of their versions; empty if the one in the middle has no metric."""
    shown: str
    """Key of the member whose details are shown."""
    most: int
    """Members that are shown at most."""
    made: Mapping[str, MadeBy]
    """By key of a member: the optimization that made it."""


@pages.page(
    "/lineage/{model:path}@{revision:path}", "lineage.html", needs=on_model("reader")
)  # fmt: skip
def show_lineage(
    ask: Ask, model: str, revision: str, *, back: Steps = 3, ahead: Steps = 2, show: Key = ""
) -> LineagePage:
    """The lineage of a version."""
    return _page(ask, model, revision, back, ahead, show)


@pages.page("/lineage/{model:path}", "lineage.html", needs=on_model("reader"))
def show_model_lineage(
    ask: Ask, model: str, *, back: Steps = 3, ahead: Steps = 2, show: Key = ""
) -> LineagePage:
    """The lineage of the tip of `main`, or else of the newest version."""
    return _page(ask, model, None, back, ahead, show)


def _page(
    ask: Ask, model: str, revision: str | None, back: int, ahead: int, show: str
) -> LineagePage:
    found = family(ask.house, model, revision, back=back, ahead=ahead, most=_MOST)
    middle = found.member(found.middle)
    assert middle is not None
    assert middle.version is not None
    metrics = sorted(middle.version.metrics)
    return LineagePage(
        model=middle.version.model, number=middle.version.number, family=found,
        metric=metrics[0] if metrics else "",
        shown=show if found.member(show) else found.middle, most=_MOST,
        made={member.key: made for member in found.members
              if member.version is not None and (made := made_by(member.version)) is not None},
    )  # fmt: skip
