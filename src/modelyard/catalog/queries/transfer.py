"""Statements about what two yards have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from modelyard.catalog.queries.chunks import batches
from modelyard.catalog.schema import pack, redirect, report, version

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "ReportKey",
    "commits_of",
    "first_commits",
    "models_with",
    "old_names",
    "packs",
    "report_keys",
    "row_of_report",
]


class ReportKey(NamedTuple):
    """What makes a report the same in two yards; its number does not."""

    number: int
    """Of its version."""
    kind: str
    digest: str
    suite: str
    created: int
    who: str


_KEYS = (
    sa.select(report.c.id, version.c.number, *(report.c[n] for n in ReportKey._fields[1:]))
    .join_from(report, version, report.c.version_id == version.c.id)
    .where(version.c.model_id == sa.bindparam("model"))
    .order_by(report.c.id)
)
_ROW = sa.select(report.c.data, report.c.content, report.c.outcomes).where(
    report.c.id == sa.bindparam("key")
)
_COMMITS = sa.select(version.c.commit_id, version.c.number, version.c.deleted).where(
    version.c.model_id == sa.bindparam("model")
)
_WITH = sa.select(version.c.commit_id, version.c.model_id).where(
    version.c.commit_id.in_(sa.bindparam("commits", expanding=True))
)
_NAMES = sa.select(redirect.c.name).where(redirect.c.model_id == sa.bindparam("model"))


def commits_of(connection: sa.Connection, model: int) -> dict[bytes, tuple[int, int]]:
    """(number, time of deletion) of every version of a model, by commit."""
    rows = connection.execute(_COMMITS, {"model": model})
    return {row.commit_id: (row.number, row.deleted) for row in rows}


def models_with(connection: sa.Connection, commits: Iterable[bytes]) -> dict[bytes, set[int]]:
    """Which models have each of these commits."""
    found: dict[bytes, set[int]] = {}
    for batch in batches(commits):
        for row in connection.execute(_WITH, {"commits": batch}):
            found.setdefault(row.commit_id, set()).add(row.model_id)
    return found


def first_commits(connection: sa.Connection, models: Iterable[int]) -> dict[int, bytes]:
    """The commit of the oldest version of each of these models."""
    statement = sa.select(version.c.model_id, version.c.commit_id).where(version.c.number == 1)
    wanted = statement.where(version.c.model_id.in_(sa.bindparam("ids", expanding=True)))
    return {
        row.model_id: row.commit_id
        for batch in batches(models)
        for row in connection.execute(wanted, {"ids": batch})
    }


def old_names(connection: sa.Connection, model: int) -> list[str]:
    """Names that lead to a model because it had them once."""
    return list(connection.execute(_NAMES.order_by(redirect.c.name), {"model": model}).scalars())


def report_keys(connection: sa.Connection, model: int) -> dict[int, ReportKey]:
    """Every report of a model by its number, the oldest first."""
    rows = connection.execute(_KEYS, {"model": model})
    return {row[0]: ReportKey(*row[1:]) for row in rows}


def row_of_report(connection: sa.Connection, key: int) -> tuple[str, bytes, bytes | None]:
    """(data, content, outcomes) of one report."""
    row = connection.execute(_ROW, {"key": key}).one()
    return row.data, row.content, row.outcomes


def packs(connection: sa.Connection) -> dict[str, int]:
    """The row of every pack by its key."""
    return {row.name: row.id for row in connection.execute(sa.select(pack.c.name, pack.c.id))}
