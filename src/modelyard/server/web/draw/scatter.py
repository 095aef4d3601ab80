"""A trade-off as points: size or time from left to right, a metric from bottom to top."""

from __future__ import annotations

from math import log10
from typing import TYPE_CHECKING

from modelyard.core.version import human_size
from modelyard.server.web.draw.scale import SMALLEST, ticks
from modelyard.server.web.draw.svg import drawing, tag

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from markupsafe import Markup

    from modelyard.server.web.trade_off import TradeOff

__all__ = ["scatter"]

_WIDTH, _HEIGHT = 620, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 18, 16, 40
_SAME = 0.02
"""Sizes and times that are nearer than this share stand close together: it is no trade-off."""


def scatter(trade: TradeOff, label: str, across: str, links: Mapping[str, str]) -> Markup:
    """Points that no other beats in both are filled and joined; lines are intervals of 95 %.

    Args:
        across: What lies from left to right, in words.
        links: Where each point goes, by its title.
    """
    points = trade.points
    logs = max(p.x for p in points) / max(min(p.x for p in points), 1e-12) > 20
    ahead = [log10(max(p.x, 1e-12)) if logs else p.x for p in points]
    x_low, x_high = _padded(min(ahead), max(ahead), 0.0 if logs else _SAME)
    ends = [v for p in points for v in (p.y, p.low, p.high) if v is not None]
    y_low, y_high = _padded(min(ends), max(ends))
    wide, high = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def at_x(value: float) -> float:
        value = log10(max(value, 1e-12)) if logs else value
        return _LEFT + (value - x_low) / (x_high - x_low) * wide

    def at_y(value: float) -> float:
        return _TOP + (y_high - value) / (y_high - y_low) * high

    parts: list[Markup] = []
    for value in _ticks(y_low, y_high):
        y = at_y(value)
        parts.append(tag("path", d=f"M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}", class_="grid"))
        parts.append(tag("text", f"{value:.4g}", x=_LEFT - 8, y=y + 4, class_="tick end"))
    marks = [10**v for v in _ticks(x_low, x_high)] if logs else _ticks(x_low, x_high)
    told = dict(zip(_marked(marks, trade.across), marks, strict=True))  # no words twice
    for words, value in told.items():
        parts.append(tag("text", words, x=at_x(value), y=_HEIGHT - 20, class_="tick middle"))
    parts.append(tag("text", across, x=_WIDTH - _RIGHT, y=_HEIGHT - 4, class_="name end"))
    parts.append(tag("text", trade.metric, x=_LEFT + 4, y=_TOP - 4, class_="name"))
    parts += _front(trade, [(at_x(p.x), at_y(p.y)) for p in points if p.front])
    for p in points:
        x, y = at_x(p.x), at_y(p.y)
        words = f"{p.title}: {trade.metric} {p.y:.4g}"
        shapes = [tag("title", words)]
        if p.low is not None and p.high is not None:
            words = f"{words} ({p.low:.4g} – {p.high:.4g})"
            sure = f"M{x:.1f} {at_y(p.low):.1f}V{at_y(p.high):.1f}"
            shapes = [tag("title", words), tag("path", d=sure, class_="sure")]
        kind = "front" if p.front else "behind"
        shapes.append(tag("circle", cx=x, cy=y, r=5, class_=f"{kind}{' tied' if p.tied else ''}"))
        parts.append(tag("a", *shapes, href=links[p.title]))
    named = sorted((p for p in points if p.front), key=lambda p: p.y)[-6:]
    for p in named:
        short = p.title.rpartition("@")[2]
        parts.append(tag("text", f"@{short}", x=at_x(p.x) + 8, y=at_y(p.y) - 7, class_="point"))
    return drawing(*parts, width=_WIDTH, height=_HEIGHT, label=label, class_="scatter")


def _front(trade: TradeOff, corners: Sequence[tuple[float, float]]) -> list[Markup]:
    """Steps from one to the next."""
    if len(corners) < 2:
        return []
    x, y = corners[0]
    steps = [f"M{x:.1f} {y:.1f}"]
    for x, y in corners[1:]:
        steps.append(f"H{x:.1f}V{y:.1f}")
    return [tag("path", d="".join(steps), class_="steps")]


def _marked(marks: Sequence[float], across: str) -> list[str]:
    return [human_size(int(v)) if across == "size" else f"{v:.3g} ms" for v in marks]


def _padded(low: float, high: float, same: float = 0.0) -> tuple[float, float]:
    """Ends of an axis, with room; `same` is the least share of the values that it spans."""
    span = next((size for size in (high - low, abs(high)) if size > SMALLEST), 1.0)
    more = max(span * 0.07, (abs(high) * same - span) / 2)
    return low - more, high + more


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers between two."""
    return [value for value in ticks(low, high, 5) if low <= value <= high]
