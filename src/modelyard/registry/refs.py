"""Moving refs: branches, tags and aliases. Every move is logged and can be undone."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from modelyard.catalog.queries import audit, refs, versions
from modelyard.core.names import RefName
from modelyard.core.version import RefInfo, RefKind, RefMove
from modelyard.errors import Conflict, NotFound
from modelyard.registry.access.guards import check_in
from modelyard.registry.journal import Journal, in_journal
from modelyard.registry.lookup import find_model, find_version, moment, ref_info, refs_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import sqlalchemy as sa

    from modelyard.catalog.queries.models import ModelRow
    from modelyard.core.version import RefKind
    from modelyard.registry.house import House

__all__ = [
    "ANYWHERE", "SOMEWHERE", "Expected", "all_refs", "check_alias", "create", "delete",
    "move_alias", "move_ref", "one", "place_before", "reflog", "reflog_page", "rollback",
]  # fmt: skip


class Place(Enum):
    """Where a ref may be for a change to go on, if not at one version."""

    ANYWHERE = "anywhere, or not there"
    SOMEWHERE = "there"


ANYWHERE, SOMEWHERE = Place.ANYWHERE, Place.SOMEWHERE
Expected = int | Place | None
"""A version's number; None if the ref must not be there."""


def all_refs(house: House, model: str) -> tuple[RefInfo, ...]:
    with house.catalog.read() as connection:
        row = find_model(connection, model, house.caller)
        return refs_of(connection, [row.id]).get(row.id, ())


def one(house: House, model: str, name: str) -> RefInfo:
    """One branch, tag or alias. NotFound: `no-ref`."""
    ref = RefName.parse(name)
    with house.catalog.read() as connection:
        row = find_model(connection, model, house.caller)
        there = refs.get(connection, row.id, ref.text)
        if there is None:
            raise _no_ref(row, ref)
        return ref_info(connection, row, [there])[0]


def create(
    house: House, model: str, name: str, kind: RefKind, revision: str | int | None
) -> RefInfo:
    """A branch or a tag that is not there yet."""
    ref = RefName.parse(name)

    def work(journal: Journal) -> RefInfo:
        row = journal.model(model)
        version = find_version(journal.connection, row, revision)
        there = refs.get(journal.connection, row.id, ref.text)
        if there is not None:
            raise _exists(row, there)
        check_in(journal.connection, house.caller, row.name, ref.text, version.number)
        return move_ref(house, journal, row, ref.text, kind, None, version.number, kind)

    info: RefInfo = in_journal(house, work)
    return info


def move_alias(
    house: House,
    model: str,
    name: str,
    revision: str | int | None,
    *,
    expected: Expected = ANYWHERE,
) -> RefInfo:
    """Point an alias, new or not, at a version. Conflict: `stale`."""
    ref = RefName.parse(name)

    def work(journal: Journal) -> RefInfo:
        row = journal.model(model)
        version = find_version(journal.connection, row, revision)
        there = refs.get(journal.connection, row.id, ref.text)
        if there is not None and there.kind != "alias":
            raise _exists(row, there)
        _check_expected(row, ref, there, expected)
        check_in(journal.connection, house.caller, row.name, ref.text, version.number)
        old = None if there is None else there.number
        return move_ref(house, journal, row, ref.text, "alias", old, version.number, "alias")

    info: RefInfo = in_journal(house, work)
    return info


def rollback(
    house: House,
    model: str,
    name: str,
    to: str | int | None,
    *,
    expected: Expected = ANYWHERE,
) -> RefInfo:
    """Point an alias back to where it pointed before, or to `to`. Conflict: `stale`."""
    ref = RefName.parse(name)

    def work(journal: Journal) -> RefInfo:
        connection = journal.connection
        row = journal.model(model)
        there = refs.get(connection, row.id, ref.text)
        if there is None or there.kind != "alias":
            raise _no_alias(row, ref)
        _check_expected(row, ref, there, expected)
        if to is not None:
            target = find_version(connection, row, to).number
        else:
            target = _before(connection, row, there)
        check_in(connection, house.caller, row.name, ref.text, target)
        return move_ref(house, journal, row, ref.text, "alias", there.number, target, "rollback")

    info: RefInfo = in_journal(house, work)
    return info


def place_before(house: House, model: str, name: str) -> tuple[RefInfo, int]:
    """An alias, and where `rollback` would point it. NotFound: `no-alias`.

    Conflict: `nothing-before`.
    """
    ref = RefName.parse(name)
    with house.catalog.read() as connection:
        row = find_model(connection, model, house.caller)
        there = refs.get(connection, row.id, ref.text)
        if there is None or there.kind != "alias":
            raise _no_alias(row, ref)
        return ref_info(connection, row, [there])[0], _before(connection, row, there)


def _before(connection: sa.Connection, model: ModelRow, alias: refs.RefRow) -> int:
    """Where the alias pointed before; rolled back again, it goes one further into its past."""
    past: list[int] = []
    for move in reversed(audit.moves(connection, model.id, alias.name)):
        if move.new is None:
            past.clear()
        elif move.action == "rollback" and move.new in past:
            del past[len(past) - past[::-1].index(move.new) :]
        elif not past or past[-1] != move.new:
            past.append(move.new)
    for number in reversed(past[:-1]):
        row = versions.by_number(connection, model.id, number)
        if row is not None and not row.deleted and number != alias.number:
            return number
    raise Conflict(
        "nothing-before", f"{alias.name} of {model.name} pointed nowhere before",
        hint=f"yard rollback {model.name} {alias.name} --to REV",
    )  # fmt: skip


def delete(house: House, model: str, name: str, *, expected: Expected = ANYWHERE) -> RefInfo:
    """Forget a ref; the version stays. Conflict: `stale`."""
    ref = RefName.parse(name)

    def work(journal: Journal) -> RefInfo:
        row = journal.model(model)
        there = refs.get(journal.connection, row.id, ref.text)
        if there is None:
            raise _no_ref(row, ref)
        _check_expected(row, ref, there, expected)
        check_in(journal.connection, house.caller, row.name, ref.text, None)
        (info,) = ref_info(journal.connection, row, [there])
        move_ref(house, journal, row, ref.text, there.kind, there.number, None, "delete")
        return info

    info: RefInfo = in_journal(house, work)
    return info


def move_ref(
    house: House,
    journal: Journal,
    model: ModelRow,
    name: str,
    kind: RefKind,
    old: int | None,
    new: int | None,
    reason: str,
) -> RefInfo:
    """Write one move: the ref's row, the reflog, the journal."""
    connection = journal.connection
    apply_move(connection, model.id, name, kind, old, new)
    journal.write(
        "ref", who=house.author, model=model.id, name=model.name,
        detail={"ref": name, "kind": kind, "old": old, "new": new, "reason": reason},
    )  # fmt: skip
    number = new if new is not None else old or 0
    version = versions.by_number(connection, model.id, number)
    return RefInfo(name, kind, number, version.commit_id.hex() if version else "")


def apply_move(
    connection: sa.Connection, model: int, name: str, kind: str, old: int | None, new: int | None
) -> None:
    """Change the ref's row, if it is where it is thought to be."""
    if new is None:
        refs.delete(connection, model, name)
    elif old is None:
        refs.create(connection, model, name, kind, new)
    elif not refs.compare_and_swap(connection, model, name, old, new):
        raise Conflict("ref-moved", f"{name} moved while you worked", hint="look, then try again")


def check_alias(connection: sa.Connection, model: ModelRow, alias: str) -> None:
    """Whether an alias may have this name, before the work whose result it is to point at.

    InvalidInput: `bad-ref-name`, `reserved-ref-name`. Conflict: `ref-exists`: it is something else.
    """
    there = refs.get(connection, model.id, RefName.parse(alias).text)
    if there is not None and there.kind != "alias":
        raise _exists(model, there)


def reflog(house: House, model: str, name: str | None) -> Iterator[RefMove]:
    """Every move, newest first."""
    with house.catalog.read() as connection:
        row = find_model(connection, model, house.caller)
        moves = audit.moves(connection, row.id, RefName.parse(name).text if name else None)
    for move in moves:
        yield RefMove(
            move.ref,
            move.kind,
            move.old,
            move.new,
            move.who,
            moment(move.time),
            move.action,
        )


def reflog_page(
    house: House, model: str, name: str | None, *, before: int | None, limit: int
) -> tuple[list[RefMove], int | None]:
    """Moves, newest first, and what to give as `before` for those that follow."""
    with house.catalog.read() as connection:
        row = find_model(connection, model, house.caller)
        ref = RefName.parse(name).text if name else None
        found = audit.moves_page(connection, row.id, ref, before=before, limit=limit + 1)
    moves = [
        RefMove(move.ref, move.kind, move.old, move.new, move.who, moment(move.time), move.action)
        for _, move in found[:limit]
    ]
    return moves, found[limit - 1][0] if len(found) > limit else None


def _check_expected(
    model: ModelRow, ref: RefName, there: refs.RefRow | None, expected: Expected
) -> None:
    number = None if there is None else there.number
    if expected in (ANYWHERE, number) or (expected is SOMEWHERE and number is not None):
        return
    where = "is not there" if number is None else f"is at version {number}"
    raise Conflict("stale", f"{ref} of {model.name} {where}", hint="look, then try again")


def _no_ref(model: ModelRow, ref: RefName) -> NotFound:
    return NotFound("no-ref", f"{model.name} has no branch, tag or alias {ref}")


def _no_alias(model: ModelRow, ref: RefName) -> NotFound:
    return NotFound(
        "no-alias", f"{model.name} has no alias {ref}", hint=f"yard alias {model.name} {ref} REV"
    )


def _exists(model: ModelRow, there: refs.RefRow) -> Conflict:
    return Conflict(
        "ref-exists", f"{model.name} has a {there.kind} {there.name} already",
        hint="choose another name; branches, tags and aliases share theirs",
    )  # fmt: skip
