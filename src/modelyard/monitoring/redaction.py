"""What a deployment redacts is not shown of its columns: no values, only whether they moved."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from modelyard.core.monitoring import Column

if TYPE_CHECKING:
    from collections.abc import Collection

    from modelyard.core.monitoring import GroupGap, Schema, VersionMonitor

__all__ = ["is_redacted", "without_redacted"]


def is_redacted(column: str, redact: Collection[str]) -> bool:
    """Whether a column is redacted, or the tensor whose element it is: `input[3]` of `input`."""
    return column in redact or (
        column.endswith("]") and column.rpartition("[")[0] in redact
    )  # fmt: skip


def without_redacted(seen: VersionMonitor, redact: Collection[str]) -> VersionMonitor:
    """A version without values of what is redacted.

    Its pictures go, and with them the edges, ranges and categories that the reference has of it;
    groups lose their names. Drift keeps its scores, tests, and how many values broke the schema.
    If something else than an input is redacted, pictures of what came out go too.
    """
    if not redact:
        return seen
    reference = seen.reference
    names = () if reference is None else tuple(each.name for each in reference.schema.columns)
    others = any(not any(is_redacted(name, (wanted,)) for name in names) for wanted in redact)
    hidden = {name for name in names if is_redacted(name, redact)}
    if others:
        hidden |= {"predictions", "scores"}
    if reference is not None:
        reference = replace(reference, schema=_schema(reference.schema, hidden))
    return replace(
        seen, reference=reference,
        columns=tuple(each for each in seen.columns if each.column.name not in hidden),
        fairness=tuple(
            _unnamed(gap) if is_redacted(gap.column, redact) else gap for gap in seen.fairness
        ),
    )  # fmt: skip


def _schema(schema: Schema, hidden: Collection[str]) -> Schema:
    columns = (
        Column(name=each.name, kind=each.kind, size=each.size) if each.name in hidden else each
        for each in schema.columns
    )
    values = None if "predictions" in hidden else schema.values
    return replace(schema, columns=tuple(columns), values=values)


def _unnamed(gap: GroupGap) -> GroupGap:
    names = {name: f"group {place}" for place, name in enumerate(sorted(gap.groups), 1)}
    return replace(
        gap, groups={names[name]: told for name, told in gap.groups.items()},
        worst=None if gap.worst is None else names.get(gap.worst, "redacted"),
        best=None if gap.best is None else names.get(gap.best, "redacted"),
    )  # fmt: skip
