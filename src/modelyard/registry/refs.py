"""Moving refs: branches, tags and aliases. Every move is logged and can be undone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.catalog.queries import audit, refs, versions
from modelyard.core.names import RefName
from modelyard.core.version import RefInfo, RefKind, RefMove
from modelyard.errors import Conflict, NotFound
from modelyard.registry.journal import Journal, in_journal
from modelyard.registry.lookup import find_model, find_version, moment, ref_info

if TYPE_CHECKING:
    from collections.abc import Iterator

    import sqlalchemy as sa

    from modelyard.catalog.queries.models import ModelRow
    from modelyard.core.version import RefKind
    from modelyard.registry.house import House

__all__ = ["all_refs", "create", "delete", "move_alias", "move_ref", "reflog", "rollback"]


def all_refs(house: House, model: str) -> tuple[RefInfo, ...]:
    with house.catalog.read() as connection:
        row = find_model(connection, model)
        return ref_info(connection, row, refs.of_models(connection, [row.id]))


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
        return move_ref(house, journal, row, ref.text, kind, None, version.number, kind)

    info: RefInfo = in_journal(house, work)
    return info


def move_alias(house: House, model: str, name: str, revision: str | int | None) -> RefInfo:
    """Point an alias, new or not, at a version."""
    ref = RefName.parse(name)

    def work(journal: Journal) -> RefInfo:
        row = journal.model(model)
        version = find_version(journal.connection, row, revision)
        there = refs.get(journal.connection, row.id, ref.text)
        if there is not None and there.kind != "alias":
            raise _exists(row, there)
        old = None if there is None else there.number
        return move_ref(house, journal, row, ref.text, "alias", old, version.number, "alias")

    info: RefInfo = in_journal(house, work)
    return info


def rollback(house: House, model: str, name: str, to: str | int | None) -> RefInfo:
    """Point an alias back to where it pointed before, or to `to`."""
    ref = RefName.parse(name)

    def work(journal: Journal) -> RefInfo:
        connection = journal.connection
        row = journal.model(model)
        there = refs.get(connection, row.id, ref.text)
        if there is None or there.kind != "alias":
            raise NotFound(
                "no-alias",
                f"{row.name} has no alias {ref}",
                hint=f"yard alias {row.name} {ref} REV",
            )
        if to is not None:
            target = find_version(connection, row, to).number
        else:
            target = _before(connection, row, there)
        return move_ref(house, journal, row, ref.text, "alias", there.number, target, "rollback")

    info: RefInfo = in_journal(house, work)
    return info


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


def delete(house: House, model: str, name: str) -> RefInfo:
    """Forget a ref; the version stays."""
    ref = RefName.parse(name)

    def work(journal: Journal) -> RefInfo:
        row = journal.model(model)
        there = refs.get(journal.connection, row.id, ref.text)
        if there is None:
            raise NotFound("no-ref", f"{row.name} has no branch, tag or alias {ref}")
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


def reflog(house: House, model: str, name: str | None) -> Iterator[RefMove]:
    """Every move, newest first."""
    with house.catalog.read() as connection:
        row = find_model(connection, model)
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


def _exists(model: ModelRow, there: refs.RefRow) -> Conflict:
    return Conflict(
        "ref-exists", f"{model.name} has a {there.kind} {there.name} already",
        hint="choose another name; branches, tags and aliases share theirs",
    )  # fmt: skip
