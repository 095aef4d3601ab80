"""Two bars, one over the other: what a value was, and what it is."""

from __future__ import annotations

from markupsafe import Markup

from modelyard.server.web.draw.svg import drawing, tag

__all__ = ["pair"]

_WIDTH, _HIGH, _GAP = 220.0, 6.0, 2.0


def pair(before: float | None, after: float | None, largest: float, label: str) -> Markup:
    """`largest` fills the whole width; nothing is drawn of what is below 0 or not known."""
    rows = ((before, 0.0, "before"), (after, _HIGH + _GAP, "after"))
    return drawing(
        *(tag("rect", width=_WIDTH, y=y, height=_HIGH, rx=2, class_="track") for _, y, _ in rows),
        *(tag("rect", width=_long(value, largest), y=y, height=_HIGH, rx=2, class_=kind)
          for value, y, kind in rows if value is not None and value > 0),
        width=_WIDTH, height=2 * _HIGH + _GAP, label=label, class_="pair-bars",
    )  # fmt: skip


def _long(value: float, largest: float) -> float:
    share = value / largest if largest > 0 else 0.0
    return max(min(share, 1.0) * _WIDTH, 2.0)
