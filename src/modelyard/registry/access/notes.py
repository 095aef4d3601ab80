"""Lines in the audit log for what changes no model: sign-ins, tokens, roles, what was denied."""

from __future__ import annotations

import json
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
    """
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
