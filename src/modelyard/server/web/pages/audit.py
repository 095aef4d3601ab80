"""The audit log: who did what, when, from where; before and after; and whether it is sealed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import Query

from modelyard.core.people import AuditFilter, AuditLine, ChainHead
from modelyard.errors import InvalidInput
from modelyard.registry.access.chain import chain_head
from modelyard.registry.access.desk import Desk
from modelyard.server.routing import SIGNED_IN, on_yard
from modelyard.server.state import Ask
from modelyard.server.web.acts import Acts, Done, Form
from modelyard.server.web.here import language_of
from modelyard.server.web.twins import Pages

__all__ = ["acts", "pages"]

pages = Pages("audit")
acts = Acts("audit")

_ON_A_PAGE = 60

Text = Annotated[str, Query(max_length=200)]
Token = Annotated[str | None, Query(max_length=20, pattern="^[0-9]{1,18}$")]


@dataclass(frozen=True, slots=True)
class AuditLogPage:
    """What the page shows."""

    items: tuple[AuditLine, ...]
    """Lines about models that the caller maintains, or all of them for an admin; newest first."""
    next: str | None
    """Where the next page goes on."""
    of: str
    """Only lines about this model; all if empty."""
    account: str
    """Only what this account did."""
    action: str
    """Only lines of this action."""
    since: str
    """Only from this day on, UTC."""
    until: str
    """Only up to the end of this day, UTC."""
    head: ChainHead | None
    """The end of the chain of seals, for an admin; None if nothing is sealed."""
    unsealed: int
    """Lines that are newer than the last seal; told to an admin."""


@pages.page("/audit", "audit.html", needs=SIGNED_IN)
def show_audit(
    ask: Ask,
    *,
    of: Text = "",
    account: Text = "",
    action: Text = "",
    since: Text = "",
    until: Text = "",
    after: Token = None,
) -> AuditLogPage:
    """The audit log, as the caller may see it."""
    wanted = AuditFilter(
        model=of.strip() or None, account=account.strip() or None, action=action.strip() or None,
        since=_day(since), until=_day(until, timedelta(days=1)),
    )  # fmt: skip
    desk = Desk(ask.house)
    found = desk.audit(wanted, limit=_ON_A_PAGE, after=after)
    head, unsealed = None, 0
    if ask.caller.may("*", "admin"):
        head = chain_head(ask.house)
        newest = desk.audit(limit=1).items
        if newest:
            unsealed = newest[0].id - (head.line if head else 0)
    return AuditLogPage(
        items=found.items, next=found.next, of=of, account=account, action=action, since=since,
        until=until, head=head, unsealed=max(unsealed, 0),
    )  # fmt: skip


@acts.act("/audit/seal", needs=on_yard("admin"))
def seal_now(ask: Ask, form: Form) -> Done:
    """Seal all lines that are there now."""
    del form
    head = Desk(ask.house).chain_head()
    say = language_of(ask.request).say
    line = head.line if head else 0
    return Done("/audit", say("Every line up to number %(line)s is sealed.", line=line))


def _day(text: str, more: timedelta = timedelta()) -> datetime | None:
    """InvalidInput: `bad-day`."""
    if not text.strip():
        return None
    try:
        time = datetime.fromisoformat(text.strip())
        time = time if time.tzinfo else time.replace(tzinfo=UTC)
        return time + more if len(text.strip()) == len("2026-11-22") else time
    except (ValueError, OverflowError):
        raise InvalidInput("bad-day", f"{text[:40]!r} is no day", hint="2026-11-22") from None
