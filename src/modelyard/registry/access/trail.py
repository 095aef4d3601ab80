"""The audit log as people read it: who did what, when, from where; before and after."""

from __future__ import annotations

import json
from datetime import UTC
from typing import TYPE_CHECKING

from modelyard.catalog.queries import audit_lines, models
from modelyard.core.access import at_least
from modelyard.core.people import AuditFilter, AuditLine, AuditPage
from modelyard.errors import Denied, InvalidInput
from modelyard.registry.access.door import known_name
from modelyard.registry.access.rights import acting
from modelyard.registry.lookup import moment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from modelyard.catalog.queries.audit_lines import LineRow
    from modelyard.core.access import Caller
    from modelyard.registry.house import House

__all__ = ["audit_page", "every_line"]

_MOST = 1000
_NAMES = ("from", "to")
"""Details that name another model, or where something came from."""


def audit_page(house: House, wanted: AuditFilter, *, limit: int, after: str | None) -> AuditPage:
    """Lines about models that the caller maintains, newest first; all lines for an admin of `*`.

    Raises:
        Denied: `not-signed-in`, and `not-allowed` for a model that the caller only reads.
        InvalidInput: `bad-page`.
    """
    if not 1 <= limit <= _MOST:
        raise InvalidInput("bad-page", f"limit is 1 to {_MOST}")
    if after is not None and not (after.isascii() and after.isdigit() and len(after) < 19):
        raise InvalidInput("bad-page", "after is what `next` of the page before said")
    rows = _rows(house, wanted, int(after) if after is not None else None, limit + 1)
    items = tuple(_line(row, acting(house)) for row in rows[:limit])
    more = len(rows) > limit
    return AuditPage(items=items, next=str(items[-1].id) if more else None)


def every_line(house: House, wanted: AuditFilter) -> Iterator[AuditLine]:
    """All lines that `audit_page` would give."""
    before: int | None = None
    while True:
        rows = _rows(house, wanted, before, _MOST)
        yield from (_line(row, acting(house)) for row in rows)
        if len(rows) < _MOST:
            return
        before = rows[-1].id


def _rows(house: House, wanted: AuditFilter, before: int | None, limit: int) -> list[LineRow]:
    caller = acting(house)
    patterns = _patterns(caller)
    name = known_name(house, house.caller, wanted.model, "maintainer") if wanted.model else None
    rows: list[LineRow] = []
    with house.catalog.fresh() as connection:
        model = models.by_name(connection, name) if name is not None else None
        if name is not None and model is None:
            return []
        while len(rows) < limit:
            asked = limit - len(rows)
            found = audit_lines.page(
                connection, before=before, limit=asked,
                model_id=None if model is None else model.id,
                account=wanted.account, action=wanted.action,
                since=_micros(wanted.since), until=_micros(wanted.until), patterns=patterns,
            )  # fmt: skip
            rows += [row for row in found if _may_see(caller, row, patterns)]
            if len(found) < asked:
                break
            before = found[-1].id
    return rows


def _patterns(caller: Caller) -> list[str] | None:
    """Where the caller's models may be; None: no line is hidden."""
    if caller.account is None and not caller.may("*", "admin"):
        raise Denied("not-signed-in", "say who you are", hint="yard login URL")
    if caller.may("*", "admin"):
        return None
    return [grant.pattern for grant in caller.grants if at_least(grant.role, "maintainer")]


def _may_see(caller: Caller, row: LineRow, patterns: list[str] | None) -> bool:
    return patterns is None or (row.model is not None and caller.may(row.model, "maintainer"))


def _line(row: LineRow, caller: Caller) -> AuditLine:
    detail = json.loads(row.detail) if row.detail else {}
    if isinstance(detail, dict) and not caller.may("*", "admin"):
        # a model that was called otherwise is shown, and the namespace that it came from is not
        hidden = [key for key in _NAMES if not caller.may(str(detail.get(key, "")), "reader")]
        detail = {key: value for key, value in detail.items() if key not in hidden}
    return AuditLine(
        id=row.id, time=moment(row.time), action=row.action, model=row.model, who=row.who,
        account=row.account, address=row.address, request=row.request, ref=row.ref,
        kind=row.kind, old=row.old, new=row.new,
        detail=detail if isinstance(detail, dict) else {"what": detail},
    )  # fmt: skip


def _micros(when: datetime | None) -> int | None:
    if when is None:
        return None
    return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() * 1_000_000)
