"""The branch that a version made from another goes to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.catalog.queries import refs
from modelyard.core.names import MAIN, RefName
from modelyard.errors import Conflict, InvalidInput

if TYPE_CHECKING:
    import sqlalchemy as sa

    from modelyard.catalog.queries.models import ModelRow
    from modelyard.catalog.queries.versions import VersionRow

__all__ = ["branch_of"]


def branch_of(
    connection: sa.Connection,
    model: ModelRow,
    first: VersionRow,
    into: str | None,
    *,
    option: str,
) -> RefName:
    """The branch that ends at `first` (`main` before others), or a new one that begins there.

    Args:
        into: The branch that is wanted, if one is.
        option: How a command wants it, for hints.

    Raises:
        InvalidInput: `not-a-tip`: no branch ends there, or the wanted one ends elsewhere.
    """
    hint = f"{option} NEW begins a new branch there"
    if into is None:
        tips = [
            ref.name
            for ref in refs.of_models(connection, [model.id])
            if ref.kind == "branch" and ref.number == first.number
        ]
        if not tips:
            raise InvalidInput(
                "not-a-tip", f"version {first.number} is the tip of no branch", hint=hint
            )
        return RefName.parse(MAIN if MAIN in tips else min(tips))
    name = RefName.parse(into)
    ref = refs.get(connection, model.id, name.text)
    if ref is not None and ref.kind != "branch":
        raise Conflict(
            "not-a-branch", f"{name} is a {ref.kind} of {model.name}",
            hint="give a branch; yard log shows them",
        )  # fmt: skip
    if ref is not None and ref.number != first.number:
        raise InvalidInput(
            "not-a-tip",
            f"{name} is at version {ref.number}, not at {first.number}",
            hint=f"start from {name}, or name a new branch with {option}",
        )
    return name
