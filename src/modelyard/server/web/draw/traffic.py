"""Who gets which part of a deployment's requests: one bar as wide as there is room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from markupsafe import Markup

from modelyard.server.web.draw.svg import tag

__all__ = ["Stretch", "traffic"]

_TALL, _FLAT = 34, 10
_THIN, _GAP = 6, 6
_READABLE = 9.0
"""Percent from which a part has room for its name on a narrow window too."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """One version's part of the bar."""

    name: str
    percent: float
    kind: str
    """`stable`, `canary` or `shadow`: how it is coloured."""
    is_failing: bool = False
    """Whether it can't answer."""


def traffic(stretches: Sequence[Stretch], label: str, *, is_small: bool = False) -> Markup:
    """Parts that make 100 percent side by side; below them, thin, who gets copies.

    Lengths are percents, so letters keep their size whatever the width.
    """
    live = [one for one in stretches if one.kind != "shadow" and one.percent > 0]
    shadows = [] if is_small else [one for one in stretches if one.kind == "shadow"]
    height = _FLAT if is_small else _TALL
    ends = list(accumulate(one.percent for one in live))
    drawn = [
        _part(one, end - one.percent, height, is_small=is_small)
        for one, end in zip(live, ends, strict=True)
    ]
    tops = [height + _GAP + at * (_THIN + 3) for at in range(len(shadows))]
    for one, top in zip(shadows, tops, strict=True):
        drawn.append(tag("rect", y=top, width="100%", height=_THIN, rx=3, class_="track"))
        drawn.append(
            tag("rect", tag("title", _told(one)), y=top, width=_length(one.percent), height=_THIN,
                rx=3, class_="shadow")
        )  # fmt: skip
    whole = tops[-1] + _THIN if tops else height
    return tag(
        "svg", tag("rect", width="100%", height=height, rx=4, class_="track"), *drawn,
        xmlns="http://www.w3.org/2000/svg", width="100%", height=whole, role="img",
        aria_label=label, class_="traffic flat" if is_small else "traffic",
    )  # fmt: skip


def _part(one: Stretch, begin: float, height: float, *, is_small: bool) -> Markup:
    """In an `svg` of its own, which cuts what is too long."""
    words = [
        tag("text", one.name, x=10, y=height / 2 + 5, class_="name"),
        tag("text", f"{one.percent:g} %", x="100%", dx=-10, y=height / 2 + 5, class_="share"),
    ]
    inside = [] if is_small or one.percent < _READABLE else words[: 2 if one.percent > 22 else 1]
    return tag(
        "svg", tag("title", _told(one)),
        tag("rect", width="100%", height=height, rx=4,
            class_=f"{one.kind} failing" if one.is_failing else one.kind), *inside,
        x=_length(begin), width=_length(one.percent), height=height,
    )  # fmt: skip


def _told(one: Stretch) -> str:
    return f"{one.name}: {one.percent:g} %"


def _length(percent: float) -> str:
    return f"{percent:.3f}".rstrip("0").rstrip(".") + "%"
