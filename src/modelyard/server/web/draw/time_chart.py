"""Numbers over time, as wide as there is room: lines, bands around them, and what happened when."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from markupsafe import Markup

from modelyard.server.web.draw.scale import ticks
from modelyard.server.web.draw.svg import tag

__all__ = ["Curve", "Moment", "points_of", "time_chart"]

_HEIGHT, _TOP, _BOTTOM, _LEFT = 176.0, 10.0, 24.0, 52
_PLOT = _HEIGHT - _TOP - _BOTTOM
_WIDE = 1000.0
"""Of the lines' own grid, which is stretched to the width there is."""
_STEPS = (1, 5, 15, 60, 300, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800,
          1209600, 2592000, 7776000)  # fmt: skip
"""Seconds between marks of the axis: spans that people count in."""


@dataclass(frozen=True, slots=True)
class Curve:
    """One line."""

    name: str
    kind: str
    """Class of its colour."""
    times: Sequence[float]
    """Seconds since 1970."""
    values: Sequence[float | None]
    """None where nothing is known: the line is broken there."""
    low: Sequence[float | None] = ()
    high: Sequence[float | None] = ()
    """Of a band around it, if there is one."""
    is_filled: bool = False
    """Whether the ground below is coloured too."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened."""

    time: float
    name: str
    kind: str
    """Class of its colour."""


def time_chart(
    curves: Sequence[Curve],
    *,
    since: float,
    until: float,
    label: str,
    unit: str = "1",
    moments: Sequence[Moment] = (),
    bounds: tuple[float | None, float | None] = (0.0, None),
    threshold: float | None = None,
    least: float = 0.0,
) -> Markup:
    """Curves of one scale.

    Args:
        unit: How the axis tells values: `1/s`, `s`, `%` (of a ratio), or `1`.
        bounds: The least and the most that the axis shows; None: what the curves need.
        threshold: A value with a line of its own.
        least: How far up the axis goes at least, so that noise around zero stays small.
    """
    low, high, grid = _scale(curves, bounds, threshold, least)
    span = (until - since) or 1.0

    def x(time: float) -> float:
        return (time - since) / span

    def y(value: float) -> float:
        return _TOP + (1 - (value - low) / (high - low)) * _PLOT

    inside = [
        tag("line", x1="0", x2="100%", y1=y(value), y2=y(value), class_="grid") for value in grid
    ]
    for time, name in time_marks(since, until):
        if x(time) > 0.97:  # it would be cut off
            continue
        anchor = "start" if x(time) < 0.03 else "middle"
        inside.append(tag("text", name, x=_percent(x(time)), y=_HEIGHT - 6, text_anchor=anchor))
    inside.append(
        tag("svg", *(part for one in curves for part in _drawn(one, x, y)), width="100%",
            height=_HEIGHT, viewBox=f"0 0 {_WIDE:g} {_HEIGHT:g}", preserveAspectRatio="none",
            class_="curves")
    )  # fmt: skip
    for one in curves:
        inside += _dots(one, x, y)
    if threshold is not None:
        inside.append(
            tag("line", x1="0", x2="100%", y1=y(threshold), y2=y(threshold), class_="threshold")
        )
    for moment in moments:
        if since <= moment.time <= until:
            inside.append(_marked(moment, _percent(x(moment.time))))
    names = [
        tag("text", _spelled(value, unit), x=_LEFT - 8, y=y(value) + 4, text_anchor="end")
        for value in grid
    ]
    scale = tag("svg", *names, width=_LEFT, height=_HEIGHT, class_="scale")
    plot = tag("svg", *inside, height=_HEIGHT, width="100%", class_="plot")
    return tag("div", scale, plot, role="img", aria_label=label, class_="time-chart")


def points_of(
    curves: Sequence[Curve],
    *,
    since: float,
    until: float,
    moments: Sequence[Moment] = (),
    bounds: tuple[float | None, float | None] = (0.0, None),
    threshold: float | None = None,
    least: float = 0.0,
) -> str:
    """The same as numbers, for the script that lets people point at them: JSON."""
    times = sorted({time for one in curves for time in one.times})
    low, high, _ = _scale(curves, bounds, threshold, least)
    told = {
        "since": since, "until": until, "low": low, "high": high, "threshold": threshold,
        "times": times,
        "curves": [
            {"name": one.name, "kind": one.kind, "filled": one.is_filled,
             "values": _at(times, one.times, one.values),
             "low": _at(times, one.times, one.low) if one.low else None,
             "high": _at(times, one.times, one.high) if one.high else None}
            for one in curves
        ],
        "moments": [
            {"time": one.time, "name": one.name, "kind": one.kind}
            for one in moments if since <= one.time <= until
        ],
    }  # fmt: skip
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))


def time_marks(since: float, until: float, most: int = 6) -> list[tuple[float, str]]:
    """Round times between two, and how they are told (UTC)."""
    span = max(until - since, 1.0)
    step = next((s for s in _STEPS if span / s <= most), _STEPS[-1])
    first = math.ceil(since / step) * step
    shape = "%H:%M:%S" if step < 60 else "%H:%M" if step < 86_400 else "%m-%d"
    times = [float(first + at * step) for at in range(int((until - first) // step) + 1)]
    return [(time, _told(time, shape)) for time in times]


def _told(time: float, shape: str) -> str:
    day = datetime.fromtimestamp(time, UTC)
    is_midnight = shape == "%H:%M" and (day.hour, day.minute) == (0, 0)
    return day.strftime("%m-%d" if is_midnight else shape)


def _scale(
    curves: Sequence[Curve],
    bounds: tuple[float | None, float | None],
    threshold: float | None,
    least: float,
) -> tuple[float, float, list[float]]:
    """The least, the most, and the lines of the grid between them."""
    found = [v for one in curves for row in (one.values, one.low, one.high) for v in row
             if v is not None and math.isfinite(v)]  # fmt: skip
    found += [value for value in (*bounds, threshold) if value is not None]
    low, high = min(found, default=0.0), max([*found, least])
    if high <= low:
        high = low + (abs(low) or 1.0)
    grid = ticks(low, high, 4)
    if bounds[0] is not None:
        grid = [value for value in grid if value >= bounds[0]] or [bounds[0], high]
    if bounds[1] is not None:
        grid = [value for value in grid if value <= bounds[1]] or [low, bounds[1]]
    return min(low, grid[0]), max(high, grid[-1]), grid


def _drawn(
    one: Curve, x: Callable[[float], float], y: Callable[[float], float]
) -> Iterator[Markup]:
    """Its band, its ground, its line."""
    for part in _runs(one.times, one.low, one.high):
        there = [f"{x(time) * _WIDE:.1f},{y(high):.1f}" for time, _, high in part]
        back = [f"{x(time) * _WIDE:.1f},{y(low):.1f}" for time, low, _ in reversed(part)]
        yield tag("polygon", points=" ".join([*there, *back]), class_=f"band {one.kind}")
    for part in _runs(one.times, one.values, one.values):
        points = [f"{x(time) * _WIDE:.1f},{y(value):.1f}" for time, value, _ in part]
        if len(points) < 2:
            continue
        if one.is_filled:
            ends = (f"{x(part[0][0]) * _WIDE:.1f}", f"{x(part[-1][0]) * _WIDE:.1f}")
            ground = f"{_HEIGHT - _BOTTOM:g}"
            area = f"{ends[0]},{ground} {' '.join(points)} {ends[1]},{ground}"
            yield tag("polygon", points=area, class_=f"ground {one.kind}")
        yield tag("polyline", points=" ".join(points), class_=f"curve {one.kind}")


def _dots(one: Curve, x: Callable[[float], float], y: Callable[[float], float]) -> list[Markup]:
    """Points without a neighbour, which no line shows."""
    return [
        tag("circle", cx=_percent(x(part[0][0])), cy=y(part[0][1]), r=2.5, class_=f"dot {one.kind}")
        for part in _runs(one.times, one.values, one.values)
        if len(part) == 1
    ]


def _runs(
    times: Sequence[float], first: Sequence[float | None], second: Sequence[float | None]
) -> Iterator[list[tuple[float, float, float]]]:
    """Stretches in which everything is known."""
    run: list[tuple[float, float, float]] = []
    for time, a, b in zip(times, first, second, strict=False):
        if a is not None and b is not None and math.isfinite(a) and math.isfinite(b):
            run.append((time, a, b))
        elif run:
            yield run
            run = []
    if run:
        yield run


def _marked(moment: Moment, at: str) -> Markup:
    base = _HEIGHT - _BOTTOM
    return tag(
        "g", tag("title", moment.name),
        tag("line", x1=at, x2=at, y1=_TOP - 4, y2=base, class_="moment"),
        tag("circle", cx=at, cy=_TOP - 4, r=4, class_="flag"), class_=f"happened {moment.kind}",
    )  # fmt: skip


def _spelled(value: float, unit: str) -> str:
    if unit == "%":
        return f"{value * 100:.3g} %"
    if value == 0:
        return "0"
    if unit == "s":
        small = abs(value) < 0.9995
        return f"{value * 1e3:.3g} ms" if small else f"{value:.3g} s"
    return f"{value / 1000:.3g}k" if abs(value) >= 10_000 else f"{value:.3g}"


def _at(
    times: Sequence[float], own: Sequence[float], values: Sequence[float | None]
) -> list[float | None]:
    """Values at the times of all curves, with four digits."""
    known = dict(zip(own, values, strict=False))
    return [_short(known.get(time)) for time in times]


def _short(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(f"{value:.4g}")


def _percent(share: float) -> str:
    return f"{share * 100:.2f}%"
