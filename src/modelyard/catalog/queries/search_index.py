"""The full-text index: documents of terms by integer id, and all that differs between databases.

An index only ever gains terms: what it says is a hint that the rows must confirm. So a label taken
away, a renamed model or a deleted version need no care here; `remove` is for rows that go for good.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import sqlalchemy as sa

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


class _Vectors:
    """PostgreSQL: a tsvector of bare terms for each document, with a GIN index.

    Vectors are made from arrays, never from text: no parser, stemmer or stop word touches a term. A
    document too large for a vector holds `qevery` alone, and every search finds it.
    """

    def create(self) -> tuple[str, ...]:
        return tuple(
            statement
            for name in _TABLES
            for statement in (
                f"CREATE TABLE {name} (id BIGINT PRIMARY KEY, terms TSVECTOR NOT NULL)",
                f"CREATE INDEX {name}_terms ON {name} USING gin (terms)",
            )
        )

    def drop(self) -> tuple[str, ...]:
        return tuple(f"DROP TABLE {name}" for name in _TABLES)

    def add(
        self, connection: sa.Connection, documents: Documents, id: int, terms: Collection[str]
    ) -> None:
        held = sorted(terms) if len(terms) <= _LARGEST_VECTOR else ["qevery"]
        statement = sa.text(
            f"INSERT INTO {documents} AS old (id, terms)"
            " VALUES (:id, array_to_tsvector(CAST(:terms AS text[])))"
            " ON CONFLICT (id) DO UPDATE SET terms = CASE"
            f" WHEN length(old.terms) + length(excluded.terms) > {_LARGEST_VECTOR}"
            " THEN array_to_tsvector(ARRAY['qevery'])"
            " ELSE old.terms || excluded.terms END"
        )
        connection.execute(statement, {"id": id, "terms": held})

    def remove(
        self, connection: sa.Connection, documents: Documents, id: int, terms: Collection[str]
    ) -> None:
        """The whole document: its row goes for good."""
        connection.execute(sa.text(f"DELETE FROM {documents} WHERE id = :id"), {"id": id})

    def find(self, documents: Documents, match: AllOf) -> Found:
        found = sa.table(documents, sa.column("id", sa.BigInteger()), sa.column("terms"))
        matches: Truth = found.c.terms.op("@@", is_comparison=True)(
            sa.cast(sa.literal(_vector_query(match), sa.Text()), _TSQUERY())
        )
        return Found(found, found.c.id, found.c.id, matches)

    def contains(self, text: Text, pattern: str) -> Truth:
        return sa.and_(self._like(text, pattern), _is_ascii(text))

    def may_contain(self, text: Text, pattern: str) -> Truth:
        return sa.or_(self._like(text, pattern), sa.not_(_is_ascii(text)))

    def _like(self, text: Text, pattern: str) -> Truth:
        return sa.func.lower(text.collate("C")).like(pattern.lower(), escape="\\")


class _TermRows:
    """MySQL, MariaDB: a row for each term of a document, the newest document first.

    Not FULLTEXT: that sees other transactions' rows, or not, whatever this one's view is, and
    orders by relevance only.
    """

    def create(self) -> tuple[str, ...]:
        return tuple(
            f"CREATE TABLE {name} ("
            "term VARCHAR(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, id BIGINT NOT NULL,"
            " PRIMARY KEY (term, id), KEY of_document (id))"
            for name in _TABLES
        )

    def drop(self) -> tuple[str, ...]:
        return tuple(f"DROP TABLE {name}" for name in _TABLES)

    def add(
        self, connection: sa.Connection, documents: Documents, id: int, terms: Collection[str]
    ) -> None:
        if terms:
            connection.exec_driver_sql(
                f"INSERT IGNORE INTO {documents} (term, id) VALUES (%s, %s)",
                [(term, id) for term in sorted({*terms, _DOCUMENT})],
            )

    def remove(
        self, connection: sa.Connection, documents: Documents, id: int, terms: Collection[str]
    ) -> None:
        """The whole document: its row goes for good."""
        connection.exec_driver_sql(f"DELETE FROM {documents} WHERE id = %s", (id,))

    def find(self, documents: Documents, match: AllOf) -> Found:
        """Over the marks of the documents, so that each comes once."""
        found = _term_rows(documents).alias()
        held = [
            sa.or_(*(sa.and_(*(self._holds(found, documents, term) for term in terms))
                     for terms in any_of))
            for any_of in match
        ]  # fmt: skip
        return Found(found, found.c.id, found.c.id, sa.and_(found.c.term == _DOCUMENT, *held))

    def _holds(self, found: sa.FromClause, documents: Documents, term: Term) -> Truth:
        row = _term_rows(documents).alias()
        ids = sa.select(row.c.id)
        if not term.prefix:
            return found.c.id.in_(ids.where(row.c.term == term.text))
        # `~` comes after every letter and digit
        return found.c.id.in_(ids.where(row.c.term >= term.text, row.c.term < f"{term.text}~"))

    def contains(self, text: Text, pattern: str) -> Truth:
        return sa.and_(self._like(text, pattern), _is_ascii(text))

    def may_contain(self, text: Text, pattern: str) -> Truth:
        return sa.or_(self._like(text, pattern), sa.not_(_is_ascii(text)))

    def _like(self, text: Text, pattern: str) -> Truth:
        return sa.func.lower(text).like(pattern.lower(), escape="\\")


_TABLES = ("search_version", "search_model")
_DOCUMENT = "qd"
"""The term of every document."""
_LARGEST_VECTOR = 45_000
"""Terms of at most 21 characters in the megabyte that a tsvector may hold."""


class _TSQUERY(sa.types.UserDefinedType[str]):
    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "TSQUERY"


def _term_rows(documents: Documents) -> sa.TableClause:
    return sa.table(documents, sa.column("term", sa.String()), sa.column("id", sa.BigInteger()))


def _is_ascii(text: Text) -> Truth:
    return sa.func.octet_length(text) == sa.func.char_length(text)


def _vector_query(match: AllOf) -> str:
    """Terms are letters and digits alone, so nothing needs quotes."""
    wanted = " & ".join(
        "(" + " | ".join("(" + " & ".join(_vector_term(term) for term in terms) + ")"
                         for terms in any_of) + ")"
        for any_of in match
    )  # fmt: skip
    return f"({wanted}) | qevery"


def _vector_term(term: Term) -> str:
    return f"'{term.text}':*" if term.prefix else f"'{term.text}'"


_INDEXES: dict[str, TermIndex] = {
    "sqlite": _Fts5(), "postgresql": _Vectors(), "mysql": _TermRows(), "mariadb": _TermRows(),
}  # fmt: skip


def term_index(connection: sa.Connection) -> TermIndex:
    """The index of this database."""
    return _INDEXES[connection.dialect.name]
