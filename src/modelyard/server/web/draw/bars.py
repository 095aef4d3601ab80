"""Bars: bytes of one thing against those of others, the size of a cell of a table."""

from __future__ import annotations

from markupsafe import Markup

from modelyard.server.web.draw.svg import drawing, tag

__all__ = ["bar"]

_WIDTH, _HEIGHT = 260.0, 14.0
_LEAST = 2.0
"""Pixels of what is there at all."""


def bar(first: float, second: float, largest: float, label: str) -> Markup:
    """Two parts after each other; `largest` would fill the whole width."""
    scale = _WIDTH / largest if largest > 0 else 0.0
    a = _long(first, scale)
    b = min(_long(second, scale), _WIDTH - a)
    return drawing(
        tag("rect", width=_WIDTH, height=_HEIGHT, rx=3, class_="track"),
        tag("rect", x=0, width=a, height=_HEIGHT, rx=3, class_="first") if a else "",
        tag("rect", x=a, width=b, height=_HEIGHT, rx=3, class_="second") if b > 0 else "",
        width=_WIDTH, height=_HEIGHT, label=label, class_="bar",
    )  # fmt: skip


def _long(value: float, scale: float) -> float:
    return min(max(value * scale, _LEAST), _WIDTH) if value > 0 else 0.0
