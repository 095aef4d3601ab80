"""Statements about versions, their metrics, parameters and files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from modelyard.catalog.queries.chunks import batches
from modelyard.catalog.schema import file, metric, param, version

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["VersionRow", "all_of", "by_ids", "by_number", "by_prefix", "insert", "latest"]


class VersionRow(NamedTuple):
    """A row of `version`."""

    id: int
    model_id: int
    number: int
    commit_id: bytes
    tree_id: bytes
    parents: str
    branch: str
    author: str
    message: str
    created: int
    size: int
    new_bytes: int
    files: int
    formats: str
    framework: str
    deleted: int
    purged: bool

    @property
    def parent_numbers(self) -> tuple[int, ...]:
        return tuple(map(int, self.parents.split()))


_SELECT = sa.select(*(version.c[name] for name in VersionRow._fields))
_OF_MODEL = version.c.model_id == sa.bindparam("model")
_BY_NUMBER = _SELECT.where(_OF_MODEL, version.c.number == sa.bindparam("number"))
_LATEST = (
    _SELECT.where(_OF_MODEL, version.c.deleted == 0).order_by(version.c.number.desc()).limit(1)
)
_PREFIX = _SELECT.where(
    _OF_MODEL,
    version.c.commit_id >= sa.bindparam("low"),
    version.c.commit_id <= sa.bindparam("high"),
).limit(2)
_ALL = _SELECT.where(_OF_MODEL).order_by(version.c.number.desc())
_BY_IDS = _SELECT.where(version.c.id.in_(sa.bindparam("ids", expanding=True)))


def by_number(connection: sa.Connection, model: int, number: int) -> VersionRow | None:
    row = connection.execute(_BY_NUMBER, {"model": model, "number": number}).first()
    return None if row is None else VersionRow._make(row)


def by_prefix(connection: sa.Connection, model: int, prefix: str) -> list[VersionRow]:
    """At most two versions whose commit begins with these hex digits."""
    low, high = bytes.fromhex(prefix.ljust(40, "0")), bytes.fromhex(prefix.ljust(40, "f"))
    rows = connection.execute(_PREFIX, {"model": model, "low": low, "high": high})
    return [VersionRow._make(row) for row in rows]


def latest(connection: sa.Connection, model: int) -> VersionRow | None:
    row = connection.execute(_LATEST, {"model": model}).first()
    return None if row is None else VersionRow._make(row)


def all_of(connection: sa.Connection, model: int) -> list[VersionRow]:
    """Every version of a model, newest first, deleted ones too."""
    return [VersionRow._make(row) for row in connection.execute(_ALL, {"model": model})]


def page_of(
    connection: sa.Connection,
    model: int,
    *,
    most: int | None,
    limit: int,
    with_deleted: bool = False,
) -> list[VersionRow]:
    """Versions of a model with a number up to `most`, newest first."""
    statement = _SELECT.where(_OF_MODEL).order_by(version.c.number.desc()).limit(limit)
    if most is not None:
        statement = statement.where(version.c.number <= most)
    if not with_deleted:
        statement = statement.where(version.c.deleted == 0)
    return [VersionRow._make(row) for row in connection.execute(statement, {"model": model})]


def by_ids(connection: sa.Connection, ids: Iterable[int]) -> dict[int, VersionRow]:
    return {
        row.id: VersionRow._make(row)
        for batch in batches(ids)
        for row in connection.execute(_BY_IDS, {"ids": batch})
    }


def insert(connection: sa.Connection, values: Mapping[str, object]) -> int:
    key = connection.execute(sa.insert(version), dict(values)).inserted_primary_key
    return int(key[0]) if key else 0


def update(connection: sa.Connection, key: int, **values: object) -> None:
    statement = sa.update(version).where(version.c.id == sa.bindparam("row_key"))
    bound: dict[str, Any] = {name: sa.bindparam(f"v_{name}") for name in values}
    connection.execute(
        statement.values(**bound),
        {"row_key": key, **{f"v_{name}": value for name, value in values.items()}},
    )


# -- metrics and parameters --------------------------------------------------------------------


def insert_metrics(connection: sa.Connection, key: int, metrics: Mapping[str, float]) -> None:
    if metrics:
        rows = [{"version_id": key, "name": n, "value": v} for n, v in metrics.items()]
        connection.execute(sa.insert(metric), rows)


def put_metrics(connection: sa.Connection, key: int, metrics: Mapping[str, float]) -> None:
    """Set metrics; a name has one value."""
    statement = sa.delete(metric).where(
        metric.c.version_id == sa.bindparam("k"), metric.c.name == sa.bindparam("n")
    )
    if metrics:
        connection.execute(statement, [{"k": key, "n": name} for name in metrics])
    insert_metrics(connection, key, metrics)


def insert_params(
    connection: sa.Connection, key: int, params: Iterable[tuple[str, str, float | None]]
) -> None:
    """Parameters as (name, JSON text, number if it is one)."""
    rows = [
        {"version_id": key, "name": name, "value": value[:200], "number": number}
        for name, value, number in params
    ]
    if rows:
        connection.execute(sa.insert(param), rows)


def metrics_of(connection: sa.Connection, ids: Sequence[int]) -> dict[int, dict[str, float]]:
    statement = sa.select(metric).where(
        metric.c.version_id.in_(sa.bindparam("ids", expanding=True))
    )
    found: dict[int, dict[str, float]] = {}
    for batch in batches(ids):
        for row in connection.execute(statement, {"ids": batch}):
            found.setdefault(row.version_id, {})[row.name] = row.value
    return found


def params_of(
    connection: sa.Connection, ids: Sequence[int]
) -> dict[int, dict[str, tuple[str, float | None]]]:
    """Parameters by version and name: the beginning of their JSON, and the number if it is one."""
    statement = sa.select(param).where(param.c.version_id.in_(sa.bindparam("ids", expanding=True)))
    found: dict[int, dict[str, tuple[str, float | None]]] = {}
    for batch in batches(ids):
        for row in connection.execute(statement, {"ids": batch}):
            found.setdefault(row.version_id, {})[row.name] = row.value, row.number
    return found


# -- files -------------------------------------------------------------------------------------

_FILES_OF = sa.select(file.c.path, file.c.blob_id).where(file.c.version_id == sa.bindparam("key"))


def insert_files(connection: sa.Connection, key: int, files: Mapping[str, int]) -> None:
    """Paths and blob rows; 0 for a file that git holds itself."""
    rows = [{"version_id": key, "path": path, "blob_id": blob} for path, blob in files.items()]
    if rows:
        connection.execute(sa.insert(file), rows)


def files_of(connection: sa.Connection, key: int) -> dict[str, int]:
    return {row.path: row.blob_id for row in connection.execute(_FILES_OF, {"key": key})}


def drop_files(connection: sa.Connection, key: int) -> None:
    """A purged version holds no bytes any more."""
    connection.execute(sa.delete(file).where(file.c.version_id == sa.bindparam("k")), {"k": key})
