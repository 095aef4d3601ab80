"""The picture of a metric over versions."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.core.version import RefInfo
from modelyard.registry.overview import MetricHistory, MetricPoint
from modelyard.server.web.draw import metric_line
from modelyard.server.web.draw.scale import ticks


def history(*values: float, side: tuple[int, ...] = (), best: int | None = None) -> MetricHistory:
    points = tuple(MetricPoint(n, v, n in side) for n, v in enumerate(values, start=1))
    return MetricHistory(
        "accuracy", "higher", points, len(points), points[best - 1] if best else None
    )


def drawn(told: MetricHistory, *refs: RefInfo) -> str:
    return str(metric_line(told, "own/net", refs, lambda m, n: f"/versions/{m}@{n}", "a <line>"))


def test_every_point_leads_to_its_version():
    picture = drawn(history(0.1, 0.2, 0.3))
    assert re.findall(r'href="([^"]+)"', picture) == [f"/versions/own/net@{n}" for n in (1, 2, 3)]
    assert "<title>@2: 0.2</title>" in picture
    assert 'aria-label="a &lt;line&gt;"' in picture


def test_the_line_joins_what_people_get_and_other_branches_are_hollow():
    picture = drawn(history(0.1, 0.9, 0.3, side=(2,), best=2))
    line = re.search(r'points="([^"]+)"', picture)
    assert line is not None
    assert len(line[1].split()) == 2
    assert 'class="point side best"' in picture


def test_higher_values_stand_higher_and_inside_the_picture():
    circles = re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', drawn(history(1.0, 3.0, 2.0)))
    places = [(float(x), float(y)) for x, y in circles]
    assert places[1][1] < places[2][1] < places[0][1]
    assert places[0][0] < places[1][0] < places[2][0]


def test_aliases_stand_above_their_points_and_not_upon_each_other():
    names = [RefInfo("champion", "alias", 2, ""), RefInfo("main", "branch", 3, "")]
    picture = drawn(history(0.1, 0.2, 0.3), *names)
    assert ">champion</text>" in picture
    assert ">main</text>" not in picture
    crowded = [RefInfo(f"alias-number-{n}", "alias", n, "") for n in range(1, 41)]
    told = re.findall(r'class="name">', drawn(history(*[0.5] * 40), *crowded))
    assert 0 < len(told) < 12


@pytest.mark.parametrize(
    "values", [(0.5,), (0.0, 0.0), (-1e12, 1e12), (1e-12, 2e-12), (1e299, -1e299)]
)
def test_any_values_can_be_drawn(values):
    assert "nan" not in drawn(history(*values)).lower()


def test_nothing_is_drawn_of_nothing():
    assert drawn(history()) == ""


@given(st.floats(-1e200, 1e200), st.floats(-1e200, 1e200), st.integers(1, 10))
def test_ticks_are_few_and_enclose_what_is_drawn(one, other, most):
    low, high = sorted((one, other))
    found = ticks(low, high, most)
    room = (found[-1] - found[0]) * 1e-6 + 1e-250
    assert found[0] <= low + room
    assert found[-1] >= high - room
    assert 2 <= len(found) <= most + 3
    assert found == sorted(set(found))
