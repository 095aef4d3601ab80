"""Two versions side by side: what changed, down to the tensor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import Query
from starlette.responses import RedirectResponse, Response

from modelyard.core.diff import FileChange, TensorChange, ValueChange
from modelyard.core.metrics.names import direction
from modelyard.core.names import ModelRevision
from modelyard.core.version import ModelInfo, VersionInfo
from modelyard.registry.access import known_name
from modelyard.registry.compare import Compared, Line
from modelyard.registry.pages import models_page, versions_page
from modelyard.server.jobs import Job
from modelyard.server.routing import on_yard
from modelyard.server.state import Ask
from modelyard.server.web.grid import Grid, grid_of
from modelyard.server.web.twins import Pages

__all__ = ["Sides", "pages", "sides_of"]

pages = Pages("compare")

_ROWS = 50
Sort = Literal["change", "name", "cosine", "largest"]
Text = Annotated[str, Query(max_length=400)]


@dataclass(frozen=True, slots=True)
class MetricMove:
    """A metric before and after."""

    name: str
    old: float | None
    new: float | None
    better: bool | None
    """Whether the new value is; None if nobody knows, or if it stayed."""


@dataclass(frozen=True, slots=True)
class TensorRow:
    """A line of the table of tensors."""

    file: str
    name: str
    change: Literal["added", "removed", "changed", "renamed", "unchanged"]
    dtype: str
    shape: tuple[int, ...]
    old_dtype: str | None
    """Given if it differs."""
    old_shape: tuple[int, ...] | None
    """Given if it differs."""
    relative_change: float | None
    """Euclidean norm of the difference over that of the old values."""
    cosine: float | None
    """Cosine of the angle between old and new values."""
    max_abs: float | None
    """Largest absolute difference of one element."""


@dataclass(frozen=True, slots=True)
class Tensors:
    """All tensors, and those of them that the table shows."""

    total: int
    """How many the new version has."""
    changed: int
    added: int
    removed: int
    renamed: int
    largest: str | None
    """Which changed most."""
    largest_change: float | None
    """By how much, relative to what it was."""
    grid: Grid | None
    rows: tuple[TensorRow, ...]
    """Of the table."""
    found: int
    """How many the table has in all."""
    sort: Sort
    find: str
    """Part of a name; only such are in the table."""
    everything: bool
    """Whether unchanged ones are in the table too."""
    next: int | None
    """Where the table goes on."""


@dataclass(frozen=True, slots=True)
class Found:
    """What changed."""

    text: str
    """One sentence in English."""
    same: bool
    """Nothing changed at all."""
    tensors: Tensors
    files: tuple[FileChange, ...]
    """The first ones of those that changed."""
    files_changed: int
    params: tuple[ValueChange, ...]
    metrics: tuple[MetricMove, ...]
    """Of both versions as they are known today."""
    structure: tuple[str, ...]
    """Steps or layers, with `-` or `+` before them."""
    card: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Running:
    """The comparison is being made."""

    job: str
    done: int
    total: int | None
    """In bytes, as `done`; None while it is not known."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What can be compared."""

    models: tuple[ModelInfo, ...]
    next_models: str | None
    """Where the list of models goes on."""
    model: str
    """Whose versions are shown; empty if none."""
    versions: tuple[VersionInfo, ...]
    """Newest first."""
    next: str | None
    """Where the list of versions goes on."""
    too_few: bool
    """Something was sent, but not two versions."""


@dataclass(frozen=True, slots=True)
class ComparePage:
    """What changed from one version to another; or what can be compared, if none was named."""

    a: str
    """The old one, as it was asked for."""
    b: str
    old: VersionInfo | None
    new: VersionInfo | None
    found: Found | None
    running: Running | None
    choice: Choice | None


@dataclass(frozen=True, slots=True)
class Sides:
    """Two versions that the caller may read."""

    old: VersionInfo
    new: VersionInfo


@pages.page("/compare", "compare.html", needs=on_yard("none"))
def compare_two(
    ask: Ask,
    *,
    a: Text = "",
    b: Text = "",
    v: Annotated[list[str], Query()] = [],  # noqa: B006 - FastAPI copies it
    model: Text = "",
    job: Annotated[str, Query(max_length=64)] = "",
    sort: Sort = "change",
    find: Text = "",
    everything: bool = False,
    start: Annotated[int, Query(ge=0, le=100_000)] = 0,
    after: str | None = None,
) -> ComparePage | Response:
    """What changed between two versions; without them, a choice."""
    if v:
        return _ticked(ask, v, model)
    if not a or not b:
        return _choose(ask, a, b, model, after, too_few=bool(a or b))
    sides = sides_of(ask, a, b)
    told = ask.server.comparisons.get(ask, sides.old, sides.new, job or None)
    if isinstance(told, Job):
        done, total = (told.progress.done, told.progress.total) if told.progress else (0, None)
        running = Running(told.id, done, total)
        return ComparePage(a, b, sides.old, sides.new, None, running, None)
    tensors = _tensors(told, sort, find, everything, start)
    return ComparePage(a, b, sides.old, sides.new, _found(told, sides, tensors), None, None)


def sides_of(ask: Ask, a: str, b: str) -> Sides:
    """Both versions, as far as the caller may read their models. NotFound: `no-model`."""
    found = []
    for text in (a, b):
        parsed = ModelRevision.parse(text)
        name = known_name(ask.house, ask.caller, parsed.model.text, "reader")
        revision = None if parsed.revision is None else str(parsed.revision)
        found.append(ask.yard.resolve(name, revision))
    return Sides(*found)


def _ticked(ask: Ask, chosen: list[str], model: str) -> ComparePage | Response:
    """From ticks in a list to the page of the two, the older one first."""
    wanted = list(dict.fromkeys(chosen))
    if len(wanted) != 2:
        return _choose(ask, "", "", model, None, too_few=True)
    wanted.sort(key=_number)
    query = urlencode({"a": wanted[0], "b": wanted[1]})
    return RedirectResponse(f"{ask.server.settings.prefix}/compare?{query}", 303)


def _number(text: str) -> tuple[str, int]:
    name, _, revision = text.partition("@")
    is_number = revision.isascii() and revision.isdecimal() and len(revision) < 16
    return name, int(revision) if is_number else 0


def _choose(
    ask: Ask, a: str, b: str, model: str, after: str | None, *, too_few: bool
) -> ComparePage:
    if model:
        name = known_name(ask.house, ask.caller, model, "reader")
        page = versions_page(ask.house, name, limit=_ROWS, after=after)
        choice = Choice((), None, name, tuple(page.items), page.next, too_few)
    else:
        listed = models_page(ask.house, limit=_ROWS, after=after)
        choice = Choice(tuple(listed.items), listed.next, "", (), None, too_few)
    return ComparePage(a, b, None, None, None, None, choice)


# -- what was found --------------------------------------------------------------------------------


def _found(told: Compared, sides: Sides, tensors: Tensors) -> Found:
    diff = told.diff
    metrics = _metrics(sides)
    return Found(
        text=diff.text, same=not diff and not metrics, tensors=tensors, files=diff.files[:100],
        files_changed=len(diff.files), params=diff.params, metrics=metrics,
        structure=diff.structure, card=told.card,
    )  # fmt: skip


def _metrics(sides: Sides) -> tuple[MetricMove, ...]:
    """Evaluations come later than commits: these are never kept."""
    old, new = sides.old.metrics, sides.new.metrics
    moves = []
    for name in sorted({*old, *new}):
        before, after = old.get(name), new.get(name)
        if before == after:
            continue
        way, better = direction(name), None
        if way is not None and before is not None and after is not None:
            better = (after > before) == (way == "higher")
        moves.append(MetricMove(name, before, after, better))
    return tuple(moves)


def _tensors(told: Compared, sort: Sort, find: str, everything: bool, start: int) -> Tensors:
    changes = told.diff.tensors
    rows = [_row(change) for change in changes]
    if everything:
        rows += [
            TensorRow(t.file, t.name, "unchanged", t.dtype, t.shape, None, None, None, None, None)
            for t in told.tensors
        ]
    wanted = find.casefold().strip()
    if wanted:
        rows = [row for row in rows if wanted in row.name.casefold()]
    if sort == "name":
        rows.sort(key=lambda row: row.name)
    elif sort == "cosine":
        rows.sort(key=lambda row: 2.0 if row.cosine is None else row.cosine)
    elif sort == "largest":
        rows.sort(key=lambda row: -(row.max_abs or 0.0))
    else:  # a new shape has no number, and is more than one
        rows.sort(key=lambda row: row.relative_change is not None or row.change == "unchanged")
    moved = [c for c in changes if c.relative_change is not None]
    most = max(moved, key=lambda c: c.relative_change or 0.0) if moved else None
    counts = {kind: sum(c.change == kind for c in changes) for kind in ("added", "removed")}
    renamed = sum(c.change == "renamed" for c in changes)
    return Tensors(
        total=told.diff.tensors_total,
        changed=told.diff.tensors_changed - sum(counts.values()) - renamed,
        added=counts["added"], removed=counts["removed"], renamed=renamed,
        largest=most.name if most else None,
        largest_change=most.relative_change if most else None,
        grid=grid_of(changes, told.tensors) if changes else None,
        rows=tuple(rows[start : start + _ROWS]), found=len(rows), sort=sort, find=find.strip(),
        everything=everything, next=start + _ROWS if start + _ROWS < len(rows) else None,
    )  # fmt: skip


def _row(change: TensorChange) -> TensorRow:
    return TensorRow(
        change.file, change.name, change.change, change.dtype, change.shape, change.old_dtype,
        change.old_shape, change.relative_change, change.cosine, change.max_abs,
    )  # fmt: skip
