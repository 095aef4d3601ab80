"""Lines of scores, one for each trial: those that were given up end early."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import quantiles
from typing import TYPE_CHECKING

from modelyard.server.web.draw.scale import ticks
from modelyard.server.web.draw.svg import cut, drawing, tag

if TYPE_CHECKING:
    from markupsafe import Markup

    from modelyard.i18n import Language
    from modelyard.server.web.courses import Course, Courses

__all__ = ["courses"]

_WIDTH, _HEIGHT = 900, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 66, 26, 30, 40
_WIDE, _HIGH = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
_FENCE = 3.0
"""What is further below the lower quartile, in distances of the quartiles, is drawn at the edge."""


def courses(found: Courses, language: Language, label: str, links: Mapping[int, str]) -> Markup:
    """From left to right as trials went on, from bottom to top as they got better.

    Args:
        links: Where each trial's line goes, by its number.
    """
    values = sorted(score for each in found.trials for _, score in each.scores)
    first, _, third = quantiles(values, n=4, method="inclusive")
    bottom = max(values[0], first - _FENCE * (third - first))
    marks = ticks(bottom, values[-1], 4)
    low, high = marks[0], marks[-1]

    def at(place: int, score: float) -> tuple[float, float]:
        across = place / max(len(found.places) - 1, 1)
        up = (max(score, low) - low) / (high - low)
        return _LEFT + across * _WIDE, _TOP + (1 - up) * _HIGH

    parts = [tag("text", language.say("higher is better"), x=_LEFT, y=_TOP - 14, class_="name")]
    for mark in marks:
        y = at(0, mark)[1]
        parts.append(tag("path", d=f"M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}", class_="grid"))
        parts.append(tag("text", f"{mark:.4g}", x=_LEFT - 9, y=y + 4, class_="tick end"))
    for name, x, side in (
        (found.places[0], _LEFT, ""), (found.places[-1], _WIDTH - _RIGHT, " end"),
    ):  # fmt: skip
        parts.append(tag("text", cut(name, 50), x=x, y=_HEIGHT - 14, class_=f"tick{side}"))
    for each in sorted(found.trials, key=lambda one: (one.chosen, not one.given_up)):
        points = [at(*score) for score in each.scores]
        place, score = each.scores[-1]
        told = f"#{each.number}: {score:.4g}, {found.places[place]}"
        if each.given_up:
            told += f", {language.say('given up')}"
        parts.append(_line(each, points, told, links[each.number]))
    return drawing(*parts, width=_WIDTH, height=_HEIGHT, label=label, class_="courses")


def _line(each: Course, points: list[tuple[float, float]], told: str, link: str) -> Markup:
    kinds = ["course", *(["gone"] if each.given_up else []), *(["chosen"] if each.chosen else [])]
    way = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    x, y = points[-1]
    inside = [
        tag("title", told), tag("polyline", points=way, class_="catch"),
        tag("polyline", points=way, class_="line"), tag("circle", cx=x, cy=y, r=2.5, class_="dot"),
    ]  # fmt: skip
    # the table tells the same to a keyboard
    return tag("a", *inside, href=link, class_=" ".join(kinds), aria_label=told, tabindex=-1)
