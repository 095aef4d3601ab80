"""Proposals: moves of guarded refs that wait until others approve them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from modelyard.core.people import Proposal
from modelyard.errors import InvalidInput
from modelyard.registry.access.desk import Desk
from modelyard.registry.access.proposals import approvable
from modelyard.server.routing import SIGNED_IN
from modelyard.server.state import Ask
from modelyard.server.web.acts import Acts, Done, Form
from modelyard.server.web.here import Undo, language_of
from modelyard.server.web.places import back_or
from modelyard.server.web.twins import Pages

__all__ = ["acts", "pages"]

pages = Pages("proposals")
acts = Acts("proposals")

_ROWS = 50
_STATES = ("open", "done", "withdrawn", "all")


@dataclass(frozen=True, slots=True)
class ProposalLine:
    """A proposal, and what the caller may do about it."""

    proposal: Proposal
    is_own: bool
    may_approve: bool
    may_withdraw: bool


@dataclass(frozen=True, slots=True)
class ProposalsPage:
    """Proposals for models that the caller may read."""

    items: tuple[ProposalLine, ...]
    """Newest first."""
    next: int | None
    """Where the next page goes on."""
    state: Literal["open", "done", "withdrawn", "all"]
    model: str
    """Of which model they are; empty: of all."""
    accounts: bool
    """Whether there is anybody else who could approve."""


@pages.page("/proposals", "proposals.html", needs=SIGNED_IN)
def list_proposals(
    ask: Ask,
    *,
    state: Literal["open", "done", "withdrawn", "all"] = "open",
    model: str = "",
    after: int | None = None,
) -> ProposalsPage:
    """Proposals in one state."""
    found = Desk(ask.house).proposals(model or None, state=None if state == "all" else state)
    rest = [each for each in found if after is None or each.id < after]
    shown, caller = rest[:_ROWS], ask.caller
    approve = approvable(ask.house, shown)
    items = tuple(
        ProposalLine(
            each, is_own=each.who == caller.name, may_approve=each.id in approve,
            may_withdraw=each.state == "open"
            and (each.who == caller.name or caller.may(each.model, "maintainer")),
        )
        for each in shown
    )  # fmt: skip
    more = shown[-1].id if len(rest) > _ROWS else None
    return ProposalsPage(items, more, state, model, ask.server.settings.accounts)


@acts.act("/proposals/approve", needs=SIGNED_IN)
def approve(ask: Ask, form: Form) -> Done:
    """Approve a move; the last approval that it needs makes it."""
    made = Desk(ask.house).approve(_key(form))
    words = language_of(ask.request)
    if made.state == "done":
        text = words.say(
            "%(ref)s of %(model)s points at version %(new)s now.",
            ref=made.ref, model=made.model, new=made.new,
        )  # fmt: skip
    else:
        text = words.say_many(
            "Approved. %(number)s more approval is needed.",
            "Approved. %(number)s more approvals are needed.",
            max(made.needed - len(made.approved), 1),
        )
    return Done(back_or(form, "/proposals"), text)


@acts.act("/proposals/withdraw", needs=SIGNED_IN)
def withdraw(ask: Ask, form: Form) -> Done:
    """Give a proposal up."""
    gone = Desk(ask.house).withdraw(_key(form))
    text = language_of(ask.request).say("Proposal %(key)s is withdrawn.", key=gone.id)
    undo = None
    if gone.who == ask.caller.name:
        fields = {"model": gone.model, "ref": gone.ref, "revision": str(gone.new)}
        undo = Undo("/do/proposals/make", {**fields, "message": gone.message[:300]})
    return Done(back_or(form, "/proposals"), text, undo)


@acts.act("/proposals/make", needs=SIGNED_IN)
def propose(ask: Ask, form: Form) -> Done:
    """Ask others to let a guarded ref point at a version; the use case looks who may."""
    made = Desk(ask.house).propose(
        form.one("model"), form.one("ref"), form.one("revision"),
        message=form.text("message").strip(),
    )  # fmt: skip
    text = language_of(ask.request).say(
        "Proposal %(key)s is made. Others can approve it now.", key=made.id
    )
    return Done("/proposals", text, Undo("/do/proposals/withdraw", {"proposal": str(made.id)}))


def _key(form: Form) -> int:
    text = form.one("proposal")
    if not re.fullmatch("[0-9]{1,18}", text):
        raise InvalidInput("bad-choice", "say which proposal")
    return int(text)
