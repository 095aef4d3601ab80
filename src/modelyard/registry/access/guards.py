"""Guarded refs: protected branches, tags and aliases, and who may move them."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

from modelyard.catalog.queries import guards, refs
from modelyard.core.access import (
    NOBODY,
    ROLES,
    Caller,
    Role,
    check_pattern,
    fits,
    lower,
    parse_role,
)
from modelyard.core.people import Guard
from modelyard.errors import Conflict, Denied, InvalidInput, NotFound
from modelyard.registry.access.notes import write_note
from modelyard.registry.access.rights import OWNER, need
from modelyard.registry.lookup import moment

if TYPE_CHECKING:
    from collections.abc import Iterable

    import sqlalchemy as sa

    from modelyard.catalog.queries.guards import GuardRow
    from modelyard.catalog.queries.models import ModelRow
    from modelyard.registry.house import House

__all__ = [
    "Rule",
    "add_guard",
    "all_guards",
    "check_in",
    "check_leaving",
    "check_move",
    "remove_guard",
    "rule_for",
    "rule_in",
]

_REF_GLOB = re.compile(r"[^\x00-\x20\x7f~^:\\@{}]{1,200}\Z")
_MOST_APPROVALS = 20


class Rule(NamedTuple):
    """What all guards of one ref ask for together: the highest role, the most approvals."""

    role: Role
    approvals: int


def rule_for(connection: sa.Connection, model: str, ref: str) -> Rule | None:
    """None if the ref is not guarded."""
    return rule_in(guards.listed(connection), model, ref)


def rule_in(rows: Iterable[GuardRow], model: str, ref: str) -> Rule | None:
    """As `rule_for`, where all guards are at hand."""
    found = [row for row in rows if fits(row.pattern, model) and fnmatchcase(ref, row.ref)]
    if not found:
        return None
    role = max((parse_role(row.role) for row in found), key=ROLES.index)
    return Rule(role, max(row.approvals for row in found))


def check_move(house: House, caller: Caller, model: str, ref: str, new: object) -> None:
    """Whether the caller may move a ref just so, or make or delete it.

    Args:
        new: What it is to point at, for the hint; None if it is to go.

    Raises:
        Denied: `guarded` if the role is too low, `needs-approval` if others must approve.
    """
    with house.catalog.fresh() as connection:
        check_in(connection, caller, model, ref, new)


def check_in(
    connection: sa.Connection,
    caller: Caller,
    model: str,
    ref: str,
    new: object,
    *,
    alone: bool = False,
) -> None:
    """`check_move` in the transaction that moves; whoever has the yard's folder may.

    Args:
        alone: Whether nobody needs to approve.
    """
    if caller is NOBODY:
        return
    rule = rule_for(connection, model, ref)
    if rule is None:
        return
    if not caller.may(model, rule.role):
        raise Denied(
            "guarded", f"{ref} of {model} is guarded: it takes the role {rule.role} to move it",
            hint=f"yard propose {model} {ref} REV, or ask whoever has that role",
        )  # fmt: skip
    if rule.approvals and not alone:
        words = "another" if rule.approvals == 1 else f"{rule.approvals} others"
        raise Denied(
            "needs-approval", f"{ref} of {model} is guarded: {words} must approve each move",
            hint="an admin may remove the guard: yard guard remove" if new is None
            else f"yard propose {model} {ref} {new}",
        )  # fmt: skip


def check_leaving(
    connection: sa.Connection, caller: Caller, model: ModelRow, new_name: str | None = None
) -> None:
    """Whether a model may be renamed or deleted, which takes its refs from under their guards.

    Args:
        new_name: What it is to be called; its roles are others there.

    Raises:
        Denied: `guarded`: who does it must be able to move each guarded ref, and be admin where
            others must approve that. `not-allowed`: the role for the new name is too low.
    """
    if caller is NOBODY:
        return
    if new_name is not None and not caller.may(new_name, "writer"):
        raise Denied("not-allowed", f"this takes the role writer for {new_name!r} too")
    for ref in refs.of_models(connection, [model.id]):
        rule = rule_for(connection, model.name, ref.name)
        if rule is None:
            continue
        needed: Role = "admin" if rule.approvals else rule.role
        if not caller.may(model.name, needed):
            raise Denied(
                "guarded", f"{ref.name} of {model.name} is guarded: this takes the role {needed}",
                hint="ask an admin of the model",
            )  # fmt: skip


def all_guards(house: House) -> list[Guard]:
    """Those for models that whoever asks may read some of."""
    from modelyard.registry.access.rights import acting

    caller = acting(house)
    with house.catalog.read() as connection:
        rows = guards.listed(connection)
    return [_value(row) for row in rows if caller.may(row.pattern, "reader")]


def add_guard(house: House, pattern: str, ref: str, *, role: Role, approvals: int) -> Guard:
    """Guard refs of models; who does has the role maintainer for all of them, and this one.

    Only an admin puts one that asks for less in the place of one that asks for approvals.

    Raises:
        Denied: `not-allowed`.
        InvalidInput: `bad-pattern`, `bad-role`, `bad-guard`.
    """
    check_pattern(pattern)
    need(house, pattern, "maintainer")
    need(house, pattern, role)
    if parse_role(role) not in ("writer", "maintainer", "admin"):
        raise InvalidInput("bad-role", "refs are moved by a writer, maintainer or admin")
    if _REF_GLOB.match(ref) is None:
        raise InvalidInput(
            "bad-guard", f"{ref[:120]!r} stands for no refs", hint="a name, or 'release/*'"
        )
    if not 0 <= approvals <= _MOST_APPROVALS:
        raise InvalidInput("bad-guard", f"approvals by 0 to {_MOST_APPROVALS} others")

    def work(connection: sa.Connection) -> Guard:
        old = guards.get(connection, pattern, ref)
        if old is not None:
            less = approvals < old.approvals or lower(role, parse_role(old.role)) != old.role
            need(house, pattern, "admin" if old.approvals and less else parse_role(old.role))
            guards.remove(connection, old.id)
        guards.create(
            connection, pattern=pattern, ref=ref, role=role, approvals=approvals,
            created=house.catalog.now(connection), who=house.caller.name or OWNER,
        )  # fmt: skip
        told = {"pattern": pattern, "ref": ref, "role": role, "approvals": approvals}
        if old is not None:
            told["before"] = f"{old.role}, {old.approvals} approvals"
        write_note(house, connection, "guard", told)
        made = guards.get(connection, pattern, ref)
        if made is None:
            raise Conflict("guard-gone", "the guard was removed at once", hint="yard guard list")
        return _value(made)

    return house.catalog.write_alone(work)


def remove_guard(house: House, pattern: str, ref: str) -> Guard:
    """Denied: `not-allowed`; NotFound: `no-guard`.

    Who removes one that asks for approvals is admin: else its approvals could be gone around.
    """
    check_pattern(pattern)
    need(house, pattern, "maintainer")

    def work(connection: sa.Connection) -> Guard:
        row = guards.get(connection, pattern, ref)
        if row is None:
            raise NotFound("no-guard", f"no guard {ref!r} for {pattern}", hint="yard guard list")
        need(house, pattern, "admin" if row.approvals else parse_role(row.role))
        guards.remove(connection, row.id)
        told = {"pattern": pattern, "ref": ref, "role": row.role, "approvals": row.approvals}
        write_note(house, connection, "guard-removed", told)
        return _value(row)

    return house.catalog.write_alone(work)


def _value(row: GuardRow) -> Guard:
    return Guard(
        pattern=row.pattern, ref=row.ref, role=parse_role(row.role), approvals=row.approvals,
        who=row.who, created=moment(row.created),
    )  # fmt: skip
