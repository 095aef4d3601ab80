"""Statements for pages that show many models at a glance, and one model over its versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from modelyard.catalog.queries.chunks import batches
from modelyard.catalog.queries.models import ModelRow
from modelyard.catalog.queries.refs import RefRow
from modelyard.catalog.schema import label, metric, model, ref, version

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Truth = sa.ColumnElement[bool]

__all__ = [
    "Measured", "Trait", "aliases_of", "in_order", "labels_of", "metric_names", "metric_of",
    "models_by_ids", "models_of", "recent_names", "recent_values", "refs_in_part", "size_of",
    "traits_of",
]  # fmt: skip

_MODEL = [model.c[name] for name in ModelRow._fields]
_OWN = version.alias("own")
_NEWEST = (
    sa.select(_OWN.c.id)
    .where(_OWN.c.model_id == model.c.id, _OWN.c.deleted == 0)
    .order_by(_OWN.c.number.desc())
    .limit(1)
    .scalar_subquery()
)
_ORDERS = {
    "updated": model.c.updated, "created": model.c.created, "name": model.c.name,
    "number": model.c.next_number,
    # databases differ in where they put what is NULL: a model without versions
    "size": sa.func.coalesce(version.c.size, -1),
}  # fmt: skip


def in_order(
    connection: sa.Connection,
    key: str,
    *,
    descending: bool,
    where: Truth | None,
    limit: int,
    offset: int = 0,
) -> list[tuple[int, int | None]]:
    """Living models and the newest living version of each, by ids.

    Args:
        key: `updated`, `created`, `name`, `number`, or `size` of the newest version.
        where: Only those of them.
    """
    order = _ORDERS[key]
    chosen = sa.select(model.c.id, _NEWEST.label("newest")).where(model.c.deleted == 0)
    if key == "size":
        chosen = chosen.outerjoin(version, version.c.id == _NEWEST)
    if where is not None:
        chosen = chosen.where(where)
    ways = (order.desc(), model.c.id.desc()) if descending else (order.asc(), model.c.id.asc())
    rows = connection.execute(chosen.order_by(*ways).limit(limit).offset(offset))
    return [(row.id, row.newest) for row in rows]


_OF_VERSIONS = sa.select(version.c.id, version.c.model_id).where(
    version.c.id.in_(sa.bindparam("ids", expanding=True))
)


def models_of(connection: sa.Connection, versions: Sequence[int]) -> dict[int, int]:
    """The model of each of these versions, by ids."""
    return {
        row.id: row.model_id
        for batch in batches(versions)
        for row in connection.execute(_OF_VERSIONS, {"ids": batch}).all()
    }


class Trait(NamedTuple):
    """What a list is narrowed by, of one version and its model."""

    model_id: int
    name: str
    kind: str
    framework: str
    formats: str
    author: str


_TRAITS = (
    sa.select(
        version.c.model_id, model.c.name, model.c.kind, version.c.framework, version.c.formats,
        version.c.author,
    )
    .join_from(version, model, model.c.id == version.c.model_id)
    .where(version.c.id.in_(sa.bindparam("ids", expanding=True)))
)  # fmt: skip


def traits_of(connection: sa.Connection, versions: Iterable[int]) -> list[Trait]:
    return [
        Trait._make(row)
        for batch in batches(versions)
        for row in connection.execute(_TRAITS, {"ids": batch}).all()
    ]


_LABELS = (
    sa.select(version.c.model_id, label.c.name, label.c.value)
    .join_from(
        version,
        label,
        sa.and_(label.c.model_id == version.c.model_id, label.c.number == version.c.number),
    )
    .where(version.c.id.in_(sa.bindparam("ids", expanding=True)))
)


def labels_of(connection: sa.Connection, versions: Iterable[int]) -> dict[int, dict[str, str]]:
    """The labels of these versions, one of each model, by the model's id."""
    found: dict[int, dict[str, str]] = {}
    for batch in batches(versions):
        for key, name, value in connection.execute(_LABELS, {"ids": batch}).all():
            found.setdefault(key, {})[name] = value
    return found


_BY_IDS = sa.select(*_MODEL).where(model.c.id.in_(sa.bindparam("ids", expanding=True)))


def models_by_ids(connection: sa.Connection, ids: Iterable[int]) -> dict[int, ModelRow]:
    return {
        row.id: ModelRow._make(row)
        for batch in batches(ids)
        for row in connection.execute(_BY_IDS, {"ids": batch}).all()
    }


_REF = [ref.c[name] for name in RefRow._fields]
_ALIASES = (
    sa.select(*_REF)
    .where(ref.c.model_id.in_(sa.bindparam("ids", expanding=True)), ref.c.kind == "alias")
    .order_by(ref.c.name)
)


def aliases_of(connection: sa.Connection, models: Iterable[int]) -> dict[int, list[RefRow]]:
    """The aliases of these models by name, by the model's id."""
    found: dict[int, list[RefRow]] = {}
    for batch in batches(models):
        for row in connection.execute(_ALIASES, {"ids": batch}).all():
            found.setdefault(row.model_id, []).append(RefRow._make(row))
    return found


_LAST = (
    sa.select(version.c.id, version.c.model_id)
    .join_from(
        model,
        version,
        sa.and_(
            version.c.model_id == model.c.id,
            version.c.number >= model.c.next_number - sa.bindparam("most"),
        ),
    )
    .where(model.c.id.in_(sa.bindparam("ids", expanding=True)), version.c.deleted == 0)
)
_VALUES = sa.select(metric.c.version_id, metric.c.name, metric.c.value).where(
    metric.c.version_id.in_(sa.bindparam("ids", expanding=True)),
    metric.c.name.in_(sa.bindparam("names", expanding=True)),
)

_NAMES_OF = sa.select(metric.c.version_id, metric.c.name).where(
    metric.c.version_id.in_(sa.bindparam("ids", expanding=True))
)


def recent_values(
    connection: sa.Connection, wanted: dict[int, str], most: int
) -> dict[int, list[float]]:
    """One metric of each of these models over its last versions, the oldest first, by model id.

    In two steps: in one, SQLite would begin with all values of these metrics.
    """
    if not wanted:
        return {}
    owners = _last_of(connection, wanted, most)
    names = sorted(set(wanted.values()))
    values = {
        key: value
        for batch in batches(owners)
        for key, name, value in connection.execute(_VALUES, {"ids": batch, "names": names}).all()
        if wanted[owners[key]] == name
    }
    found: dict[int, list[float]] = {}
    for key in sorted(values):  # versions are numbered as their rows are
        found.setdefault(owners[key], []).append(values[key])
    return found


def recent_names(
    connection: sa.Connection, models: Iterable[int], most: int
) -> dict[int, set[str]]:
    """Names of the metrics that the last versions of each of these models have."""
    owners = _last_of(connection, models, most)
    found: dict[int, set[str]] = {}
    for batch in batches(owners):
        for key, name in connection.execute(_NAMES_OF, {"ids": batch}).all():
            found.setdefault(owners[key], set()).add(name)
    return found


def _last_of(connection: sa.Connection, models: Iterable[int], most: int) -> dict[int, int]:
    """The last versions of models, each with its model."""
    return {
        row.id: row.model_id
        for batch in batches(models)
        for row in connection.execute(_LAST, {"ids": batch, "most": most}).all()
    }


# -- one model -----------------------------------------------------------------------------------


class Measured(NamedTuple):
    """A metric of one version."""

    number: int
    value: float
    branch: str


_MEASURED = (
    sa.select(version.c.number, metric.c.value, version.c.branch)
    .join_from(version, metric, metric.c.version_id == version.c.id)
    .where(
        version.c.model_id == sa.bindparam("m"),
        version.c.deleted == 0,
        metric.c.name == sa.bindparam("n"),
    )
    .order_by(version.c.number)
)


def metric_of(connection: sa.Connection, model: int, name: str) -> list[Measured]:
    """A metric over all versions of a model that live and have it."""
    return [*map(Measured._make, connection.execute(_MEASURED, {"m": model, "n": name}).all())]


_NAMES = (
    sa.select(metric.c.name, sa.func.count().label("count"))
    .join_from(version, metric, metric.c.version_id == version.c.id)
    .where(
        version.c.model_id == sa.bindparam("m"),
        version.c.number >= sa.bindparam("low"),
        version.c.deleted == 0,
    )
    .group_by(metric.c.name)
    .order_by(sa.desc("count"), metric.c.name)
    .limit(sa.bindparam("most"))
)


def metric_names(connection: sa.Connection, model: int, *, low: int, most: int) -> list[str]:
    """Metrics of a model's versions from a number on, the most usual first."""
    return list(connection.scalars(_NAMES, {"m": model, "low": low, "most": most}))


_SIZE = sa.select(
    sa.func.count(), sa.func.coalesce(sa.func.sum(version.c.new_bytes), 0)
).where(version.c.model_id == sa.bindparam("m"), version.c.deleted == 0)  # fmt: skip


def size_of(connection: sa.Connection, model: int) -> tuple[int, int]:
    """How many versions live, and the bytes that they added."""
    count, stored = connection.execute(_SIZE, {"m": model}).one()
    return int(count), int(stored)


_PART = (
    sa.select(*_REF, version.c.commit_id)
    .outerjoin_from(
        ref,
        version,
        sa.and_(version.c.model_id == ref.c.model_id, version.c.number == ref.c.number),
    )
    .where(ref.c.model_id == sa.bindparam("m"), ref.c.kind == sa.bindparam("kind"))
    .order_by(ref.c.number.desc(), ref.c.name)
    .limit(sa.bindparam("most"))
)


def refs_in_part(
    connection: sa.Connection, model: int, kind: str, most: int
) -> list[tuple[RefRow, str]]:
    """Refs of one kind with their commits in hex, those at the newest versions first."""
    rows = connection.execute(_PART, {"m": model, "kind": kind, "most": most})
    return [(RefRow._make(row[:-1]), row[-1].hex() if row[-1] else "") for row in rows]
