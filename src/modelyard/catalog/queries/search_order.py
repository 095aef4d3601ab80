"""Orders of search results, and the token with which a page goes on.

Every order ends with the version's id, newest first, so that a position (key, id) names one place
in it; what arrives later stands before or after that place, never shifts it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from modelyard.catalog.schema import metric, model, version
from modelyard.errors import InvalidInput

if TYPE_CHECKING:
    from modelyard.catalog.queries.search_index import Truth
    from modelyard.core.query import Query, Sort

__all__ = ["NEWEST", "Order", "Position", "order_of", "position_of", "token_of"]

Key = float | str | None


@dataclass(frozen=True, slots=True)
class Position:
    """The last version of a page; `key` is None where nothing but the id orders."""

    key: Key
    id: int


@dataclass(frozen=True, slots=True)
class Order:
    """By `key`, then by id, newest first. `key` is None: by id alone."""

    key: sa.ColumnElement[float] | sa.ColumnElement[str] | None = None
    descending: bool = True
    join: sa.Table | None = None
    """The table that `key` is in, if it is not `version`."""
    on: Truth | None = None
    metric: str | None = None
    """The metric that orders; versions without it come after all others."""

    def after(self, position: Position, id: sa.ColumnElement[int]) -> Truth:
        """Whether a row comes after this position."""
        if self.key is None:
            return id < position.id
        beyond: Truth = self.key < position.key if self.descending else self.key > position.key
        bound: Truth = self.key <= position.key if self.descending else self.key >= position.key
        return sa.and_(bound, sa.or_(beyond, id < position.id))

    def columns(self, id: sa.ColumnElement[int]) -> list[sa.UnaryExpression[Any]]:
        """What to order by."""
        if self.key is None:
            return [id.desc()]
        return [self.key.desc() if self.descending else self.key.asc(), id.desc()]


NEWEST = Order()


def order_of(sort: Sort | None) -> Order:
    """The order that a query asks for."""
    if sort is None:
        return NEWEST
    if sort.metric is not None:
        on = sa.and_(metric.c.version_id == version.c.id, metric.c.name == sort.metric)
        return Order(metric.c.value, sort.descending, metric, on, sort.metric)
    if sort.key in ("name", "updated"):
        return Order(model.c[sort.key], sort.descending, model, model.c.id == version.c.model_id)
    return Order(version.c[sort.key], sort.descending)


def token_of(query: Query, position: Position) -> str:
    """The token that continues after this position."""
    text = json.dumps([_digest(query), position.key, position.id])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def position_of(query: Query, token: str) -> Position:
    """The position in a token that this query gave. InvalidInput: `bad-page-token`."""
    try:
        padded = token.encode("ascii") + b"=" * (-len(token) % 4)
        digest, key, id = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, TypeError, RecursionError, binascii.Error):
        raise _bad_token() from None
    if digest != _digest(query) or type(id) is not int or not 0 <= id < 2**63:
        raise _bad_token()
    if not _is_key(query.sort, key):
        raise _bad_token()
    return Position(key, id)


def _is_key(sort: Sort | None, key: object) -> bool:
    if sort is None:
        return key is None
    if sort.key == "name":
        return isinstance(key, str) and "\0" not in key and key.isprintable()
    if sort.metric is not None:
        return key is None or (type(key) in (float, int) and abs(key) < 2**1100)  # type: ignore[arg-type]
    return type(key) is int and abs(key) < 2**63


def _digest(query: Query) -> str:
    return hashlib.blake2b(str(query).encode(), digest_size=6).hexdigest()


def _bad_token() -> InvalidInput:
    return InvalidInput(
        "bad-page-token",
        "this page token was not given for this query",
        hint="search again from the first page",
    )
