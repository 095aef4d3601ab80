"""Guards: who may move which refs, and how many others must approve that."""

from __future__ import annotations

import re
from dataclasses import dataclass

from modelyard.core.access import Caller, at_least, parse_role
from modelyard.core.people import Guard
from modelyard.errors import InvalidInput
from modelyard.registry.access.desk import Desk
from modelyard.server.routing import SIGNED_IN
from modelyard.server.state import Ask
from modelyard.server.web.acts import Acts, Done, Form
from modelyard.server.web.here import Undo, language_of
from modelyard.server.web.twins import Pages

__all__ = ["acts", "pages"]

pages = Pages("guards")
acts = Acts("guards")

_ROWS = 100


@dataclass(frozen=True, slots=True)
class GuardLine:
    """A guard, and whether the caller may remove it."""

    guard: Guard
    may_remove: bool


@dataclass(frozen=True, slots=True)
class GuardsPage:
    """Guards for models that the caller may read."""

    items: tuple[GuardLine, ...]
    next: int | None
    """Where the next page goes on."""
    may_add: bool
    """Whether the caller is maintainer of anything."""
    accounts: bool
    """Whether there is anybody else who could approve."""


@pages.page("/settings/guards", "guards.html", needs=SIGNED_IN)
def list_guards(ask: Ask, *, after: int = 0) -> GuardsPage:
    """All guards that the caller may see."""
    start, caller = max(after, 0), ask.caller
    found = sorted(Desk(ask.house).guards(), key=lambda each: (each.pattern, each.ref))
    return GuardsPage(
        items=tuple(
            GuardLine(each, _may_remove(caller, each)) for each in found[start : start + _ROWS]
        ),
        next=start + _ROWS if len(found) > start + _ROWS else None,
        may_add=any(at_least(caller.role_over(g.pattern), "maintainer") for g in caller.grants),
        accounts=ask.server.settings.accounts,
    )  # fmt: skip


@acts.act("/guards/add", needs=SIGNED_IN)
def add_guard(ask: Ask, form: Form) -> Done:
    """Guard refs, in place of the guard for the same ones."""
    desk, pattern, ref = Desk(ask.house), form.one("pattern"), form.one("ref")
    approvals = form.one("approvals", "0") or "0"
    if not re.fullmatch("[0-9]{1,3}", approvals):
        raise InvalidInput("bad-guard", "approvals by 0 to 20 others")
    before = next((each for each in desk.guards() if (each.pattern, each.ref) == (pattern, ref)),
                  None)  # fmt: skip
    made = desk.add_guard(
        pattern, ref, role=parse_role(form.one("role", "maintainer")), approvals=int(approvals)
    )
    if before is None:
        undo = Undo("/do/guards/remove", {"pattern": pattern, "ref": ref})
    else:
        undo = Undo("/do/guards/add", _fields(before))
    text = language_of(ask.request).say(
        "%(ref)s of %(pattern)s is guarded.", ref=made.ref, pattern=made.pattern
    )
    return Done("/settings/guards", text, undo)


@acts.act("/guards/remove", needs=SIGNED_IN)
def remove_guard(ask: Ask, form: Form) -> Done:
    """Remove a guard."""
    gone = Desk(ask.house).remove_guard(form.one("pattern"), form.one("ref"))
    text = language_of(ask.request).say(
        "%(ref)s of %(pattern)s is guarded no more.", ref=gone.ref, pattern=gone.pattern
    )
    return Done("/settings/guards", text, Undo("/do/guards/add", _fields(gone)))


def _fields(guard: Guard) -> dict[str, str]:
    return {"pattern": guard.pattern, "ref": guard.ref, "role": guard.role,
            "approvals": str(guard.approvals)}  # fmt: skip


def _may_remove(caller: Caller, guard: Guard) -> bool:
    mine = caller.role_over(guard.pattern)
    needed = "admin" if guard.approvals else guard.role
    return at_least(mine, "maintainer") and at_least(mine, needed)
