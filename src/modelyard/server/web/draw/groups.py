"""How groups fare: each one's value with its interval, on one scale."""

from __future__ import annotations

import math
from collections.abc import Mapping

from markupsafe import Markup

from modelyard.server.web.draw.svg import tag

__all__ = ["groups"]

_HIGH = 22.0


def groups(
    found: Mapping[str, tuple[float | None, float | None, float | None, int]],
    label: str,
    *,
    worst: str | None = None,
    is_share: bool = True,
) -> Markup:
    """A row for each group: its name, its value with its interval, its number.

    Args:
        found: Value, low, high and rows by group.
        worst: The group that is told apart.
        is_share: Whether values are shares: then the scale goes from 0 to 100 %; else it is as
            wide as the values need, with zero on it.
    """
    bottom, top = (0.0, 1.0) if is_share else _ends(found)

    def at(value: float) -> float:
        return min(max((value - bottom) / (top - bottom), 0.0), 1.0)

    rows: list[Markup] = []
    for name, (value, low, high, _) in found.items():
        inside = [tag("line", x1="0", x2="100%", y1=_HIGH / 2, y2=_HIGH / 2, class_="track")]
        if not is_share:
            zero = _percent(at(0.0))
            inside.append(tag("line", x1=zero, x2=zero, y1=5, y2=_HIGH - 5, class_="track"))
        if low is not None and high is not None:
            inside.append(
                tag("rect", x=_percent(at(low)), width=_percent(max(at(high) - at(low), 0.004)),
                    y=_HIGH / 2 - 5, height=10, rx=5, class_="span")
            )  # fmt: skip
        if value is not None:
            inside.append(tag("circle", cx=_percent(at(value)), cy=_HIGH / 2, r=4, class_="dot"))
        rows.append(
            tag(
                "div", tag("span", name, title=name, class_="name"),
                tag("svg", *inside, width="100%", height=_HIGH, aria_hidden="true"),
                tag("b", _told(value, is_share)),
                class_="row worst" if name == worst else "row",
            )
        )  # fmt: skip
    return tag("div", *rows, role="group", aria_label=label, class_="groups")


def _ends(
    found: Mapping[str, tuple[float | None, float | None, float | None, int]],
) -> tuple[float, float]:
    known = [each for value, low, high, _ in found.values() for each in (value, low, high)
             if each is not None and math.isfinite(each)]  # fmt: skip
    low, high = min([*known, 0.0]), max([*known, 0.0])
    return (low, high) if high > low else (low, low + 1.0)


def _told(value: float | None, is_share: bool) -> str:
    if value is None:
        return "-"
    return f"{value * 100:.3g} %" if is_share else f"{value:.3g}"


def _percent(share: float) -> str:
    return f"{share * 100:.2f}%"
