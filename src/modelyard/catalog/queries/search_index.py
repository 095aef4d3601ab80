"""The full-text index: documents of terms by integer id, and all that differs between databases.

An index only ever gains terms: what it says is a hint that the rows must confirm. So a label taken
away, a renamed model or a deleted version need no care here; `remove` is for rows that go for good.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import sqlalchemy as sa

from modelyard.errors import Unsupported

if TYPE_CHECKING:
    from collections.abc import Collection

    from modelyard.core.terms import Term

__all__ = ["AllOf", "AnyOf", "Documents", "Found", "TermIndex", "term_index"]

Documents = Literal["search_version", "search_model"]
"""One table of documents for versions, one for models; ids are those of the rows."""

AnyOf = tuple[tuple["Term", ...], ...]
"""Alternatives; each is terms that a document must all hold."""

AllOf = tuple[AnyOf, ...]
Text = sa.ColumnElement[str]
Truth = sa.ColumnElement[bool]


@dataclass(frozen=True, slots=True)
class Found:
    """Documents that match, to be joined and ordered by id."""

    source: sa.FromClause
    id: sa.ColumnElement[int]
    """To order by: the index delivers in this order by itself."""
    join_id: sa.ColumnElement[int]
    """To join by: equal to `id`, but keeps the index outermost."""
    matches: Truth


class TermIndex(Protocol):
    """What a database must do for search."""

    def create(self) -> tuple[str, ...]:
        """Statements that make both tables of documents."""

    def drop(self) -> tuple[str, ...]: ...

    def add(
        self, connection: sa.Connection, documents: Documents, id: int, terms: Collection[str]
    ) -> None:
        """Make a document, or add terms to it."""

    def remove(
        self, connection: sa.Connection, documents: Documents, id: int, terms: Collection[str]
    ) -> None:
        """Forget terms of a document."""

    def find(self, documents: Documents, match: AllOf) -> Found: ...

    def contains(self, text: Text, pattern: str) -> Truth:
        """Certainly like an ASCII pattern, whatever the case: true only for ASCII text."""

    def may_contain(self, text: Text, pattern: str) -> Truth:
        """Like the ASCII pattern, or not ASCII, which the database can't fold."""


class _Fts5:
    """SQLite: contentless FTS5, term sets only, 0.1 kB a version."""

    def create(self) -> tuple[str, ...]:
        return tuple(
            f"CREATE VIRTUAL TABLE {name} USING fts5("
            "terms, content='', columnsize=0, detail=none, tokenize='ascii')"
            for name in ("search_version", "search_model")
        )

    def drop(self) -> tuple[str, ...]:
        return ("DROP TABLE search_version", "DROP TABLE search_model")

    def add(
        self, connection: sa.Connection, documents: Documents, id: int, terms: Collection[str]
    ) -> None:
        connection.exec_driver_sql(
            f"INSERT INTO {documents}(rowid, terms) VALUES (?, ?)", (id, " ".join(terms))
        )

    def remove(
        self, connection: sa.Connection, documents: Documents, id: int, terms: Collection[str]
    ) -> None:
        connection.exec_driver_sql(
            f"INSERT INTO {documents}({documents}, rowid, terms) VALUES ('delete', ?, ?)",
            (id, " ".join(terms)),
        )

    def find(self, documents: Documents, match: AllOf) -> Found:
        found = sa.table(documents, sa.column("rowid", sa.Integer()))
        outermost: sa.ColumnElement[int] = sa.literal_column(f"+{documents}.rowid", sa.Integer())
        matches: Truth = sa.literal_column(documents).op("MATCH", is_comparison=True)(
            _fts5_text(match)
        )
        return Found(found, found.c.rowid, outermost, matches)

    def contains(self, text: Text, pattern: str) -> Truth:
        return sa.and_(text.like(pattern, escape="\\"), sa.not_(_beyond_ascii(text)))

    def may_contain(self, text: Text, pattern: str) -> Truth:
        return sa.or_(text.like(pattern, escape="\\"), _beyond_ascii(text))


def _beyond_ascii(text: Text) -> Truth:
    return text.op("GLOB", is_comparison=True)("*[^\x01-\x7f]*")


def _fts5_text(match: AllOf) -> str:
    return " AND ".join(
        "(" + " OR ".join(f"({' '.join(_fts5_term(term) for term in terms)})" for terms in any_of)
        + ")"
        for any_of in match
    )  # fmt: skip


def _fts5_term(term: Term) -> str:
    return f"{term.text}*" if term.prefix else term.text


_INDEXES: dict[str, TermIndex] = {"sqlite": _Fts5()}


def term_index(connection: sa.Connection) -> TermIndex:
    """The index of this database."""
    name = connection.dialect.name
    if name not in _INDEXES:
        raise Unsupported("catalog-dialect", f"{name} can't search yet", hint="use SQLite")
    return _INDEXES[name]
