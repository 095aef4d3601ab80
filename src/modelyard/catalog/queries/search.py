"""Search: the versions that meet a query, in order, page by page.

How: each condition becomes a clause (`search_clauses`). One of three things leads, whichever is
known to be short: the full-text index (all clauses that have terms, intersected there), a list of
ids from an index on metrics, parameters or refs, or else a sweep over the versions from the newest
on, in growing windows. The other clauses filter in SQL, and what SQL can't decide is looked at
again on the row, in Python. So the index may say too much, never too little.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

import sqlalchemy as sa

from modelyard.catalog.queries.readable import few_of
from modelyard.catalog.queries.search_clauses import Clause, Clauses, of_models
from modelyard.catalog.queries.search_documents import (
    index_labels,
    index_model,
    index_version,
    unindex_model,
    unindex_version,
)
from modelyard.catalog.queries.search_index import Found, TermIndex, term_index
from modelyard.catalog.queries.search_order import (
    NEWEST,
    Order,
    Position,
    order_of,
    position_of,
    token_of,
)
from modelyard.catalog.queries.search_seen import Sight
from modelyard.catalog.schema import metric, model, version

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from modelyard.catalog.queries.search_index import AllOf, AnyOf, Truth
    from modelyard.catalog.queries.search_seen import Row
    from modelyard.core.query import Query

    _Positions = Iterator[Position]

__all__ = [
    "index_labels",
    "index_model",
    "index_version",
    "search",
    "unindex_model",
    "unindex_version",
]

_FEW_DOCUMENTS = 5_000
"""So many documents are soon gone through."""
_FEW_IDS = 20_000
_FEW_TO_SORT = 2_000
_VAGUE = 3
"""So many words too short for a term are looked up; others wait for the closer look."""
_FEW_MODELS = 64
_WINDOW = 1_024
_LARGEST_BATCH = 1_000
_PEEK = 64
"""How many rows of a given order are looked at before filters are made that cost a lot."""

_ALIVE = sa.and_(
    version.c.deleted == 0,
    version.c.model_id.not_in(sa.select(model.c.id).where(model.c.deleted != 0)),
)


def search(
    connection: sa.Connection,
    query: Query,
    *,
    limit: int,
    after: str | None,
    now: int,
    only: Truth | None = None,
    without: Collection[int] = (),
) -> tuple[list[int], str | None]:
    """Ids of the versions of one page, and the token for the next, None at the end.

    Args:
        only: A condition on models; versions of others are not there.
        without: Models, by id, whose versions are passed over.

    Raises:
        InvalidInput: `bad-page-token`.
    """
    order = order_of(query.sort)
    start = position_of(query, after) if after is not None else None
    work = _Search(connection, query, now, limit + 1, only, without)
    found = list(islice(work.found(order, start), limit + 1))
    ids = [position.id for position in found[:limit]]
    return ids, token_of(query, found[limit - 1]) if len(found) > limit else None


@dataclass(frozen=True, slots=True)
class _Lead:
    """What goes first: an index search, a list of ids, or neither."""

    found: Found | None = None
    ids: sa.Select[int] | None = None
    count: int | None = None
    """How many rows it gives, if that is few."""

    @property
    def leads(self) -> bool:
        return self.found is not None or self.ids is not None


class _Search:
    """One query on one connection."""

    def __init__(
        self,
        connection: sa.Connection,
        query: Query,
        now: int,
        batch: int,
        only: Truth | None,
        without: Collection[int],
    ) -> None:
        self._connection = connection
        self._index: TermIndex = term_index(connection)
        self._sight = Sight(connection)
        self._batch = batch
        clauses = Clauses(connection, self._sight, now)
        self._clauses: list[Clause] = [clauses.of(condition) for condition in query.conditions]
        if only is not None:
            self._clauses.append(_restricted(connection, only))
        passed_over = [version.c.model_id.not_in(list(without))] if without else []
        self._where: list[Truth] = [
            *passed_over,  # first: what it saves is the price of all others
            _ALIVE,
            *(clause.where for clause in self._clauses if clause.where is not None),
        ]

    def found(self, order: Order, start: Position | None) -> _Positions:
        """All versions that fit, in order, from a position on."""
        if any(clause.match == () for clause in self._clauses):
            return
        if order.key is None and any(_is_vague(clause) for clause in self._clauses):
            yield from self._peek(order, start, lambda at: self._in_order(order, self._lead(), at))
            return
        lead = self._lead()
        if order.metric is None:
            yield from self._in_order(order, lead, start)
            return
        if start is None or start.key is not None:
            yield from self._in_order(order, lead, start)
            start = None
        unmeasured = ~sa.exists(
            sa.select(sa.literal(1))
            .select_from(metric)
            .where(metric.c.version_id == version.c.id, metric.c.name == order.metric)
            .correlate(version)
        )
        self._where.append(unmeasured)
        yield from self._in_order(NEWEST, lead, start)

    # -- what leads ------------------------------------------------------------------------------

    def _lead(self) -> _Lead:
        sharp = [each.match for each in self._clauses if each.match and not _is_vague(each)]
        vague = [each.match for each in self._clauses if each.match and _is_vague(each)]
        match: AllOf = (*sharp, *vague[:_VAGUE])
        found = self._index.find("search_version", match) if match else None
        documents = None
        if found is not None:
            documents = self._count(
                sa.select(found.id).select_from(found.source).where(found.matches), _FEW_DOCUMENTS
            )
            if documents is not None and documents <= self._batch:
                return _Lead(found=found, count=documents)
        ids, listed = self._shortest_list()
        if ids is not None and listed is not None and (documents is None or 4 * listed < documents):
            return _Lead(ids=ids, count=listed)
        return _Lead(found=found, count=documents)

    def _shortest_list(self) -> tuple[sa.Select[int] | None, int | None]:
        best, most = None, _FEW_IDS
        for clause in self._clauses:
            if clause.ids is not None and (count := self._count(clause.ids, most)) is not None:
                best, most = clause.ids, count
        return best, most if best is not None else None

    def _count(self, ids: sa.Select[int], most: int) -> int | None:
        """How many, if at most `most`."""
        counted = sa.select(sa.func.count()).select_from(ids.limit(most + 1).subquery())
        count: int = self._connection.execute(counted).scalar_one()
        return count if count <= most else None

    # -- walking ---------------------------------------------------------------------------------

    def _in_order(self, order: Order, lead: _Lead, start: Position | None) -> _Positions:
        if order.metric is not None and (lead.count is None or lead.count > _FEW_TO_SORT):
            yield from self._walk_index(order, start)
        elif order.key is not None:
            tests = [] if lead.leads else self._swept(None, None)
            yield from self._walk(order, lead, tests, start)
        elif lead.leads:
            yield from self._walk(order, lead, [], start)
        else:
            yield from self._sweep(start)

    def _sweep(self, start: Position | None) -> _Positions:
        """From the newest version on, in windows of ids."""
        newest = self._connection.execute(sa.select(sa.func.max(version.c.id))).scalar_one()
        high = min(newest or 0, start.id - 1 if start else newest or 0)
        width = _WINDOW
        while high > 0:
            low = max(high - width, 0)
            bounds: list[Truth] = [version.c.id > low, version.c.id <= high]
            yield from self._walk(NEWEST, _Lead(), bounds + self._swept(low, high), None)
            high, width = low, width * 8

    def _walk_index(self, order: Order, start: Position | None) -> _Positions:
        """Along an index; with costly filters only if what fits does not come at once."""
        yield from self._peek(
            order, start, lambda at: self._walk(order, _Lead(), self._swept(None, None), at)
        )

    def _peek(
        self, order: Order, start: Position | None, then: Callable[[Position | None], _Positions]
    ) -> _Positions:
        """The first few rows as they come, the rest another way."""
        rows = self._rows(order, _Lead(), [], start)
        for position, fits in islice(rows, _PEEK):
            start = position
            if fits:
                yield position
        if next(rows, None) is not None:
            yield from then(start)

    def _swept(self, low: int | None, high: int | None) -> list[Truth]:
        """The filters that an index search would have made needless."""
        tests: list[Truth] = []
        for clause in self._clauses:
            if clause.sweep is not None:
                tests.append(clause.sweep(self._bounded(clause.sweep_match, low, high)))
            elif clause.match and clause.check is not None:
                found = self._bounded(clause.match, low, high)
                tests.append(version.c.id.in_(sa.select(found.id).where(found.matches)))
        return tests

    def _bounded(self, match: AnyOf, low: int | None, high: int | None) -> Found:
        found = self._index.find("search_version", (match,))
        if low is None or high is None:
            return found
        return replace(found, matches=sa.and_(found.matches, found.id > low, found.id <= high))

    def _walk(
        self, order: Order, lead: _Lead, extra: list[Truth], start: Position | None
    ) -> _Positions:
        for position, fits in self._rows(order, lead, extra, start):
            if fits:
                yield position

    def _rows(
        self, order: Order, lead: _Lead, extra: list[Truth], start: Position | None
    ) -> Iterator[tuple[Position, bool]]:
        """Rows that meet all that SQL decides, and whether they fit; batches grow."""
        checks = [clause.check for clause in self._clauses if clause.check is not None]
        size = min(self._batch, _LARGEST_BATCH)
        while True:
            rows = self._fetch(order, lead, extra, start, size)
            for seen in self._sight.versions(rows):
                start = Position(seen.row.key, seen.row.id)
                yield start, all(check(seen) for check in checks)
            if len(rows) < size:
                return
            size = min(size * 4, _LARGEST_BATCH)

    def _fetch(
        self, order: Order, lead: _Lead, extra: list[Truth], start: Position | None, size: int
    ) -> list[Row]:
        source: sa.FromClause = version
        id: sa.ColumnElement[int] = version.c.id
        where = [*self._where, *extra]
        if lead.found is not None:
            source = lead.found.source.join(version, version.c.id == lead.found.join_id)
            where.append(lead.found.matches)
            if order.key is None:
                id = lead.found.id
        elif lead.ids is not None:
            where.append(version.c.id.in_(lead.ids))
        if order.join is not None:
            assert order.on is not None
            source = source.join(order.join, order.on)
        if start is not None:
            where.append(order.after(start, id))
        key = sa.null() if order.key is None else order.key
        statement = (
            sa.select(*_COLUMNS, key.label("key"))
            .select_from(source)
            .where(*where)
            .order_by(*order.columns(id))
            .limit(size)
        )
        return list(self._connection.execute(statement))


def _restricted(connection: sa.Connection, only: Truth) -> Clause:
    """Few models are named one by one, so that the index leads to them."""
    ids = few_of(connection, only, _FEW_MODELS)
    if ids is not None:
        return of_models(ids)
    return Clause(where=version.c.model_id.in_(sa.select(model.c.id).where(only)))


def _is_vague(clause: Clause) -> bool:
    """Whether it looks for beginnings of terms, which costs time with all that begin so."""
    return any(term.prefix for terms in clause.match or () for term in terms)


_COLUMNS = (
    version.c.id, version.c.model_id, version.c.number, version.c.message, version.c.author,
    version.c.framework, version.c.formats, version.c.files,
)  # fmt: skip
