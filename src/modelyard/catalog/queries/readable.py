"""Which models somebody may read, as a condition in SQL: so that pages, orders and ends are right.

The rules are those of `core.access`; `tests/unit/catalog/test_readable.py` holds the two together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from modelyard.catalog.schema import model
from modelyard.core.access import NOBODY, Grant, Role, at_least

if TYPE_CHECKING:
    from modelyard.core.access import Caller

    Truth = sa.ColumnElement[bool]

__all__ = ["few_of", "readable", "sees_all"]


def sees_all(caller: Caller) -> bool:
    """Whether nothing is hidden: at the yard's own folder, or by the caller's role."""
    return caller is NOBODY or caller.reads_all


def readable(caller: Caller, name: Any = model.c.name) -> Truth | None:
    """The models that the caller may read, by their name; None: all of them."""
    if sees_all(caller):
        return None
    if not at_least(caller.ceiling, "reader"):
        return sa.false()
    granted = _granted(caller.grants, name)
    if not caller.only:
        return granted
    return sa.and_(granted, sa.or_(*(_fits(name, pattern) for pattern in caller.only)))


def few_of(connection: sa.Connection, where: Truth, most: int) -> list[int] | None:
    """Ids of the living models that meet a condition; None if there are more than `most`."""
    statement = sa.select(model.c.id).where(where, model.c.deleted == 0).limit(most + 1)
    ids = list(connection.scalars(statement))
    return ids if len(ids) <= most else None


def _granted(grants: tuple[Grant, ...], name: Any) -> Truth:
    """The most exact pattern decides, and of equal ones the highest role."""
    if Grant("*", "admin") in grants:
        return sa.true()
    best: dict[str, Role] = {}
    for grant in grants:
        if grant.pattern not in best or not at_least(best[grant.pattern], grant.role):
            best[grant.pattern] = grant.role
    may = {pattern: at_least(role, "reader") for pattern, role in best.items()}
    everywhere = may.pop("*", False)
    spaces = {pattern: yes for pattern, yes in may.items() if pattern.endswith("/*")}
    names = {pattern: yes for pattern, yes in may.items() if pattern not in spaces}
    wide: Truth = sa.true() if everywhere else sa.false()
    within = _either(name, spaces, wide)
    return _either(name, names, within)


def _either(name: Any, may: dict[str, bool], otherwise: Truth) -> Truth:
    """What these patterns say, and of what they say nothing, something else."""
    yes = [_fits(name, pattern) for pattern, allowed in may.items() if allowed]
    no = [_fits(name, pattern) for pattern, allowed in may.items() if not allowed]
    rest = sa.and_(sa.not_(sa.or_(*no)), otherwise) if no else otherwise
    return sa.or_(*yes, rest)


def _fits(name: Any, pattern: str) -> Truth:
    if pattern == "*":
        return sa.true()
    if pattern.endswith("/*"):
        start = pattern[:-1]
        same: Truth = sa.func.substr(name, 1, len(start)) == start
        return same
    exact: Truth = name == pattern
    return exact
