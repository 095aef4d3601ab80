"""Which versions a mixture is made of, and what they are seen as changes of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.catalog.queries import versions
from modelyard.core.lineage import ancestors
from modelyard.errors import InvalidInput
from modelyard.registry.lookup import find_version

if TYPE_CHECKING:
    from collections.abc import Sequence

    import sqlalchemy as sa

    from modelyard.catalog.queries.models import ModelRow
    from modelyard.catalog.queries.versions import VersionRow

__all__ = ["base_of", "check_different"]

Rev = str | int | None


def check_different(found: Sequence[VersionRow]) -> None:
    numbers = [version.number for version in found]
    twice = next((number for number in numbers if numbers.count(number) > 1), None)
    if twice is not None:
        raise InvalidInput(
            "bad-mix", f"version {twice} is named twice", hint="give it a larger weight instead"
        )


def base_of(
    connection: sa.Connection, model: ModelRow, found: Sequence[VersionRow], named: Rev
) -> VersionRow:
    """The version that was named, or else the newest that all came from."""
    if named is not None:
        return find_version(connection, model, named)
    hint = "--base REV names the version that all were tuned from"
    if len(found) == 1:
        raise InvalidInput("no-base", "one version alone has no base in common", hint=hint)
    rows = versions.all_of(connection, model.id)
    parents = {version.number: version.parent_numbers for version in rows}
    lines = [set(ancestors(version.number, parents.__getitem__)) for version in found]
    common = set.intersection(*lines)
    if not common:
        shown = " and ".join(str(version.number) for version in found)
        raise InvalidInput(
            "no-base", f"versions {shown} of {model.name} have no ancestor in common", hint=hint
        )
    return find_version(connection, model, max(common))  # descendants have higher numbers
