"""Two lines over days: what all copies would take, and what was stored."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from markupsafe import Markup

from modelyard.core.version import human_size
from modelyard.server.web.draw.svg import drawing, tag

__all__ = ["growth"]

_WIDTH, _HEIGHT = 760.0, 200.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 64.0, 12.0, 12.0, 24.0


def growth(
    days: Sequence[datetime], upper: Sequence[int], lower: Sequence[int], *, label: str
) -> Markup:
    """Steps from left to right; amounts stay as they are until something comes.

    Args:
        days: When something came, in order.
        upper: The larger amount of bytes after each day.
        lower: The smaller one.
    """
    if not days:
        return Markup("")
    times = [day.timestamp() for day in days]
    first, last = times[0], times[-1]
    span = (last - first) or 1.0
    most = max(upper) or 1.0

    def at(time: float, value: float) -> tuple[float, float]:
        x = _LEFT + (time - first) / span * (_WIDTH - _LEFT - _RIGHT)
        return x, _HEIGHT - _BOTTOM - value / most * (_HEIGHT - _TOP - _BOTTOM)

    ground = _HEIGHT - _BOTTOM
    parts: list[object] = []
    for share in (0.0, 0.5, 1.0):
        _, y = at(first, most * share)
        parts.append(tag("line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=y, y2=y, class_="grid"))
        parts.append(
            tag("text", human_size(round(most * share)), x=_LEFT - 8, y=y + 4, class_="axis end")
        )
    for values, name in ((upper, "upper"), (lower, "lower")):
        steps = _steps([at(t, v) for t, v in zip(times, values, strict=True)])
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in steps)
        area = f"{steps[0][0]:.1f},{ground:.0f} {line} {steps[-1][0]:.1f},{ground:.0f}"
        parts.append(tag("polygon", points=area, class_=f"area {name}"))
        parts.append(tag("polyline", points=line, class_=f"line {name}"))
        parts.append(tag("circle", cx=steps[-1][0], cy=steps[-1][1], r=3, class_=f"dot {name}"))
    parts.append(tag("text", _day(days[0]), x=_LEFT, y=_HEIGHT - 6, class_="axis"))
    if len(days) > 1:
        parts.append(
            tag("text", _day(days[-1]), x=_WIDTH - _RIGHT, y=_HEIGHT - 6, class_="axis end")
        )
    return drawing(*parts, width=_WIDTH, height=_HEIGHT, label=label, class_="growth")


def _steps(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """With a corner before each rise; one point alone is a line over the whole width."""
    if len(points) == 1:
        return [(_LEFT, points[0][1]), (_WIDTH - _RIGHT, points[0][1])]
    found = [points[0]]
    for x, y in points[1:]:
        found += [(x, found[-1][1]), (x, y)]
    return found


def _day(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%d")
