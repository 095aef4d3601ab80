"""A metric over versions, with axes: each point leads to its version."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from modelyard.core.version import RefInfo
from modelyard.registry.overview import MetricHistory, MetricPoint
from modelyard.server.web.draw.scale import ticks
from modelyard.server.web.draw.svg import cut, drawing, tag

__all__ = ["metric_line"]

_WIDTH, _HEIGHT = 760.0, 240.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 58.0, 18.0, 26.0, 30.0
_TALL_TICKS, _WIDE_TICKS = 4, 8
_MANY = 60
"""More points than this get smaller dots."""


@dataclass(frozen=True, slots=True)
class _Frame:
    """From numbers and values to places."""

    first: int
    last: int
    low: float
    high: float

    def x(self, number: float) -> float:
        span = max(self.last - self.first, 1)
        share = (number - self.first) / span if self.last > self.first else 0.5
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        return (
            _HEIGHT
            - _BOTTOM
            - (value - self.low) / (self.high - self.low) * (_HEIGHT - _TOP - _BOTTOM)
        )


def metric_line(
    history: MetricHistory,
    model: str,
    refs: Sequence[RefInfo],
    to_version: Callable[[str, int], str],
    label: str,
) -> Markup:
    """Points of the branch that people get, joined; those of others are hollow.

    Args:
        refs: Of the model: aliases are shown above the points that they point at.
        to_version: The address of a version.
        label: What the picture shows, in words.
    """
    points = history.points
    if not points:
        return Markup("")
    named: dict[int, list[str]] = {}
    for ref in refs:
        if ref.kind == "alias":
            named.setdefault(ref.number, []).append(ref.name)
    grid = ticks(min(p.value for p in points), max(p.value for p in points), _TALL_TICKS)
    frame = _Frame(points[0].number, points[-1].number, grid[0], grid[-1])
    own = [point for point in points if not point.is_side]
    line = " ".join(f"{frame.x(p.number):.1f},{frame.y(p.value):.1f}" for p in own)
    return drawing(
        *_rows(frame, grid), *_columns(frame),
        *([tag("polyline", points=line, class_="line")] if len(own) > 1 else []),
        *(_point(frame, each, history, to_version(model, each.number)) for each in points),
        *_names(frame, points, named),
        width=_WIDTH, height=_HEIGHT, label=label, class_="metric-line",
    )  # fmt: skip


def _rows(frame: _Frame, grid: Sequence[float]) -> list[Markup]:
    step = grid[1] - grid[0]
    found = []
    for value in grid:
        y = frame.y(value)
        found.append(tag("line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=y, y2=y, class_="grid"))
        found.append(tag("text", _spelled(value, step), x=_LEFT - 8, y=y + 4, text_anchor="end"))
    return found


def _columns(frame: _Frame) -> list[Markup]:
    if frame.first == frame.last:
        numbers = [frame.first]
    else:
        numbers = [
            int(value)
            for value in ticks(frame.first, frame.last, _WIDE_TICKS)
            if value == int(value) and frame.first <= value <= frame.last
        ]
    return [
        tag("text", f"@{number}", x=frame.x(number), y=_HEIGHT - 8, text_anchor="middle")
        for number in numbers
    ]


def _point(frame: _Frame, point: MetricPoint, history: MetricHistory, address: str) -> Markup:
    best = history.best is not None and point.number == history.best.number
    kinds = ["point", *(["side"] if point.is_side else []), *(["best"] if best else [])]
    radius = 4.5 if best else 2.5 if len(history.points) > _MANY else 3.5
    told = f"@{point.number}: {point.value:.6g}"
    dot = tag(
        "circle", tag("title", told), cx=frame.x(point.number), cy=frame.y(point.value), r=radius,
        class_=" ".join(kinds),
    )  # fmt: skip
    # the table tells the same to a keyboard: a hundred stops on the way would not help
    return tag("a", dot, href=address, aria_label=told, tabindex=-1)


def _names(
    frame: _Frame, points: Sequence[MetricPoint], named: Mapping[int, Sequence[str]]
) -> list[Markup]:
    """Aliases above their points, as long as they don't run into each other."""
    found: list[Markup] = []
    taken = -math.inf
    for point in points:
        if (names := named.get(point.number)) is None:
            continue
        name = ", ".join(names)
        x, short = frame.x(point.number), cut(name, 16)
        half = 3.6 * len(short)
        middle = min(max(x, _LEFT + half), _WIDTH - half)
        if middle - half <= taken:
            continue
        taken = middle + half + 6
        y = frame.y(point.value)
        found.append(tag("line", x1=x, x2=x, y1=18, y2=y - 5, class_="mark"))
        found.append(tag("text", short, x=middle, y=13, text_anchor="middle", class_="name"))
    return found


def _spelled(value: float, step: float) -> str:
    """With as many digits as tell it from the next one."""
    if abs(value) >= 1e6 or 0 < step < 1e-5:
        return f"{value:.3g}"
    return f"{value:.{max(0, -math.floor(math.log10(step) + 1e-9))}f}"
