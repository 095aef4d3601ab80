"""Bars for a tensor's values: the size of a word in a table, or with an axis on its own page."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from modelyard.core.spread import Spread
from modelyard.i18n import Language
from modelyard.server.web.draw.svg import drawing, near, tag

__all__ = ["histogram", "small_histogram"]

_SMALL = (160, 28)
_WIDTH, _HEIGHT = 720, 240
_LEFT, _BOTTOM, _TOP = 8, 26, 8


def small_histogram(spread: Spread, language: Language) -> Markup:
    """Bars without an axis."""
    width, height = _SMALL
    label, bins = _label(spread, language), spread.bins
    return drawing(
        tag("path", d=_bars(bins, 0.0, width, height - 1, height - 2), class_="bars"),
        tag("path", d=f"M0 {height - 0.5}H{width}", class_="axis"),
        width=width, height=height, label=label, class_="histogram small",
    )  # fmt: skip


def histogram(spread: Spread, language: Language) -> Markup:
    """Bars with an axis; each tells its bin when the pointer rests on it."""
    bins, start, end = spread.bins, spread.start, spread.end
    label = _label(spread, language)
    inner, floor = _WIDTH - 2 * _LEFT, _HEIGHT - _BOTTOM
    step, most = inner / max(len(bins), 1), max([*bins, 1])
    edges = [_between(start, end, i / len(bins)) for i in range(len(bins) + 1)]
    bars = []
    for i, count in enumerate(bins):
        high = count / most * (floor - _TOP)
        words = tag("title", language.say_many(
            "%(low)s to %(high)s: %(number)s value", "%(low)s to %(high)s: %(number)s values",
            count, low=f"{edges[i]:.4g}", high=f"{edges[i + 1]:.4g}",
        ))  # fmt: skip
        x = float(_LEFT + i * step)
        bars.append(
            tag(
                "g",
                tag("rect", words, x=x, y=_TOP, width=step, height=float(floor - _TOP),
                    class_="catch"),
                tag("rect", x=x + 0.75, y=floor - high, width=step - 1.5, height=high,
                    class_="bar") if count else "",
                class_="bin",
            )
        )  # fmt: skip
    return drawing(
        *bars, tag("path", d=f"M{_LEFT} {floor + 0.5}H{_WIDTH - _LEFT}", class_="axis"),
        *_ticks(start, end, floor), width=_WIDTH, height=_HEIGHT, label=label, class_="histogram",
    )  # fmt: skip


def _label(spread: Spread, language: Language) -> str:
    if spread.low is None or spread.high is None:
        return language.say("Histogram without finite values")
    return language.say(
        "Histogram of values from %(low)s to %(high)s",
        low=f"{spread.low:.4g}", high=f"{spread.high:.4g}",
    )  # fmt: skip


def _ticks(start: float, end: float, floor: int) -> list[Markup]:
    marks = []
    inner = _WIDTH - 2 * _LEFT
    for i in range(5):
        x = _LEFT + i * inner / 4
        anchor = "start" if i == 0 else "end" if i == 4 else "middle"
        value = _between(start, end, i / 4)
        if abs(value) < max(abs(start), abs(end)) * 1e-9:
            value = 0.0
        marks += [
            tag("path", d=f"M{near(x)} {floor}v5", class_="axis"),
            tag("text", f"{value:.3g}", x=x, y=_HEIGHT - 6, text_anchor=anchor),
        ]
    return marks


def _between(start: float, end: float, share: float) -> float:
    """A place on the way, also where the way is longer than a number can tell."""
    return start * (1 - share) + end * share


def _bars(bins: Sequence[int], left: float, width: float, floor: float, room: float) -> str:
    """All bars as one path, which keeps a page with hundreds of them small."""
    step, most = width / max(len(bins), 1), max([*bins, 1])
    parts = []
    for i, count in enumerate(bins):
        if count:
            high = max(count / most * room, 1.0)
            parts.append(f"M{near(float(left + i * step))} {near(float(floor))}"
                         f"v{near(-high)}h{near(step - 0.5)}v{near(high)}z")  # fmt: skip
    return "".join(parts) or f"M{left} {floor}"
