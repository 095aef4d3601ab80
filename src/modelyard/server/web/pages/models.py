"""All models: found, narrowed and ordered; and those that were deleted."""

from __future__ import annotations

from dataclasses import dataclass, replace

from modelyard.core.metrics import direction
from modelyard.core.query import Query, Sort, parse_query
from modelyard.core.version import ModelInfo, VersionInfo
from modelyard.errors import InvalidInput
from modelyard.registry.browse import Browsed, Glance, browse
from modelyard.registry.facets import Facet
from modelyard.registry.finding import search
from modelyard.registry.pages import models_page
from modelyard.server.routing import on_yard
from modelyard.server.state import Ask
from modelyard.server.web.twins import Pages

__all__ = ["pages"]

pages = Pages("models")

_PAGE = 50
_SORTS = (None, Sort("name", False), Sort("size", True))
"""What can always be ordered by: without one, what changed last comes first."""
_OF_FOUND = (None, Sort("size", True))
"""The same if a query asks for versions: by name, all of a model come before the next one."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a query is not understood."""

    detail: str
    hint: str | None


@dataclass(frozen=True, slots=True)
class Ordering:
    """One way to order what was found."""

    key: str
    """`updated`, `name`, `size`, or `metric.NAME`."""
    is_on: bool
    query: str
    """The query in this order."""


@dataclass(frozen=True, slots=True)
class ModelsPage:
    """What the first page shows."""

    q: str
    """The query as it was written."""
    trouble: Trouble | None
    """If the query is not understood, all models are shown."""
    show: str
    """`models`, `versions` or `deleted`."""
    models: tuple[Glance, ...]
    versions: tuple[VersionInfo, ...]
    """Versions that were found, if they are to be shown."""
    deleted: tuple[ModelInfo, ...]
    """Deleted models, if they are to be shown."""
    count: int
    """Models that were found."""
    is_more: bool
    """Whether there are more than `count`."""
    facets: tuple[Facet, ...]
    orderings: tuple[Ordering, ...]
    next: str | None
    """Where the next page goes on."""


@pages.page("/", "models.html", needs=on_yard("none"))
@pages.page("/models", "models.html", needs=on_yard("none"))
def list_models(
    ask: Ask, *, q: str = "", show: str = "models", after: str | None = None
) -> ModelsPage:
    """Models and versions that fit a query."""
    if show == "deleted":
        return _deleted(ask, after)
    query, trouble = _read(q)
    if show == "versions" and trouble is None:
        found = search(ask.house, q, _PAGE, after)
        told = browse(ask.house, query, limit=1)
        return _page(q, query, None, "versions", told, versions=found.items, following=found.next)
    told = browse(ask.house, query, limit=_PAGE, after=after)
    return _page(q, query, trouble, "models", told, models=told.items, following=told.next)


def _read(text: str) -> tuple[Query, Trouble | None]:
    """What is asked for; everything if that is not understood, and why it is not."""
    try:
        return parse_query(text), None
    except InvalidInput as error:
        return Query(), Trouble(str(error), error.hint)


def _page(
    q: str,
    query: Query,
    trouble: Trouble | None,
    show: str,
    told: Browsed,
    *,
    following: str | None,
    models: tuple[Glance, ...] = (),
    versions: tuple[VersionInfo, ...] = (),
) -> ModelsPage:
    return ModelsPage(
        q=q, trouble=trouble, show=show, models=models, versions=versions, deleted=(),
        count=told.count, is_more=told.is_more, facets=told.facets,
        orderings=_orderings(query, told.metrics), next=following,
    )  # fmt: skip


def _orderings(query: Query, metrics: tuple[str, ...]) -> tuple[Ordering, ...]:
    sorts: list[Sort | None] = [*(_OF_FOUND if query.conditions else _SORTS)]
    sorts += [Sort(f"metric.{name}", direction(name) != "lower") for name in metrics]
    if query.sort is not None and query.sort not in sorts:
        sorts.append(query.sort)
    return tuple(
        Ordering(sort.key if sort else "updated", sort == query.sort,
                 str(replace(query, sort=sort)))
        for sort in sorts
    )  # fmt: skip


def _deleted(ask: Ask, after: str | None) -> ModelsPage:
    found = models_page(ask.house, deleted=True, limit=_PAGE, after=after)
    return ModelsPage(
        q="", trouble=None, show="deleted", models=(), versions=(), deleted=tuple(found.items),
        count=0, is_more=False, facets=(), orderings=(), next=found.next,
    )  # fmt: skip
