"""The history graph, drawn."""

from __future__ import annotations

from modelyard.cli.views.graph import draw


def picture(rows):
    return [
        line.rstrip()
        for (number, _), drawn in zip(rows, draw(rows), strict=True)
        for line in (f"{drawn.node} {number}", drawn.below)
    ]


def test_a_straight_history_is_one_lane():
    assert picture([(2, (1,)), (1, ())]) == ["* 2", "|", "* 1", ""]


def test_a_merge_parts_and_joins():
    rows = [(4, (3, 2)), (3, (1,)), (2, (1,)), (1, ())]
    assert picture(rows) == ["*   4", "|\\", "* | 3", "| |", "| * 2", "|/", "* 1", ""]


def test_a_line_over_other_lanes_is_drawn_below_them():
    rows = [(5, (1,)), (4, (2,)), (3, (1,)), (2, ()), (1, ())]
    assert picture(rows)[4:6] == ["| | * 3", "|_|/"]


def test_the_second_line_is_as_wide_as_the_first():
    rows = [(6, (5, 4, 3)), (5, (1,)), (4, (1,)), (3, (2,)), (2, (1,)), (1, ())]
    assert all(len(drawn.node) == len(drawn.below) for drawn in draw(rows))
