"""Models as people look through them: found, ordered, narrowed, each at a glance."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from modelyard.catalog.queries import audit, labels, overviews, versions
from modelyard.catalog.queries.readable import readable, sees_all
from modelyard.catalog.queries.search import search
from modelyard.core.metrics import Direction, direction
from modelyard.core.query import HasMetric, Query, Sort
from modelyard.core.recent import Recent
from modelyard.core.version import RefInfo, VersionInfo
from modelyard.registry.facets import Counted, Facet, count, facets_of
from modelyard.registry.lookup import moment, version_infos
from modelyard.registry.pages import read_token, token

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    import sqlalchemy as sa

    from modelyard.catalog.engine import Catalog
    from modelyard.registry.house import House

__all__ = ["MOST", "Browsed", "Glance", "browse", "key_metric"]

MOST = 1000
"""Models that are counted; more are "1,000+"."""
_ROUND = 256
"""Versions that one look for models takes."""
_ENOUGH = 100
"""Models in which facets are counted when a search finds many."""
_ROUNDS = 8
"""Looks to have enough; more only to fill a page."""
_MOST_ROUNDS = 40
_RECENT = 24
"""Versions in a sparkline."""
_LINKS = re.compile(r"!?\[([^\]\[]{0,200})\]\([^)(\s]{0,300}\)")
_MARKS = re.compile(r"(?:\*\*|__|`)([^*_`]{1,200})(?:\*\*|__|`)")
_LIKED = ("accuracy", "f1", "roc_auc", "auc", "r2", "map", "bleu", "loss", "log_loss", "rmse")


@dataclass(frozen=True, slots=True)
class Glance:
    """A model in a list, with the version that was found of it: the newest one if all are."""

    name: str
    kind: str
    description: str
    updated: datetime
    labels: Mapping[str, str]
    """Of the model, then of the version."""
    aliases: tuple[RefInfo, ...]
    """By name; their commits are left out."""
    version: VersionInfo | None
    metric: str | None
    """The one that tells most of it; of the last versions that were measured, if this was not."""
    better: Direction | None
    """Which way of that metric is better, where it is known."""
    recent: tuple[float, ...]
    """That metric over the last versions, the oldest first."""


@dataclass(frozen=True, slots=True)
class Browsed:
    """A page of models."""

    items: tuple[Glance, ...]
    """In the order of the query; without one, updated last comes first."""
    next: str | None
    count: int
    """Models that were found."""
    is_more: bool
    """Whether there are more than `count`."""
    facets: tuple[Facet, ...]
    metrics: tuple[str, ...]
    """To order by: those that the found versions have, the most usual first."""


def browse(house: House, query: Query, *, limit: int = 50, after: str | None = None) -> Browsed:
    """Models that one may read and that have a version which fits, each once.

    InvalidInput: `bad-page-token`.
    """
    start = 0 if after is None else read_token(after, int)
    with house.catalog.read() as connection:
        found, is_more = _found(house, connection, query, start + limit)
        page = found[start : start + limit]
        if len(found) < start + limit and is_more and _is_plain(query):
            page, beyond = _page_beyond(house, connection, query, start, limit)
        else:
            beyond = len(found) > start + limit or (
                is_more
                and len(found) == start + limit
                and (_is_plain(query) or start + limit < MOST)
            )
        items = _glances(connection, query, page)
        counted = _counted(house, connection, query, found)
    usual = Counter(name for each in items if each.version for name in each.version.metrics)
    return Browsed(
        items=tuple(items),
        next=token(start + limit) if beyond else None,
        count=min(len(found), MOST),
        is_more=is_more,
        facets=facets_of(query, counted, is_more),
        metrics=tuple(name for name, _ in usual.most_common(5)),
    )


_Pairs = list[tuple[int, int | None]]


def _is_plain(query: Query) -> bool:
    """Whether it asks for all models, in an order that models have themselves."""
    return not query.conditions and (query.sort is None or query.sort.metric is None)


_Kept = Recent[object, tuple[int, Counted]]
_KEPT: WeakKeyDictionary[Catalog, _Kept] = WeakKeyDictionary()
"""Of all models that one may read, by what one may: with the last line of the audit log then."""
_MOST_KEPT = 100


def _counted(house: House, connection: sa.Connection, query: Query, found: _Pairs) -> Counted:
    """Counts for facets; for all models only if anything has changed since."""
    if not _is_plain(query):
        return _count(connection, found)
    caller = house.caller
    rights = (sees_all(caller), caller.grants, caller.ceiling, caller.only)
    kept, now = _KEPT.setdefault(house.catalog, Recent(_MOST_KEPT)), audit.last(connection)
    known = kept.get(rights)
    if known is None or known[0] != now:
        known = now, _count(connection, found)
        kept.put(rights, known)
    return known[1]


def _count(connection: sa.Connection, found: _Pairs) -> Counted:
    ids = [key for _, key in found[:MOST] if key is not None]
    traits = overviews.traits_of(connection, ids)
    told = overviews.labels_of(connection, ids)
    owners = [each.model_id for each in traits]
    for (key, _), own in labels.of_models(connection, owners, [0]).items():
        told.setdefault(key, {}).update(own)
    return count(traits, told)


def _found(
    house: House, connection: sa.Connection, query: Query, needed: int
) -> tuple[_Pairs, bool]:
    """Models and a version of each, in order; and whether there are more."""
    if _is_plain(query):
        pairs = _plain(house, connection, query, MOST + 1, 0)
        return pairs[:MOST], len(pairs) > MOST
    if query.sort is not None and query.sort.key in ("name", "updated"):
        return _found_by_model(house, connection, query, query.sort)
    return _searched(house, connection, query, min(needed + 1, MOST))


def _found_by_model(
    house: House, connection: sa.Connection, query: Query, sort: Sort
) -> tuple[_Pairs, bool]:
    """In an order of models, each with its newest version that fits.

    Along that order all versions of a model come before the next one's, which takes long.
    """
    pairs, is_more = _searched(house, connection, replace(query, sort=None), MOST)
    rows = overviews.models_by_ids(connection, [key for key, _ in pairs])
    pairs.sort(key=lambda pair: getattr(rows[pair[0]], sort.key), reverse=sort.descending)
    return pairs, is_more


def _plain(
    house: House, connection: sa.Connection, query: Query, limit: int, offset: int
) -> _Pairs:
    sort = query.sort or Sort("updated", True)
    return overviews.in_order(
        connection, sort.key, descending=sort.descending, where=readable(house.caller),
        limit=limit, offset=offset,
    )  # fmt: skip


def _page_beyond(
    house: House, connection: sa.Connection, query: Query, start: int, limit: int
) -> tuple[_Pairs, bool]:
    pairs = _plain(house, connection, query, limit + 1, start)
    return pairs[:limit], len(pairs) > limit


def _searched(
    house: House, connection: sa.Connection, query: Query, needed: int
) -> tuple[_Pairs, bool]:
    """Each model at the first of its versions that fits: one with many must not hide the rest.

    So what was found is left out of the next look. A bounded number of looks is taken.
    """
    may, now = readable(house.caller), house.catalog.now(connection)
    first: dict[int, int] = {}
    for looks in range(_MOST_ROUNDS):
        ids, following = search(
            connection, query, limit=_ROUND, after=None, now=now, only=may, without=first
        )
        owners = overviews.models_of(connection, ids)
        for key in ids:
            first.setdefault(owners[key], key)
        if following is None:
            return list(first.items()), False
        if len(first) >= needed and (len(first) >= _ENOUGH or looks >= _ROUNDS):
            break
        if needed == MOST and looks >= _ROUNDS:
            break
    return list(first.items()), True


def _glances(
    connection: sa.Connection, query: Query, pairs: Iterable[tuple[int, int | None]]
) -> list[Glance]:
    """What a list shows, fetched for all of a page at once."""
    pairs = list(pairs)
    ids = [key for key, _ in pairs]
    models = overviews.models_by_ids(connection, ids)
    rows = versions.by_ids(connection, [key for _, key in pairs if key is not None])
    infos = dict(zip(rows, version_infos(connection, list(rows.values())), strict=True))
    own = labels.of_models(connection, ids, [0])
    aliases = overviews.aliases_of(connection, ids)
    asked = _asked_metric(query)
    chosen = {
        key: name
        for key, at in pairs
        if at in infos and (name := key_metric(infos[at].metrics, asked))
    }
    without = {key for key, at in pairs if at in infos and not infos[at].metrics}
    for key, names in overviews.recent_names(connection, without, _RECENT).items():
        if name := key_metric(names, asked):
            chosen[key] = name
    recent = overviews.recent_values(connection, chosen, _RECENT)
    return [
        Glance(
            name=row.name, kind=row.kind, description=_plain_text(row.description),
            updated=moment(row.updated), labels=_joined(own.get((key, 0)), infos.get(at or 0)),
            aliases=tuple(RefInfo(ref.name, ref.kind, ref.number, "")
                          for ref in aliases.get(key, ())),
            version=infos.get(at or 0),
            metric=chosen.get(key),
            better=direction(chosen[key]) if key in chosen else None,
            recent=tuple(value for value in recent.get(key, ()) if abs(value) < 1e300),
        )
        for key, at in pairs
        if (row := models.get(key)) is not None
    ]  # fmt: skip


def _joined(own: Mapping[str, str] | None, version: VersionInfo | None) -> dict[str, str]:
    return {**(own or {}), **(version.labels if version else {})}


def _plain_text(text: str) -> str:
    """Without the marks of Markdown that would only be in the way."""
    return _MARKS.sub(r"\1", _LINKS.sub(r"\1", text))


def _asked_metric(query: Query) -> str | None:
    """The metric that a query is about."""
    if query.sort is not None and query.sort.metric is not None:
        return query.sort.metric
    return next((each.name for each in query.conditions if isinstance(each, HasMetric)), None)


def key_metric(names: Iterable[str], asked: str | None = None) -> str | None:
    """Of these metrics, the one to show first: asked for, widely used, or of a known direction."""
    there = sorted(names)
    if asked in there:
        return asked
    for liked in _LIKED:
        if liked in there:
            return liked
    known = [name for name in there if direction(name) is not None]
    return next(iter(known or there), None)
