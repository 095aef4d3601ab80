"""Trials as points, one goal against another; what no other beats is joined."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import TYPE_CHECKING

from modelyard.core.version import human_size
from modelyard.server.web.draw.scale import SMALLEST, ticks
from modelyard.server.web.draw.svg import drawing, tag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup

    from modelyard.i18n import Language
    from modelyard.server.web.fronts import Field, Spot

__all__ = ["amount", "front"]

_WIDTH, _HEIGHT = 900, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 66, 26, 30, 46
_WIDE, _HIGH = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
_FAR = 6
"""Values that are further from each other lie by orders of magnitude."""
_NAMED = 6
"""Points that have their number beside them."""


@dataclass(frozen=True, slots=True)
class _Scale:
    """From values to places along one axis, 0 to 1."""

    low: float
    high: float
    log: bool

    def at(self, value: float) -> float:
        return (_logged(value, self.log) - self.low) / (self.high - self.low)

    def marks(self, most: int) -> list[float]:
        if not self.log:
            return [v for v in ticks(self.low, self.high, most) if self.low <= v <= self.high]
        powers = range(floor(self.low), ceil(self.high) + 1)
        for times in ((1, 2, 5), (1, 3), (1,)):
            found = [t * 10.0**p for p in powers for t in times
                     if self.low <= log10(t) + p <= self.high]  # fmt: skip
            if len(found) <= most:
                return found
        return found[:: ceil(len(found) / most)]


def front(
    field: Field, language: Language, label: str, names: Mapping[str, str], links: Mapping[int, str]
) -> Markup:
    """Points of the front are filled and joined; those that break a constraint are crossed.

    Args:
        names: What metrics are called, where they have another name than their own.
        links: Where each trial's point goes, by its number.
    """
    befores = [] if field.before is None else [field.before]
    across = _scale([s.x for s in field.spots] + [b[0] for b in befores if b[0] is not None],
                    whole=field.across is None)  # fmt: skip
    up = _scale([s.y for s in field.spots] + [b[1] for b in befores])

    def at(x: float, y: float) -> tuple[float, float]:
        return _LEFT + across.at(x) * _WIDE, _TOP + (1 - up.at(y)) * _HIGH

    better, trial = (language.say("higher is better"), language.say("lower is better")), "trial"
    parts = _grid(field, across, up)
    y_name, y_way = field.up.metric, better[field.up.direction == "min"]
    parts.append(tag("text", f"{names.get(y_name, y_name)}, {y_way}", x=_LEFT, y=_TOP - 14,
                     class_="name"))  # fmt: skip
    x_words = language.say("number of the trial")
    if field.across is not None:
        x_name, trial = field.across.metric, field.across.metric
        x_words = f"{names.get(x_name, x_name)}, {better[field.across.direction == 'min']}"
    parts.append(tag("text", x_words, x=_WIDTH - _RIGHT, y=_HEIGHT - 6, class_="name end"))
    parts += _steps([at(s.x, s.y) for s in field.edge], to_end=field.across is None)
    if field.before is not None:
        parts += _before(field.before, at, language.say("before"))
    for spot in sorted(field.spots, key=lambda s: (s.version is not None, s.front)):
        told = f"#{spot.number}: {names.get(y_name, y_name)} {amount(spot.y, y_name)}"
        if field.across is not None:
            told += f", {names.get(trial, trial)} {amount(spot.x, trial)}"
        if not spot.holds:
            told += f", {language.say('breaks a constraint')}"
        parts.append(_spot(spot, *at(spot.x, spot.y), told, links[spot.number]))
    parts += _labels(field, at)
    return drawing(*parts, width=_WIDTH, height=_HEIGHT, label=label, class_="front-field")


def amount(value: float, metric: str) -> str:
    """With its unit: `1.2 MB`, `0.42 ms`, `0.97`."""
    if metric in ("size", "stored"):
        return human_size(max(int(value), 0))
    if "latency" in metric:
        return f"{value:.3g} ms"
    if metric == "parameters":
        return f"{value:,.0f}"
    return f"{value:.4g}"


def _spot(spot: Spot, x: float, y: float, told: str, link: str) -> Markup:
    kinds = ["spot", "front" if spot.front else "behind"]
    kinds += [] if spot.holds else ["breaks"]
    kinds += [] if spot.version is None else ["made"]
    inside = [tag("title", told), tag("circle", cx=x, cy=y, r=9, class_="catch")]
    if spot.version is not None:
        inside.append(tag("circle", cx=x, cy=y, r=9.5, class_="ring"))
    if spot.holds:
        inside.append(tag("circle", cx=x, cy=y, r=5.5 if spot.front else 4.5, class_="dot"))
    else:
        inside.append(tag("path", d=f"M{x - 4:.1f} {y - 4:.1f}l8 8m0 -8l-8 8", class_="cross"))
    # the table tells the same to a keyboard: a hundred stops on the way would not help
    return tag("a", *inside, href=link, class_=" ".join(kinds), aria_label=told, tabindex=-1)


def _labels(field: Field, at: Callable[[float, float], tuple[float, float]]) -> list[Markup]:
    """Beside published versions, and some trials of the front; never one over another."""
    named = [spot for spot in field.spots if spot.version is not None]
    named += [spot for spot in field.edge if spot.version is None][-_NAMED:]
    taken: list[tuple[float, float]] = []
    found: list[Markup] = []
    for spot in named:
        x, y = at(spot.x, spot.y)
        if any(abs(x - tx) < 46 and abs(y - ty) < 15 for tx, ty in taken):
            continue
        taken.append((x, y))
        text = f"#{spot.number}" if spot.version is None else f"@{spot.version}"
        to_left = x > _WIDTH - _RIGHT - 50
        found.append(tag("text", text, x=x - 13 if to_left else x + 13, y=max(y - 9, 12.0),
                         class_=f"point{' end' if to_left else ''}"))  # fmt: skip
    return found


def _before(
    before: tuple[float | None, float],
    at: Callable[[float, float], tuple[float, float]],
    words: str,
) -> list[Markup]:
    """The version as it was: a diamond; where there is one goal alone, a line."""
    if before[0] is None:
        y = at(0.0, before[1])[1]
        return [
            tag("path", tag("title", words), d=f"M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}",
                class_="was-line"),
            tag("text", words, x=_WIDTH - _RIGHT - 4, y=y - 5, class_="was-name end"),
        ]  # fmt: skip
    x, y = at(before[0], before[1])
    end = x > _WIDTH - _RIGHT - 60
    return [
        tag("path", tag("title", words), d=f"M{x:.1f} {y - 7:.1f}l7 7l-7 7l-7 -7z", class_="was"),
        tag("text", words, x=x - 12 if end else x + 12, y=y + 15,
            class_=f"was-name{' end' if end else ''}"),
    ]  # fmt: skip


def _steps(corners: Sequence[tuple[float, float]], *, to_end: bool) -> list[Markup]:
    if not corners or (len(corners) < 2 and not to_end):
        return []
    x, y = corners[0]
    steps = [f"M{x:.1f} {y:.1f}"]
    steps += [f"H{x:.1f}V{y:.1f}" for x, y in corners[1:]]
    if to_end:
        steps.append(f"H{_WIDTH - _RIGHT}")
    return [tag("path", d="".join(steps), class_="steps")]


def _grid(field: Field, across: _Scale, up: _Scale) -> list[Markup]:
    parts: list[Markup] = []
    spelled: set[str] = set()
    for value in up.marks(5):
        y = _TOP + (1 - up.at(value)) * _HIGH
        parts.append(tag("path", d=f"M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}", class_="grid"))
        text = amount(value, field.up.metric)
        if text not in spelled:
            parts.append(tag("text", text, x=_LEFT - 9, y=y + 4, class_="tick end"))
        spelled.add(text)
    spelled.clear()
    for value in across.marks(9):
        metric = "" if field.across is None else field.across.metric
        text = f"#{value:.0f}" if field.across is None else amount(value, metric)
        if text not in spelled and (field.across is not None or value == int(value) >= 0):
            x = _LEFT + across.at(value) * _WIDE
            parts.append(tag("text", text, x=x, y=_HEIGHT - _BOTTOM + 18, class_="tick middle"))
        spelled.add(text)
    return parts


def _scale(values: Sequence[float], *, whole: bool = False) -> _Scale:
    """With room at both ends; by orders of magnitude where values are far from each other."""
    low, high = min(values), max(values)
    logs = not whole and low > 0 and high / low > _FAR
    low, high = _logged(low, logs), _logged(high, logs)
    span = next((size for size in (high - low, abs(high) * 0.1) if size > SMALLEST), 1.0)
    return _Scale(low - span * 0.08, high + span * 0.08, logs)


def _logged(value: float, logs: bool) -> float:
    return log10(max(value, 1e-300)) if logs else value
