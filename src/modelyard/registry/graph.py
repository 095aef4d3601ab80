"""The history of a model as a graph, a page at a time: where versions are drawn, and their lines.

A page's token holds the lanes that are open at its end, so the picture goes on where it stopped.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from modelyard.catalog.queries import neighbours, versions
from modelyard.core.lineage import GraphRow, graph_lanes
from modelyard.core.metrics.names import direction
from modelyard.errors import InvalidInput
from modelyard.registry.lookup import find_model, find_version, refs_of, version_infos
from modelyard.registry.pages import read_token, token

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence, Set

    import sqlalchemy as sa

    from modelyard.catalog.queries.versions import VersionRow
    from modelyard.core.version import RefInfo, VersionInfo
    from modelyard.registry.house import House

__all__ = ["Head", "History", "HistoryRow", "head_of", "history_page"]

LARGEST = 500
_WINDOW = 256
_MOST_LANES = 1000
_METRICS = 40


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One version, and where it stands in the graph."""

    version: VersionInfo
    """A deleted one too: its number stays taken."""
    refs: tuple[RefInfo, ...]
    """Branches, tags and aliases that point here."""
    place: GraphRow
    """Its column, and the lines to the next row."""
    arriving: tuple[int, ...]
    """Columns in which lines come from the row above."""
    metric: float | None
    """The value that is shown."""
    change: float | None
    """By how much it differs from the first parent's; None if one of them has none."""
    better: bool | None
    """Whether that change is for the better; None if nobody knows, or nothing changed."""
    is_purged: bool
    """Whether it is deleted for good."""


@dataclass(frozen=True, slots=True)
class History:
    """A page of a model's history, newest first, children before their parents."""

    model: str
    """Its name now."""
    items: tuple[HistoryRow, ...]
    """Versions, of which none comes after its parent."""
    metric: str
    """Name of the metric that is shown; empty if no version has one."""
    metrics: tuple[str, ...]
    """Names of metrics that versions of this page have."""
    refs: tuple[RefInfo, ...]
    """All of the model."""
    next: str | None
    """Where the next page goes on."""


@dataclass(frozen=True, slots=True)
class Head:
    """A version among the others of its model: what the head of its pages shows."""

    version: VersionInfo
    """Itself."""
    refs: tuple[RefInfo, ...]
    """Branches, tags and aliases that point here."""
    all_refs: tuple[RefInfo, ...]
    """All of the model."""
    before: int | None
    """Number of the nearest older version that lives."""
    after: int | None
    """Number of the nearest newer version that lives."""


def head_of(house: House, model: str, revision: str | int | None) -> Head:
    """A version with its refs and neighbours. NotFound: `no-version`, `version-deleted`."""
    with house.catalog.read() as connection:
        row = find_model(connection, model, house.caller)
        version = find_version(connection, row, revision)
        pointing = refs_of(connection, [row.id]).get(row.id, ())
        near = neighbours.of_version(connection, row.id, version.number)
        info = version_infos(connection, [version])[0]
    here = tuple(ref for ref in pointing if ref.number == version.number)
    return Head(info, here, pointing, near.before, near.after)


def history_page(
    house: House,
    model: str,
    *,
    revision: str | int | None = None,
    metric: str = "",
    limit: int = 100,
    after: str | None = None,
) -> History:
    """Versions of a model with their graph, deleted ones too.

    Args:
        revision: Only this version and all it came from.
        metric: Which one is shown; the one that most versions have if empty.

    Raises:
        InvalidInput: `bad-limit`, `bad-page-token`.
    """
    if not 0 < limit <= LARGEST:
        raise InvalidInput("bad-limit", f"a page has 1 to {LARGEST} items, not {limit}")
    with house.catalog.read() as connection:
        row = find_model(connection, model, house.caller)
        pointing = refs_of(connection, [row.id]).get(row.id, ())
        if after is not None:
            most, lanes, only = _read(after)
        elif revision is not None:
            most = find_version(connection, row, revision).number
            lanes, only = [most], True
        else:
            most, lanes, only = None, [], False
        waiting = {n for n in lanes if n} if only else None
        walk = _walk(connection, row.id, most, waiting, _WINDOW if only else limit + 1)
        found = list(islice(walk, limit))
        following = next(walk, None)
        infos = version_infos(connection, found)
        shown, names = _metrics(infos, metric)
        below = {info.parents[0] for info in infos if info.parents} - {i.number for i in infos}
        before = neighbours.metric_of(connection, row.id, sorted(below), shown)
    purged = {each.number for each in found if each.purged}
    items = tuple(_rows(infos, lanes, pointing, shown, before, purged))
    rest = None
    if following is not None:
        rest = token((following.number, [n or 0 for n in lanes], only))
    return History(row.name, items, shown, names, pointing, rest)


def _walk(
    connection: sa.Connection, model: int, most: int | None, waiting: set[int] | None, window: int
) -> Iterator[VersionRow]:
    """Versions downwards; with `waiting`, only those that are waited for, and their parents."""
    while True:
        rows = versions.page_of(connection, model, most=most, limit=window, with_deleted=True)
        for row in rows:
            if waiting is not None:
                if row.number not in waiting:
                    continue
                waiting.remove(row.number)
                waiting.update(parent for parent in row.parent_numbers if parent < row.number)
            yield row
        if len(rows) < window or waiting == set():
            return
        most = rows[-1].number - 1
        if waiting is not None:
            most = min(most, max(waiting))


def _rows(
    infos: Sequence[VersionInfo],
    lanes: list[int | None],
    pointing: Sequence[RefInfo],
    metric: str,
    before: Mapping[int, float],
    purged: Set[int],
) -> Iterator[HistoryRow]:
    by_number: dict[int, list[RefInfo]] = {}
    for ref in pointing:
        by_number.setdefault(ref.number, []).append(ref)
    values = {**before, **{info.number: info.metrics.get(metric) for info in infos}}
    way = direction(metric)
    arriving = tuple(lane for lane, awaited in enumerate(lanes) if awaited)
    places = graph_lanes(((info.number, info.parents) for info in infos), lanes)
    for info, place in zip(infos, places, strict=True):
        value = values[info.number]
        parent = values.get(info.parents[0]) if info.parents else None
        change = None if value is None or parent is None else value - parent
        better = None if not change or way is None else (change > 0) == (way == "higher")
        yield HistoryRow(
            info, tuple(by_number.get(info.number, ())), place, arriving, value, change, better,
            info.number in purged,
        )  # fmt: skip
        arriving = tuple(sorted({end for _, end in place.edges}))


def _metrics(infos: Sequence[VersionInfo], wished: str) -> tuple[str, tuple[str, ...]]:
    """The metric to show, and all there are: those that most versions have come first."""
    counts = Counter(name for info in infos for name in info.metrics)
    names = sorted(counts, key=lambda n: (-counts[n], direction(n) is None, n))[:_METRICS]
    if wished:
        return wished, tuple(sorted({wished, *names}))
    return (names[0] if names else ""), tuple(sorted(names))


def _read(after: str) -> tuple[int, list[int | None], bool]:
    most, lanes, only = read_token(after, tuple[int, list[int], bool])
    if len(lanes) > _MOST_LANES or any(not 0 <= n < 1 << 63 for n in lanes):
        raise InvalidInput(
            "bad-page-token", "this page token was not given for this list",
            hint="begin with the first page",
        )  # fmt: skip
    return most, [n or None for n in lanes], only
