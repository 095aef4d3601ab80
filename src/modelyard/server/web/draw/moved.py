"""How a column moved: its values now over those of the reference, and how far that is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from markupsafe import Markup

from modelyard.core.monitoring import Column, ColumnWindow
from modelyard.i18n import Language
from modelyard.server.web.draw.svg import cut, drawing, tag

__all__ = ["drift_bar", "moved"]

_WIDTH, _HEIGHT, _FOOT = 260.0, 64.0, 14.0
_CELLS = 40
_MOST = 24
"""Categories: more than this can't be told apart in the room there is."""
_BAR = (160.0, 16.0)
_BEYOND = 3.0
"""Times the threshold that fills the bar."""


def moved(window: ColumnWindow, language: Language) -> Markup:
    """Shares of the rows: the reference filled, now as an outline."""
    now, before, names = _gathered(window, language)
    if not now:
        return Markup("")
    floor = _HEIGHT - _FOOT
    step = _WIDTH / len(now)
    most = max(*now, *before, 1e-9)
    gap = 0.0 if window.column.kind == "number" else 1.5

    def outline(shares: Sequence[float]) -> str:
        tops = [floor - share / most * (floor - 3) for share in shares]
        if not gap:
            points = [f"{at * step:.1f} {y:.1f}H{(at + 1) * step:.1f}" for at, y in enumerate(tops)]
            return f"M0 {floor:g}V{points[0].partition(' ')[2]}" + "".join(
                f"V{one.partition(' ')[2]}" for one in points[1:]
            ) + f"V{floor:g}z"  # fmt: skip
        return "".join(
            f"M{at * step + gap:.1f} {floor:g}V{y:.1f}H{(at + 1) * step - gap:.1f}V{floor:g}z"
            for at, y in enumerate(tops)
        )

    told = [
        language.say(
            "%(name)s: %(now)s now, %(before)s in the reference", name=name,
            now=f"{new * 100:.3g} %", before=f"{old * 100:.3g} %",
        )
        for new, old, name in zip(now, before, names, strict=True)
    ]  # fmt: skip
    first, last = _ends(window, names)
    label = language.say("%(name)s now and in the reference", name=window.column.name)
    return drawing(
        tag("path", d=outline(before), class_="before"),
        tag("path", d=outline(now), class_="after"),
        *(
            tag("rect", tag("title", words), x=at * step, y=0, width=step, height=floor,
                class_="catch")
            for at, words in enumerate(told)
        ),
        tag("path", d=f"M0 {floor + 0.5:g}H{_WIDTH:g}", class_="axis"),
        tag("text", cut(first, 18), x=0, y=_HEIGHT - 2),
        tag("text", cut(last, 18), x=_WIDTH, y=_HEIGHT - 2, text_anchor="end")
        if last != first else "",
        width=_WIDTH, height=_HEIGHT, label=label, class_="moved",
    )  # fmt: skip


def drift_bar(score: float, label: str) -> Markup:
    """How far something moved: at the mark it counts as drift."""
    width, height = _BAR
    share = min(max(score, 0.0) / _BEYOND, 1.0)
    mark = width / _BEYOND
    kind = "bad" if score >= 1 else "warn" if score >= 0.7 else "good"
    return drawing(
        tag("rect", y=4, width=width, height=height - 8, rx=4, class_="track"),
        tag("rect", y=4, width=max(share * width, 3.0), height=height - 8, rx=4, class_=kind),
        tag("path", d=f"M{mark:.1f} 1V{height - 1:g}", class_="mark"),
        width=width, height=height, label=label, class_="drift-bar",
    )  # fmt: skip


def _gathered(
    window: ColumnWindow, language: Language
) -> tuple[list[float], list[float], list[str]]:
    """Shares now and before, and names, of what is drawn side by side."""
    column = window.column
    now, before = _shares(window.counts), _shares(window.reference)
    before += [0.0] * (len(now) - len(before))
    if column.kind != "category":
        return _even(window, now, before)
    other = language.say("others")
    names = [*column.categories, *[other] * (len(now) - len(column.categories))][: len(now)]
    if len(now) > _MOST:  # the most frequent of the reference come first; the rest is one
        head = _MOST - 1
        return (
            [*now[:head], sum(now[head:])], [*before[:head], sum(before[head:])],
            [*names[:head], other],
        )  # fmt: skip
    if now and len(now) > len(column.categories) and not now[-1] and not before[-1]:
        return now[:-1], before[:-1], names[:-1]
    return now, before, names


def _even(
    window: ColumnWindow, now: list[float], before: list[float]
) -> tuple[list[float], list[float], list[str]]:
    """Bins are quantiles of the reference; people know values: cells of the same width."""
    column = window.column
    edges = column.edges
    low, high = column.low, column.high
    if len(edges) != len(now) - 1 or low is None or high is None or not low < high < math.inf:
        return now, before, [str(at + 1) for at in range(len(now))]
    low, high = _view(column)
    walls = [low, *edges, high]
    wide = (walls[-1] - walls[0]) / _CELLS
    cells = [walls[0] + wide * at for at in range(_CELLS + 1)]
    names = [f"{_spelled(a)} … {_spelled(b)}" for a, b in pairwise(cells)]
    return _spread(now, walls, cells), _spread(before, walls, cells), names


def _spread(shares: Sequence[float], walls: Sequence[float], cells: Sequence[float]) -> list[float]:
    """What of each bin lies in each cell, if a bin's rows are spread evenly."""
    found = [0.0] * (len(cells) - 1)
    wide = cells[1] - cells[0]
    for share, (low, high) in zip(shares, pairwise(walls), strict=True):
        first = min(int((low - cells[0]) / wide), len(found) - 1)
        if high <= low:  # a bin of one value
            found[first] += share
            continue
        for at in range(first, len(found)):
            inside = min(high, cells[at + 1]) - max(low, cells[at])
            if inside > 0:
                found[at] += share * inside / (high - low)
            if cells[at + 1] >= high:
                break
    return found


def _shares(counts: Sequence[int]) -> list[float]:
    whole = sum(counts) or 1
    return [count / whole for count in counts]


def _ends(window: ColumnWindow, names: Sequence[str]) -> tuple[str, str]:
    column = window.column
    if column.kind != "number" or not column.edges or column.low is None or column.high is None:
        return names[0], names[-1]
    low, high = _view(column)
    return (
        f"{'≤ ' if low > column.low else ''}{_spelled(low)}",
        f"{'≥ ' if high < column.high else ''}{_spelled(high)}",
    )


def _spelled(value: float) -> str:
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e7 else f"{value:.3g}"


def _view(column: Column) -> tuple[float, float]:
    """Between which values a picture goes: of long tails it shows the beginning."""
    edges, low, high = column.edges, column.low or 0.0, column.high or 0.0
    if not edges:
        return low, high
    more = (edges[-1] - edges[0]) / 10 or (high - low)
    return min(max(low, edges[0] - more), edges[0]), max(min(high, edges[-1] + more), edges[-1])
