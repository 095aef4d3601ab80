"""Lines in the audit log for what changes no model: sign-ins, tokens, roles, what was denied."""

from __future__ import annotations

import json
import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

from modelyard.catalog.queries import audit

if TYPE_CHECKING:
    from collections.abc import Mapping

    import sqlalchemy as sa

    from modelyard.registry.house import House

__all__ = ["note", "write_note"]


def note(house: House, action: str, detail: Mapping[str, object] | str, *, model: int = 0) -> None:
    """Write a line that names whom the house works for.

    Args:
        detail: What else is known of it; a text becomes `{"what": text}`.
        model: Id of the model that it is about; 0 if it is about none.

    What was denied is told once in a while, and not for each of a thousand tries.
    """
    if action == "denied" and not _is_news((house.caller.id, house.caller.address, str(detail))):
        return
    house.catalog.write(
        lambda connection: write_note(house, connection, action, detail, model=model)
    )


def write_note(
    house: House,
    connection: sa.Connection,
    action: str,
    detail: Mapping[str, object] | str,
    *,
    model: int = 0,
) -> int:
    """`note` in the transaction of what it tells.

    The journal does not hold such lines, so that of a model's are kept under its negative id: the
    numbers of journalled lines must follow each other (`registry.journal.acknowledged`).
    """
    caller = house.caller
    told = {"what": detail} if isinstance(detail, str) else dict(detail)
    row = audit.AuditRow(
        house.catalog.now(connection), action, -model, house.author[:200],
        detail=json.dumps(told, ensure_ascii=False, sort_keys=True) if detail else None,
        account=caller.name, address=caller.address, request=caller.request,
    )  # fmt: skip
    return audit.add(connection, row)


_QUIET_SECONDS = 60.0
_REMEMBERED = 4096
_told: OrderedDict[object, float] = OrderedDict()
_telling = threading.Lock()


def _is_news(what: object) -> bool:
    """Whether this was not told within a minute by this process."""
    now = time.monotonic()
    with _telling:
        if now - _told.get(what, float("-inf")) < _QUIET_SECONDS:
            return False
        _told[what] = now
        _told.move_to_end(what)
        while len(_told) > _REMEMBERED:
            _told.popitem(last=False)
    return True
