"""One model at a glance: what people get, where its names point, how a metric went."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelyard.catalog.queries import labels, overviews, versions
from modelyard.core.metrics import Direction, direction
from modelyard.core.version import RefInfo, VersionInfo
from modelyard.errors import Corrupt, NotFound, Unavailable
from modelyard.registry.browse import key_metric
from modelyard.registry.card import CARD_PATH
from modelyard.registry.files import contents_of, open_file
from modelyard.registry.lookup import find_model, find_version, moment, version_infos

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    import sqlalchemy as sa

    from modelyard.catalog.queries.models import ModelRow
    from modelyard.catalog.queries.overviews import Measured
    from modelyard.catalog.queries.versions import VersionRow
    from modelyard.registry.house import House

__all__ = ["CardText", "MetricHistory", "MetricPoint", "Overview", "overview"]

_NEWEST = 10
_REFS = {"alias": 30, "branch": 15, "tag": 15}
"""How many of each are shown."""
_LOOKED_AT = 200
"""Versions whose metrics are offered."""
_METRICS = 30
_DRAWN = 120
"""Points of a chart: more can't be told apart."""
_LONGEST_CARD = 100_000
_LARGEST = 1e300
"""What is beyond can't be drawn, and is no metric of anything."""


@dataclass(frozen=True, slots=True)
class MetricPoint:
    """What one version reached."""

    number: int
    value: float
    is_side: bool
    """Whether the version was made on another branch than the one people get."""


@dataclass(frozen=True, slots=True)
class MetricHistory:
    """A metric over versions."""

    name: str
    better: Direction | None
    points: tuple[MetricPoint, ...]
    """By number. If there are many, the highest and lowest of each stretch."""
    total: int
    """Versions that have the metric."""
    best: MetricPoint | None
    """None where nobody knows which way is better."""


@dataclass(frozen=True, slots=True)
class CardText:
    """README.md of a version."""

    text: str
    is_cut: bool
    """Whether it goes on."""


@dataclass(frozen=True, slots=True)
class Overview:
    """What the page of a model shows."""

    name: str
    kind: str
    description: str
    created: datetime
    updated: datetime
    versions: int
    """How many live."""
    stored: int
    """Bytes that they added when they were stored."""
    labels: Mapping[str, str]
    refs: tuple[RefInfo, ...]
    """Aliases, then branches, then tags, those at the newest versions first; not all of many."""
    tip: VersionInfo | None
    """What people get who name no revision: the tip of main, or else the newest."""
    newest: tuple[VersionInfo, ...]
    card: CardText | None
    """None if there is none."""
    is_card_lost: bool
    """Whether it could not be read."""
    metrics: tuple[str, ...]
    """Of the last versions, the most usual first."""
    chart: MetricHistory | None


def overview(house: House, name: str, metric: str = "") -> Overview:
    """What there is to tell of a model.

    Args:
        metric: To show over versions; the one that tells most if it is empty.
    """
    with house.catalog.read() as connection:
        row = find_model(connection, name, house.caller)
        tip = _tip(connection, row)
        page = versions.page_of(connection, row.id, most=None, limit=_NEWEST)
        infos = version_infos(connection, [*page, *([tip] if tip else [])])
        count, stored = overviews.size_of(connection, row.id)
        refs = _refs(connection, row.id)
        names = overviews.metric_names(
            connection, row.id, low=row.next_number - _LOOKED_AT, most=_METRICS
        )
        shown = metric or key_metric(names)
        own = labels.of_model(connection, row.id, 0)
        chart = _chart(connection, row, shown, tip, refs) if shown else None
        card, is_lost = _card(house, row, tip)
    return Overview(
        name=row.name, kind=row.kind, description=row.description, created=moment(row.created),
        updated=moment(row.updated), versions=count, stored=stored, labels=own, refs=refs,
        tip=infos[-1] if tip else None, newest=tuple(infos[: len(page)]), card=card,
        is_card_lost=is_lost, metrics=tuple(names), chart=chart,
    )  # fmt: skip


def _tip(connection: sa.Connection, row: ModelRow) -> VersionRow | None:
    for revision in (None, "latest"):
        try:
            return find_version(connection, row, revision)
        except NotFound:
            continue
    return None


def _refs(connection: sa.Connection, model: int) -> tuple[RefInfo, ...]:
    return tuple(
        RefInfo(ref.name, ref.kind, ref.number, commit)
        for kind, most in _REFS.items()
        for ref, commit in overviews.refs_in_part(connection, model, kind, most)
    )


def _card(house: House, row: ModelRow, tip: VersionRow | None) -> tuple[CardText | None, bool]:
    if tip is None:
        return None, False
    try:
        found = contents_of(house, row, tip)
        if CARD_PATH not in found.tree:
            return None, False
        with open_file(house, found, CARD_PATH) as file:
            content = file.read(_LONGEST_CARD + 1)
    except (Corrupt, NotFound, Unavailable):  # the rest of the page can be told all the same
        return None, True
    text = content[:_LONGEST_CARD].decode("utf-8", "replace")
    return CardText(text, len(content) > _LONGEST_CARD), False


# -- a metric over versions ----------------------------------------------------------------------


def _chart(
    connection: sa.Connection,
    row: ModelRow,
    name: str,
    tip: VersionRow | None,
    refs: Sequence[RefInfo],
) -> MetricHistory:
    told = overviews.metric_of(connection, row.id, name)
    measured = [each for each in told if abs(each.value) < _LARGEST]
    better = direction(name)
    best = None
    if better and measured:
        choose = max if better == "higher" else min
        best = choose(measured, key=lambda each: each.value)
    kept = {ref.number for ref in refs if ref.kind == "alias"} | ({best.number} if best else set())
    branch = tip.branch if tip else ""

    def point(each: Measured) -> MetricPoint:
        return MetricPoint(each.number, each.value, each.branch != branch)

    return MetricHistory(
        name, better, tuple(map(point, thinned(measured, _DRAWN, kept))), len(measured),
        point(best) if best else None,
    )  # fmt: skip


def thinned(
    measured: Sequence[Measured], most: int, kept: Collection[int] = ()
) -> Sequence[Measured]:
    """About `most` points that look as all do: the extremes of each stretch, the first, the last.

    Args:
        kept: Numbers that stay whatever they are.
    """
    if len(measured) <= most:
        return measured
    stretch = 2 * len(measured) / most
    chosen = {0, len(measured) - 1}
    for at in range(most // 2):
        inside = range(round(at * stretch), min(round((at + 1) * stretch), len(measured)))
        if inside:
            chosen.add(min(inside, key=lambda i: measured[i].value))
            chosen.add(max(inside, key=lambda i: measured[i].value))
    chosen |= {i for i, each in enumerate(measured) if each.number in kept}
    return [measured[i] for i in sorted(chosen)]
