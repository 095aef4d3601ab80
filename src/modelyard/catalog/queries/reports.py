"""Statements about reports: evaluations, explanations, profiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from modelyard.catalog.queries.chunks import batches
from modelyard.catalog.schema import report, version

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ReportRow", "add", "drop", "has", "of_model", "of_version", "outcomes_of"]


class ReportRow(NamedTuple):
    """A row of `report` without its outcomes, and the number of its version."""

    id: int
    version_id: int
    number: int
    kind: str
    data: str
    digest: str
    suite: str
    created: int
    who: str
    content: bytes


_COLUMNS = [
    report.c.id, report.c.version_id, version.c.number,
    *(report.c[name] for name in ReportRow._fields[3:]),
]  # fmt: skip
_SELECT = (
    sa.select(*_COLUMNS)
    .join_from(report, version, report.c.version_id == version.c.id)
    .order_by(report.c.id.desc())
)
_OF_VERSION = _SELECT.where(report.c.version_id == sa.bindparam("version"))
_OF_MODEL = _SELECT.where(version.c.model_id == sa.bindparam("model"), version.c.deleted == 0)
_OF_KIND = report.c.kind == sa.bindparam("kind")


def add(connection: sa.Connection, row: ReportRow, outcomes: bytes | None) -> None:
    values = row._asdict()
    del values["number"]
    connection.execute(sa.insert(report), {**values, "outcomes": outcomes})


def of_version(
    connection: sa.Connection,
    version_id: int,
    kind: str | None,
    *,
    before: int | None = None,
    limit: int | None = None,
) -> list[ReportRow]:
    """Reports of one version, newest first, from below a number on."""
    statement = _OF_VERSION if kind is None else _OF_VERSION.where(_OF_KIND)
    statement = _cut(statement, before, limit)
    rows = connection.execute(statement, _given(version=version_id, kind=kind))
    return [ReportRow._make(row) for row in rows]


def of_model(
    connection: sa.Connection,
    model_id: int,
    kind: str | None,
    *,
    before: int | None = None,
    limit: int | None = None,
) -> list[ReportRow]:
    """Reports of all versions that live, newest first, from below a number on."""
    statement = _OF_MODEL if kind is None else _OF_MODEL.where(_OF_KIND)
    statement = _cut(statement, before, limit)
    rows = connection.execute(statement, _given(model=model_id, kind=kind))
    return [ReportRow._make(row) for row in rows]


def newest_of(connection: sa.Connection, keys: Iterable[int], kind: str) -> list[ReportRow]:
    """The newest report of a kind of each of these versions, by their rows."""
    newest = (
        sa.select(sa.func.max(report.c.id))
        .where(report.c.version_id.in_(sa.bindparam("keys", expanding=True)), _OF_KIND)
        .group_by(report.c.version_id)
    )
    return [
        ReportRow._make(row)
        for batch in batches(keys)
        for row in connection.execute(
            _SELECT.where(report.c.id.in_(newest)), {"keys": batch, "kind": kind}
        )
    ]


def outcomes_of(connection: sa.Connection, ids: Iterable[int]) -> dict[int, bytes]:
    """Outcomes by report, of those that have any."""
    statement = sa.select(report.c.id, report.c.outcomes).where(
        report.c.id.in_(sa.bindparam("ids", expanding=True)), report.c.outcomes.is_not(None)
    )
    return {
        row.id: row.outcomes
        for batch in batches(ids)
        for row in connection.execute(statement, {"ids": batch})
    }


def drop(connection: sa.Connection, version_id: int) -> None:
    """Forget what is known of a version."""
    statement = sa.delete(report).where(report.c.version_id == sa.bindparam("v"))
    connection.execute(statement, {"v": version_id})


def has(connection: sa.Connection, model_id: int, key: int) -> bool:
    """Whether a report with this number belongs to a living version of the model."""
    statement = _OF_MODEL.where(report.c.id == sa.bindparam("key"))
    return connection.execute(statement, {"model": model_id, "key": key}).first() is not None


def _cut(statement: sa.Select[Any], before: int | None, limit: int | None) -> sa.Select[Any]:
    return statement.limit(limit) if before is None else statement.where(
        report.c.id < before
    ).limit(limit)  # fmt: skip


def _given(**values: object) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}
