"""Which versions a mixture is made of, what they are seen as changes of, and where it goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.catalog.queries import refs, versions
from modelyard.core.lineage import ancestors
from modelyard.core.names import MAIN, RefName
from modelyard.errors import Conflict, InvalidInput
from modelyard.registry.lookup import find_version

if TYPE_CHECKING:
    from collections.abc import Sequence

    import sqlalchemy as sa

    from modelyard.catalog.queries.models import ModelRow
    from modelyard.catalog.queries.versions import VersionRow

__all__ = ["base_of", "branch_of", "check_different"]

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


def branch_of(
    connection: sa.Connection, model: ModelRow, first: VersionRow, into: str | None
) -> RefName:
    """The branch that gets the new version: the first version's, or a new one that begins there."""
    hint = "--into NEW begins a new branch there"
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
            f"{name} is at version {ref.number}, the first version named is {first.number}",
            hint=f"name {name} first, or a new branch with --into",
        )
    return name
