"""Bars and lines of bytes: nothing is longer than its place, and what is there can be seen."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from modelyard.server.web.draw.bars import bar
from modelyard.server.web.draw.growth import growth

RECT = re.compile(r'<rect (?:x="([\d.]+)" )?width="([\d.]+)"[^>]*class="(\w+)"')
DAY = datetime(2026, 11, 1, tzinfo=UTC)


def _parts(first: float, second: float, largest: float) -> dict[str, tuple[float, float]]:
    found = RECT.findall(bar(first, second, largest, "l"))
    return {name: (float(x or 0), float(width)) for x, width, name in found}


@given(st.integers(0, 10**15), st.integers(0, 10**15))
def test_both_parts_follow_each_other_inside_the_track(first: int, second: int) -> None:
    parts = _parts(first, second, first + second)
    at = 0.0
    for name in ("first", "second"):
        if name in parts:
            x, width = parts[name]
            assert abs(x - at) < 0.2
            at = x + width
    assert at <= parts["track"][1] + 0.2


def test_what_is_tiny_can_still_be_seen() -> None:
    assert _parts(1, 0, 10**12)["first"][1] >= 2


def test_nothing_has_no_bar() -> None:
    assert set(_parts(0, 0, 0)) == {"track"}


def _points(drawn: str) -> list[tuple[float, float]]:
    found = re.search(r'<polyline points="([^"]+)" class="line upper"', drawn)
    assert found
    return [(float(x), float(y)) for x, y in (p.split(",") for p in found[1].split())]


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=40))
def test_lines_go_right_and_up_and_stay_inside(steps: list[int]) -> None:
    days = [DAY + timedelta(days=at) for at in range(len(steps))]
    amounts = [sum(steps[: at + 1]) for at in range(len(steps))]
    points = _points(growth(days, amounts, [0] * len(steps), label="l"))
    assert points == sorted(points, key=lambda point: point[0])
    assert all(b[1] <= a[1] for a, b in pairwise(points))
    assert all(0 <= x <= 760 and 0 <= y <= 200 for x, y in points)


def test_no_day_is_no_picture() -> None:
    assert growth([], [], [], label="l") == ""
