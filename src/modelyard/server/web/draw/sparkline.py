"""A line without axes, the size of a word."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from modelyard.server.web.draw.svg import drawing, tag

__all__ = ["sparkline"]

_WIDTH, _HEIGHT, _EDGE = 96, 24, 3


def sparkline(values: Sequence[float], label: str) -> Markup:
    """Values in their order from left to right; the last one has a dot."""
    if not values:
        return Markup("")
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    step = (_WIDTH - 2 * _EDGE) / max(len(values) - 1, 1)

    def at(position: int, value: float) -> tuple[float, float]:
        height = (value - low) / span if high > low else 0.5
        return _EDGE + position * step, _HEIGHT - _EDGE - height * (_HEIGHT - 2 * _EDGE)

    points = [at(i, value) for i, value in enumerate(values)]
    x, y = points[-1]
    line = tag("polyline", points=" ".join(f"{a:.1f},{b:.1f}" for a, b in points), class_="line")
    return drawing(
        line, tag("circle", cx=x, cy=y, r=2.5, class_="dot"),
        width=_WIDTH, height=_HEIGHT, label=label, class_="sparkline",
    )  # fmt: skip
