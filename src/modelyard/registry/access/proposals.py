"""Moves of guarded refs that wait until enough others have approved them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.catalog.queries import accounts, guards, models, proposals, refs, versions
from modelyard.core.access import Role, lower
from modelyard.core.lineage import is_ancestor
from modelyard.core.names import RefName
from modelyard.core.people import Proposal
from modelyard.errors import Conflict, Denied, InvalidInput, NotFound
from modelyard.registry.access.door import known_name, readable
from modelyard.registry.access.guards import Rule, rule_for, rule_in
from modelyard.registry.access.notes import write_note
from modelyard.registry.access.rights import OWNER, acting, caller_for
from modelyard.registry.journal import Journal, in_journal
from modelyard.registry.lookup import find_model, find_version, moment
from modelyard.registry.refs import move_ref

if TYPE_CHECKING:
    from collections.abc import Sequence

    import sqlalchemy as sa

    from modelyard.catalog.queries.models import ModelRow
    from modelyard.catalog.queries.proposals import ProposalRow
    from modelyard.catalog.queries.refs import RefRow
    from modelyard.registry.house import House

__all__ = ["all_proposals", "approvable", "approve", "propose", "withdraw"]

_LONGEST = 2000
_MOST = 1000
_STATES = ("open", "done", "withdrawn")
_NO_RULE = Rule("maintainer", 1)
"""For what was guarded when it was proposed, and is not now."""


def propose(house: House, model: str, ref: str, revision: str | int, *, message: str) -> Proposal:
    """Ask others to let a guarded ref point at a version; a new ref becomes an alias.

    Raises:
        Denied: `not-allowed`: it takes the role writer.
        Conflict: `not-guarded`, `proposed` if the same move is open already, `not-ahead` if a
            branch would lose versions.
    """
    name = RefName.parse(ref).text
    known = known_name(house, house.caller, model, "writer")
    if len(message) > _LONGEST:
        raise InvalidInput("bad-message", f"a message has at most {_LONGEST} characters")

    def work(connection: sa.Connection) -> Proposal:
        row = models.lock(connection, find_model(connection, known).id)
        rule = rule_for(connection, row.name, name)
        if rule is None or not rule.approvals:
            raise Conflict(
                "not-guarded", f"moves of {name} of {row.name} need nobody's approval",
                hint=f"move it: yard alias {row.name} {name} {revision}",
            )  # fmt: skip
        version = find_version(connection, row, revision)
        there = refs.get(connection, row.id, name)
        _check(connection, row, name, there, version.number)
        old = None if there is None else there.number
        for other in proposals.listed(connection, model=row.id, state="open", limit=_MOST):
            if (other.ref, other.old, other.new) == (name, old, version.number):
                raise Conflict(
                    "proposed", f"proposal {other.id} is for the same move",
                    hint=f"yard approve {other.id}",
                )  # fmt: skip
        now = house.catalog.now(connection)
        key = proposals.create(
            connection, model_id=row.id, ref=name, old=old, new=version.number,
            message=message, state="open", who=_who(house), created=now, changed=now,
        )  # fmt: skip
        told = {"proposal": key, "ref": name, "old": old, "new": version.number}
        write_note(house, connection, "propose", told, model=row.id)
        return _value(connection, _get(connection, key), row.name)

    return house.catalog.write(work)


def approve(house: House, key: int) -> Proposal:
    """Approve a move; the last approval that it needs makes it.

    Raises:
        NotFound: `no-proposal`.
        Denied: `not-allowed` if the role is too low, `own-proposal`.
        Conflict: `proposal-closed`, `approved-already`, `stale-proposal` if the ref has moved.
    """

    def work(journal: Journal) -> Proposal:
        connection, who = journal.connection, _who(house)
        found, model = _visible(house, connection, key)
        row = journal.hold(model.id)
        found = _get(connection, key)
        rule = rule_for(connection, row.name, found.ref) or _NO_RULE
        _may_approve(house, row, found, rule, who)
        approved = proposals.approvers(connection, [key]).get(key, [])
        if who in approved:
            raise Conflict("approved-already", f"you approved proposal {key} already")
        there = refs.get(connection, row.id, found.ref)
        if (None if there is None else there.number) != found.old:
            raise Conflict(
                "stale-proposal", f"{found.ref} of {row.name} has moved since it was proposed",
                hint=f"withdraw it, then yard propose {row.name} {found.ref} {found.new}",
            )  # fmt: skip
        find_version(connection, row, found.new)
        _check(connection, row, found.ref, there, found.new)
        proposals.approve(connection, key, who, journal.now)
        told = {"proposal": key, "ref": found.ref, "old": found.old, "new": found.new}
        write_note(house, connection, "approve", told, model=row.id)
        needed = _needed(rule)
        counted = [name for name in approved if _may_still(connection, name, row.name, needed)]
        if len(counted) + 1 >= rule.approvals:
            kind = "alias" if there is None else there.kind
            move_ref(house, journal, row, found.ref, kind, found.old, found.new, "alias"
                     if kind == "alias" else kind)  # fmt: skip
            proposals.end(connection, key, "done", journal.now)
        return _value(connection, _get(connection, key), row.name)

    result: Proposal = in_journal(house, work)
    return result


def withdraw(house: House, key: int) -> Proposal:
    """Give a proposal up: whoever made it, or a maintainer. Conflict: `proposal-closed`."""

    def work(connection: sa.Connection) -> Proposal:
        found, model = _visible(house, connection, key)
        if found.who != _who(house) and not acting(house).may(model.name, "maintainer"):
            raise Denied("not-allowed", f"proposal {key} is withdrawn by {found.who}, who made it")
        if not proposals.end(connection, key, "withdrawn", house.catalog.now(connection)):
            raise _closed(found)
        write_note(house, connection, "withdraw", {"proposal": key}, model=model.id)
        return _value(connection, _get(connection, key), model.name)

    return house.catalog.write(work)


def all_proposals(house: House, model: str | None, *, state: str | None) -> list[Proposal]:
    """For models that whoever asks may read; newest first. InvalidInput: `bad-state`."""
    if state is not None and state not in _STATES:
        raise InvalidInput("bad-state", f"{state[:40]!r} is none of {', '.join(_STATES)}")
    known = None if model is None else known_name(house, house.caller, model, "reader")
    may = readable(house, house.caller)
    with house.catalog.read() as connection:
        row = None if known is None else find_model(connection, known)
        found = proposals.listed(
            connection, model=None if row is None else row.id, state=state, limit=_MOST
        )
        names = models.names_of(connection, {each.model_id for each in found})
        approved = proposals.approvers(connection, [each.id for each in found])
        rows = guards.listed(connection)
    return [
        _told(each, name, approved.get(each.id, []), rule_in(rows, name, each.ref))
        for each in found
        if (name := names.get(each.model_id)) is not None and may(name)
    ]


def approvable(house: House, found: Sequence[Proposal]) -> frozenset[int]:
    """Ids of those that whoever asks may approve now."""
    caller, who = acting(house), _who(house)
    with house.catalog.read() as connection:
        rows = guards.listed(connection)
    return frozenset(
        each.id
        for each in found
        if each.state == "open" and who != each.who and who not in each.approved
        and caller.may(each.model, _needed(rule_in(rows, each.model, each.ref) or _NO_RULE))
    )  # fmt: skip


def _visible(house: House, connection: sa.Connection, key: int) -> tuple[ProposalRow, ModelRow]:
    """A proposal of a model that the caller may read. NotFound: `no-proposal`."""
    found = proposals.by_id(connection, key)
    model = None if found is None else models.by_id(connection, found.model_id)
    if found is None or model is None or model.deleted:
        raise _none(key)
    if not readable(house, house.caller)(model.name):
        raise _none(key)
    return found, model


def _may_approve(house: House, model: ModelRow, found: ProposalRow, rule: Rule, who: str) -> None:
    if found.state != "open":
        raise _closed(found)
    needed = _needed(rule)
    if not acting(house).may(model.name, needed):
        raise Denied(
            "not-allowed", f"this takes the role {needed} for {model.name}",
            hint="ask somebody who has it: yard approve",
        )  # fmt: skip
    if found.who == who:
        raise Denied("own-proposal", "nobody approves what they proposed", hint="ask somebody else")


def _needed(rule: Rule) -> Role:
    """The role of those whose approvals count."""
    return rule.role if lower(rule.role, "maintainer") == "maintainer" else "maintainer"


def _may_still(connection: sa.Connection, name: str, model: str, needed: Role) -> bool:
    """Whether somebody who approved has that role today."""
    if name == OWNER:
        return True
    row = accounts.by_name(connection, name)
    if row is None or row.disabled:
        return False
    return caller_for(connection, row).may(model, needed)


def _check(
    connection: sa.Connection, model: ModelRow, ref: str, there: RefRow | None, new: int
) -> None:
    """A tag never moves, and a branch only forward."""
    if there is None or there.kind == "alias":
        return
    if there.kind == "tag":
        raise Conflict("ref-exists", f"{model.name} has a tag {ref}, and tags never move")

    def parents(number: int) -> tuple[int, ...]:
        row = versions.by_number(connection, model.id, number)
        return () if row is None else row.parent_numbers

    if not is_ancestor(there.number, new, parents):
        raise Conflict(
            "not-ahead", f"version {new} does not build on {ref}, which is at {there.number}",
            hint=f"merge {ref} into it first: yard merge",
        )  # fmt: skip


def _who(house: House) -> str:
    name = acting(house).name
    return OWNER if name is None else name


def _get(connection: sa.Connection, key: int) -> ProposalRow:
    found = proposals.by_id(connection, key)
    if found is None:
        raise _none(key)
    return found


def _value(connection: sa.Connection, row: ProposalRow, model: str) -> Proposal:
    approved = proposals.approvers(connection, [row.id]).get(row.id, [])
    return _told(row, model, approved, rule_for(connection, model, row.ref))


def _told(row: ProposalRow, model: str, approved: Sequence[str], rule: Rule | None) -> Proposal:
    return Proposal(
        id=row.id, model=model, ref=row.ref, old=row.old, new=row.new, message=row.message,
        state=row.state, who=row.who, approved=tuple(approved),
        needed=rule.approvals if rule else 0, created=moment(row.created),
        changed=moment(row.changed),
    )  # fmt: skip


def _none(key: int) -> NotFound:
    return NotFound("no-proposal", f"no proposal {key}", hint="yard proposals")


def _closed(found: ProposalRow) -> Conflict:
    return Conflict("proposal-closed", f"proposal {found.id} is {found.state}")
