"""What is deployed is not deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.catalog.queries import deployments
from modelyard.errors import Conflict

if TYPE_CHECKING:
    import sqlalchemy as sa

    from modelyard.catalog.queries.models import ModelRow

__all__ = ["check_not_deployed"]


def check_not_deployed(
    connection: sa.Connection, model: ModelRow, number: int | None = None
) -> None:
    """Whether a model, or one version of it, may be deleted. Conflict: `protected`.

    The model is to be held: what is deployed meanwhile waits for all transactions before it.
    """
    found = [(n, at) for n, at in deployments.using(connection, model.id) if number in (None, at)]
    if not found:
        return
    names = sorted({name for name, _ in found})
    what = model.name if number is None else f"{model.name}@{number}"
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    raise Conflict(
        "protected", f"{what} is served by the deployment{'s' * (len(names) > 1)} {shown}",
        hint=f"yard undeploy {names[0]}, or deploy another version first",
    )  # fmt: skip
