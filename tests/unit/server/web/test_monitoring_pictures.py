"""Pictures of monitoring: lines over time, columns that moved, groups, small areas."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.core.monitoring import Column, ColumnWindow
from modelyard.i18n import Language
from modelyard.server.web.draw.groups import groups
from modelyard.server.web.draw.moved import drift_bar, moved
from modelyard.server.web.draw.small_area import small_area
from modelyard.server.web.draw.time_chart import (
    Curve,
    Moment,
    points_of,
    time_chart,
    time_marks,
)

ENGLISH = Language.of("en")
NOW = 1_795_360_000.0
EVIL = "<img src=x onerror=alert(1)>"


def _chart(*curves: Curve, **more: object) -> str:
    told = {"since": NOW, "until": NOW + 600, "label": "numbers", **more}
    text = str(time_chart(curves, **told))  # type: ignore[arg-type]
    ElementTree.fromstring(text)
    return text


def _curve(*values: float | None, **more: object) -> Curve:
    times = [NOW + 60 * at for at in range(len(values))]
    return Curve("p99", "a", times, values, **more)  # type: ignore[arg-type]


def test_a_line_is_broken_where_nothing_is_known() -> None:
    drawn = _chart(_curve(1, 2, None, 3, 4, 5))
    lines = re.findall(r'<polyline points="([^"]+)"', drawn)
    assert [len(line.split()) for line in lines] == [2, 3]


def test_a_value_without_neighbours_is_a_dot() -> None:
    drawn = _chart(_curve(None, 2, None, 3, 3))
    assert drawn.count("<circle") == 1
    assert drawn.count("<polyline") == 1


def test_a_line_stands_where_its_times_and_values_are() -> None:
    drawn = _chart(Curve("x", "a", [NOW, NOW + 300, NOW + 600], [0.0, 50.0, 100.0]))
    (line,) = re.findall(r'<polyline points="([^"]+)"', drawn)
    assert line == "0.0,152.0 500.0,81.0 1000.0,10.0"


def test_a_band_needs_both_ends() -> None:
    drawn = _chart(_curve(1, 2, 3, low=(0, None, 2), high=(2, 3, 4)))
    assert len(re.findall(r'class="band a"', drawn)) == 2


def test_numbers_around_zero_stay_small() -> None:
    assert ">1 %<" in _chart(_curve(0.0, 0.0), unit="%", least=0.01)
    assert ">0.0001 %<" not in _chart(_curve(0.0, 1e-6), unit="%", least=0.01)


@pytest.mark.parametrize(
    ("unit", "value", "told"),
    [("s", 0.02, "20 ms"), ("s", 2.0, "2 s"), ("%", 0.4, "40 %"), ("1/s", 20_000.0, "20k")],
)
def test_the_axis_tells_units(unit: str, value: float, told: str) -> None:
    assert f">{told}<" in _chart(_curve(value, value / 2), unit=unit)


def test_what_happened_is_marked_within_the_window_only() -> None:
    drawn = _chart(
        _curve(1, 2),
        moments=[Moment(NOW + 60, EVIL, "deploy"), Moment(NOW - 60, "before", "deploy")],
    )
    assert drawn.count('class="happened deploy"') == 1
    assert "before" not in drawn
    assert EVIL not in drawn


def test_an_empty_chart_is_a_chart() -> None:
    assert "<line" in _chart()
    assert "<polyline" not in _chart(_curve(None, None))


@given(st.lists(st.one_of(st.none(), st.floats(-1e12, 1e12)), max_size=40))
def test_any_values_make_a_picture_inside_its_bounds(values: list[float | None]) -> None:
    drawn = _chart(_curve(*values), bounds=(None, None))
    for points in re.findall(r'<polyline points="([^"]+)"', drawn):
        for point in points.split():
            _, y = map(float, point.split(","))
            assert 9 <= y <= 153


def test_the_script_gets_the_same_numbers() -> None:
    a, b = _curve(1.23456, 2, low=(1, 1), high=(2, 3)), Curve("b", "b", [NOW + 60], [5.0])
    told = json.loads(points_of([a, b], since=NOW, until=NOW + 600))
    assert told["times"] == [NOW, NOW + 60]
    assert [one["values"] for one in told["curves"]] == [[1.235, 2.0], [None, 5.0]]
    assert told["curves"][0]["high"] == [2, 3]
    assert told["curves"][1]["low"] is None
    assert (told["low"], told["high"]) == (0, 6)


@given(st.floats(1, 2e9), st.floats(60, 3.5e7))
def test_marks_of_time_are_round_few_and_inside(since: float, span: float) -> None:
    marks = time_marks(since, since + span)
    assert len(marks) <= 8
    for time, _ in marks:
        assert since <= time <= since + span
        assert time == int(time)


# -- columns that moved ----------------------------------------------------------------------------


def _window(counts: tuple[int, ...], reference: tuple[int, ...], **about: object) -> ColumnWindow:
    column = Column(name="age", **about)  # type: ignore[arg-type]
    return ColumnWindow(column=column, counts=counts, reference=reference)


def _shares(drawn: str) -> list[tuple[float, float]]:
    told = re.findall(r": ([\d.e-]+) % now, ([\d.e-]+) % in the reference", drawn)
    return [(float(now), float(before)) for now, before in told]


def test_a_number_is_shown_over_its_own_values() -> None:
    window = _window(
        (0, 10, 30, 60), (25, 25, 25, 25), kind="number", edges=(1.0, 2.0, 3.0), low=0.0, high=4.0
    )
    drawn = str(moved(window, ENGLISH))
    shares = _shares(drawn)
    assert len(shares) == 40
    assert sum(now for now, _ in shares) == pytest.approx(100, abs=0.5)
    assert sum(before for _, before in shares) == pytest.approx(100, abs=0.5)
    assert shares[0][0] == 0
    assert shares[-1][0] > shares[len(shares) // 2][0]


def test_long_tails_are_shown_at_their_beginning() -> None:
    window = _window((1, 1, 1), (1, 1, 1), kind="number", edges=(0.0, 10.0), low=-1e9, high=1e9)
    drawn = str(moved(window, ENGLISH))
    assert "≤ -1" in drawn
    assert "≥ 11" in drawn


def test_a_bin_of_one_value_is_one_cell() -> None:
    window = _window((70, 30), (50, 50), kind="number", edges=(0.0,), low=0.0, high=1.0)
    assert sum(now for now, _ in _shares(str(moved(window, ENGLISH)))) == pytest.approx(100, abs=1)


def test_categories_have_their_names_and_the_rest_is_one() -> None:
    names = tuple(f"c{at}" for at in range(60))
    many = _window((1,) * 61, (1,) * 61, kind="category", categories=names)
    assert len(_shares(str(moved(many, ENGLISH)))) == 24
    few = _window((3, 1, 0), (1, 1, 0), kind="category", categories=(EVIL, "b"))
    drawn = str(moved(few, ENGLISH))
    assert len(_shares(drawn)) == 2
    assert EVIL not in drawn
    assert "&lt;img" in drawn


def test_a_column_without_counts_has_no_picture() -> None:
    assert str(moved(_window((), (), kind="vector"), ENGLISH)) == ""


@pytest.mark.parametrize(("score", "kind"), [(0.1, "good"), (0.8, "warn"), (1.0, "bad")])
def test_a_bar_of_drift_tells_how_bad_it_is(score: float, kind: str) -> None:
    drawn = str(drift_bar(score, "drift"))
    assert f'class="{kind}"' in drawn
    assert 'class="mark"' in drawn


# -- others ----------------------------------------------------------------------------------------


def test_groups_stand_below_each_other_with_intervals() -> None:
    found = {"a": (0.4, 0.3, 0.5, 100), EVIL: (None, None, None, 3), "c": (1.4, 0.9, 1.9, 9)}
    drawn = str(groups(found, "selection rates", worst="a"))
    ElementTree.fromstring(drawn)
    assert drawn.count('class="row') == 3
    assert drawn.count('class="row worst"') == 1
    assert 'x="30.00%" width="20.00%"' in drawn
    assert 'cx="100.00%"' in drawn
    assert EVIL not in drawn


def test_a_small_area_is_broken_too_and_keeps_its_scale() -> None:
    drawn = str(small_area([1.0, None, 2.0, 3.0], "rates", threshold=1.5))
    ElementTree.fromstring(drawn)
    assert drawn.count("<polyline") == 2
    assert 'class="threshold"' in drawn
    assert 'class="nothing"' in str(small_area([None, None], "rates"))
    assert 'class="nothing"' in str(small_area([], "rates"))
    flat = str(small_area([0.0001, 0.0002], "errors", most=0.02))
    heights = [float(y) for y in re.findall(r",([\d.]+)", flat)]
    assert min(heights) > 30


def test_groups_of_what_is_no_share_have_zero_on_their_scale() -> None:
    drawn = str(groups({"a": (-2.0, -3.0, -1.0, 9), "b": (1.0, 0.0, 1.0, 9)}, "", is_share=False))
    assert 'cx="25.00%"' in drawn
    assert 'cx="100.00%"' in drawn
    assert drawn.count('x1="75.00%"') == 2
    assert "<b>-2</b>" in drawn
