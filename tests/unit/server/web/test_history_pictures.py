"""The history graph, histograms, confusion and calibration as SVG."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest

from modelyard.core.evaluation import Bin, Confusion
from modelyard.core.lineage import graph_lanes
from modelyard.core.spread import WHOLE, spread_of, stretches
from modelyard.i18n import Language
from modelyard.server.web import draw
from modelyard.server.web.draw.graph import LANES, ROW, graph_width

ENGLISH = Language.of("en")
CHINESE = Language.of("zh")


def test_a_lane_goes_from_one_border_to_the_other():
    picture = draw.graph_row(0, ((0, 0),), (0,), kind="version", lanes=1)
    assert 'd="M12 -1V28"' in picture
    assert f'd="M12 28V{ROW + 1}"' in picture


def test_the_newest_version_has_nothing_above_it():
    assert " -1V" not in draw.graph_row(0, ((0, 0),), (), kind="version", lanes=1)


def test_a_merged_branch_has_the_colour_of_its_lane():
    picture = draw.graph_row(0, ((0, 0), (0, 2)), (0,), kind="merge", lanes=3)
    curve = re.search(r'd="M12 28C[^"]*" class="(\w+)"', picture)
    assert curve is not None
    assert curve[1] == "lane2"
    assert 'class="dot merge lane0"' in picture


def test_lanes_beyond_the_last_one_share_it():
    picture = draw.graph_row(500, ((500, 500),), (), kind="version", lanes=900)
    assert f'width="{graph_width(LANES)}"' in picture


def test_a_thousand_open_branches_don_t_make_a_page_of_megabytes():
    edges = [(lane, lane) for lane in range(1000)]
    picture = draw.graph_row(5, edges, range(1000), kind="version", lanes=1000)
    assert picture.count("<path") == 2 * LANES


def test_the_first_parents_stay_in_one_lane():
    rows = [(5, (4,)), (4, (2,)), (3, (1,)), (2, (1,)), (1, ())]
    by_node = {row.node: row.column for row in graph_lanes(rows)}
    assert [by_node[node] for node in (5, 4, 2, 1)] == [0, 0, 0, 0]


def test_a_line_that_began_earlier_in_the_log_goes_straight_on():
    rows = [(6, (3,)), (5, (2,)), (4, (1,)), (3, (1,)), (2, (1,)), (1, ())]
    places = {row.node: row for row in graph_lanes(rows)}
    assert places[3].column == 0
    assert places[3].edges == ((0, 0), (1, 1), (2, 0))
    assert places[1].column == 0


@pytest.mark.parametrize("cut", [1, 2, 3, 4])
def test_a_graph_drawn_in_two_parts_is_the_same(cut):
    rows = [(7, (6, 5)), (6, (4,)), (5, (3,)), (4, (2,)), (3, (2, 1)), (2, (1,)), (1, ())]
    lanes: list[int | None] = []
    parts = [*graph_lanes(rows[:cut], lanes)]
    parts += graph_lanes(rows[cut:], lanes)
    assert parts == list(graph_lanes(rows))


# -- values of tensors -----------------------------------------------------------------------------


def test_a_spread_counts_every_value():
    values = np.array([0.0, 0.0, 1.0, 2.0, np.nan, np.inf], np.float32)
    spread = spread_of(values, 6)
    assert (spread.low, spread.high, spread.mean) == (0.0, 2.0, 0.75)
    assert (spread.zeros, spread.nans, spread.infinite) == (2 / 6, 1 / 6, 1 / 6)
    assert sum(spread.bins) == 4
    assert spread.outside == 0
    assert not spread.is_sample


def test_one_far_value_does_not_squeeze_the_others_into_one_bin():
    values = np.append(np.linspace(-1, 1, 5000), 1e6)
    spread = spread_of(values, len(values))
    assert spread.outside >= 1
    assert spread.end < 2
    assert spread.high == 1e6
    assert sum(1 for count in spread.bins if count) == 40


@pytest.mark.parametrize(
    "values",
    [
        np.zeros(3, np.int64), np.full(4, -7.5), np.array([], np.float32), np.array([np.nan]),
        np.array([True, False]), np.array([1 + 1j]), np.array([-1.7e308, 1.7e308]),
        np.array([5e-324, 0.0]), np.array(2**63, np.uint64).reshape(1),
    ],
    ids=str,
)  # fmt: skip
def test_any_values_have_a_picture(values):
    spread = spread_of(values, len(values))
    assert sum(spread.bins) + spread.outside == int(np.isfinite(values).sum())
    for language in (ENGLISH, CHINESE):
        for picture in (draw.histogram(spread, language), draw.small_histogram(spread, language)):
            assert "nan" not in picture
            assert "aria-label" in picture


def test_stretches_lie_evenly_over_a_large_tensor():
    parts = stretches(10 * WHOLE)
    assert sum(end - start for start, end in parts) == WHOLE
    assert parts[0][0] == 0
    assert parts[-1][1] == 10 * WHOLE
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(parts))
    assert stretches(WHOLE) == [(0, WHOLE)]
    assert stretches(0) == []


def test_a_bar_tells_its_bin():
    spread = spread_of(np.arange(40.0), 40)
    assert "0 to 0.975: 1 value" in draw.histogram(spread, ENGLISH)


# -- evaluations -----------------------------------------------------------------------------------


def test_a_confusion_matrix_has_a_field_for_each_pair():
    found = Confusion(("cat", "dog", "<b>"), ((5, 1, 0), (0, 7, 0), (0, 2, 9)))
    picture = draw.confusion(found, ENGLISH)
    assert len(re.findall(r'class="(?:right|wrong) shade\d"', picture)) == 9
    assert "1 row of cat, taken for dog" in picture
    assert "<b>" not in picture


def test_calibration_leaves_out_bins_without_rows():
    bins = [Bin(0, 0.5, 0.25, 0.3, 10), Bin(0.5, 1, 0.0, 0.0, 0)]
    picture = draw.calibration(bins, ENGLISH)
    assert picture.count('class="dot"') == 1
    assert "Sure of 25%, right in 30% of 10 rows" in picture


def test_an_interval_lies_around_its_value():
    picture = draw.interval(0.5, 0.4, 0.6, (0, 1))
    assert 'cx="80"' in picture
    assert 'x="65.2"' in picture
