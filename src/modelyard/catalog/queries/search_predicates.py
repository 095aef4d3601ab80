"""Conditions on a version that SQL decides alone."""

from __future__ import annotations

import json
import operator
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from modelyard.catalog.schema import param, ref, version
from modelyard.core.query import Age, Compare, HasParam, HasTime

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelyard.catalog.queries.search_index import Truth

    Ids = sa.Select[int]

__all__ = [
    "OPERATORS", "escaped", "exists", "measured", "param_test", "pointed_by", "time_test",
]  # fmt: skip

OPERATORS: dict[Compare, Callable[[Any, Any], Any]] = {
    "=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le,
    ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


def pointed_by(kind: str, name: str) -> tuple[Truth, Ids]:
    """A ref of this kind and name points at the version; and all such versions."""
    same = (ref.c.name == name, ref.c.kind == kind)
    here = sa.and_(ref.c.model_id == version.c.model_id, ref.c.number == version.c.number)
    ids = sa.select(version.c.id).join_from(ref, version, here).where(*same)
    return exists(ref, here, *same), ids


def measured(table: sa.Table, name: str, test: Truth) -> tuple[Truth, Ids]:
    """The version has this metric or parameter and it meets the test; and all such versions."""
    named = table.c.name == name
    ids = sa.select(table.c.version_id).where(named, test)
    return exists(table, table.c.version_id == version.c.id, named, test), ids


def param_test(condition: HasParam) -> Truth:
    """On a row of `param`."""
    number, test = condition.number, OPERATORS[condition.compare]
    if number is not None and condition.compare not in ("=", "!="):
        return sa.and_(test(param.c.number, number), param.c.number.is_not(None))
    texts = {json.dumps(condition.value), json.dumps(condition.value, ensure_ascii=False)}
    if condition.value in ("true", "false", "null"):
        texts.add(condition.value)
    same: Truth = sa.and_(param.c.number.is_(None), param.c.value.in_(sorted(texts)))
    if number is not None:
        same = sa.or_(param.c.number == number, same)
    if condition.compare == "=":
        return same
    return sa.not_(sa.func.coalesce(same, sa.false()))


def time_test(column: sa.Column[int], condition: HasTime, now: int) -> Truth:
    """On a column of times."""
    if isinstance(condition.when, Age):
        edge = now - condition.when.microseconds()
        younger = {"<": operator.gt, "<=": operator.ge, ">": operator.lt, ">=": operator.le}
        result: Truth = younger[condition.compare](column, edge)
        return result
    start, end = condition.when.span()
    match condition.compare:
        case "=":
            return sa.and_(column >= start, column < end)
        case "!=":
            return sa.or_(column < start, column >= end)
        case "<":
            return column < start
        case "<=":
            return column < end
        case ">":
            return column >= end
        case ">=":
            return column >= start


def exists(table: sa.Table, *tests: Truth) -> Truth:
    """A row of another table that belongs to the version."""
    return sa.exists(sa.select(sa.literal(1)).select_from(table).where(*tests).correlate(version))


def escaped(text: str) -> str:
    """Text as a part of a LIKE pattern."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
