"""Pictures of what changed: where tensors stand in the grid, what fields say, where lines run."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest

from modelyard.core.diff import TensorChange
from modelyard.core.version import TensorEntry
from modelyard.i18n import Language
from modelyard.registry.side_by_side import Beside
from modelyard.server.web.axes import Axis, axis_of, place_of
from modelyard.server.web.draw.heatmap import heatmap, legend, percent
from modelyard.server.web.draw.overlay import block_map, overlaid
from modelyard.server.web.draw.parallel import parallel
from modelyard.server.web.draw.scatter import scatter
from modelyard.server.web.grid import SCALE, grid_of, layer_of, level
from modelyard.server.web.pages.compare_many import Row
from modelyard.server.web.trade_off import Point, TradeOff, trade_off_of

ENGLISH = Language.of("en")


def changed(name: str, change: str = "changed", value: float | None = 0.02) -> TensorChange:
    return TensorChange(
        "m.safetensors", name, change, "float32", (4, 4), relative_change=value,  # type: ignore[arg-type]
        cosine=None if value is None else 0.9998, max_abs=value,
    )  # fmt: skip


def same(name: str) -> TensorEntry:
    return TensorEntry("m.safetensors", name, "float32", (4, 4), 64)


@pytest.mark.parametrize(
    ("name", "layer", "part"),
    [
        ("model.layers.3.mlp.up.weight", "model.layers.3", "mlp.up.weight"),
        ("layer0.weight", "layer0", "weight"),
        ("layer1.0.conv1.weight", "layer1.0", "conv1.weight"),
        ("blk.12.attn_q.weight", "blk.12", "attn_q.weight"),
        ("layers.1.experts.7.w1", "layers.1", "experts.*.w1"),
        ("lm_head.weight", "lm_head", "weight"),
        ("coef_", "coef_", ""),
        ("Dense/kernel", "Dense", "kernel"),
    ],
)
def test_a_name_tells_the_layer_and_the_kind_of_tensor(name, layer, part):
    assert layer_of(name) == (layer, part)


def test_repeated_layers_make_rows_in_natural_order_and_kinds_make_columns():
    names = [f"h.{i}.{part}.weight" for i in (10, 9, 2) for part in ("attn", "mlp")]
    grid = grid_of([changed(name) for name in names[:-1]], [same(names[-1])])
    assert grid is not None
    assert grid.kind == "layers"
    assert grid.rows == ("h.2", "h.9", "h.10")
    assert grid.columns == ("attn.weight", "mlp.weight")
    assert [(c.row, c.column, c.change) for c in grid.cells[:2]] == [
        (0, 0, "changed"), (0, 1, "unchanged"),
    ]  # fmt: skip


def test_without_repeated_layers_rows_are_tensors_and_columns_statistics():
    grid = grid_of([changed("coef_"), changed("intercept_", value=0.5)], [same("classes_")])
    assert grid is not None
    assert grid.kind == "statistics"
    assert grid.rows == ("classes_", "coef_", "intercept_")
    assert len(grid.cells) == 9
    assert [c.level for c in grid.cells if c.row == 0] == [None, None, None]


def test_a_long_series_of_small_tensors_shares_a_row():
    grid = grid_of([changed(f"curve.{i}", value=i / 1000) for i in range(100)], [])
    assert grid is not None
    assert grid.rows == ("curve.*",)
    assert (grid.cells[0].count, grid.cells[0].name) == (100, "curve.99")


def test_experts_of_a_layer_stand_in_one_field_that_shows_the_largest_change():
    names = [f"l.{i}.experts.{e}.w" for i in range(3) for e in range(8)]
    grid = grid_of([changed(name, value=0.001 * i) for i, name in enumerate(names)], [])
    assert grid is not None
    assert [(c.count, c.name) for c in grid.cells] == [
        (8, "l.0.experts.7.w"), (8, "l.1.experts.7.w"), (8, "l.2.experts.7.w"),
    ]  # fmt: skip


def test_a_grid_has_an_end_and_keeps_what_changed_most():
    changes = [changed(f"layers.{i}.w", value=i / 1000) for i in range(1000)]
    grid = grid_of(changes, [])
    assert grid is not None
    assert len(grid.rows) + grid.rows_left_out == 1000
    assert len(grid.rows) <= 150
    assert grid.rows[-1] == "layers.999"


def test_no_tensors_make_no_grid():
    assert grid_of([], []) is None


def test_the_eight_colours_begin_where_the_legend_says():
    assert [level(edge) for edge in SCALE] == [1, 2, 3, 4, 5, 6, 7]
    assert [level(edge * 0.999) for edge in SCALE] == [0, 1, 2, 3, 4, 5, 6]
    assert level(None) is None
    kinds = [kind for kind, _ in legend(ENGLISH)]
    assert kinds == ["same", *(f"c{i}" for i in range(8)), "added", "removed", "other"]


def test_fields_are_links_that_say_what_happened():
    changes = [
        changed("l.0.a"), changed("l.1.a", "added", None), changed("l.2.a", "removed", None),
        changed("l.3.a", value=None), changed("l.4.<script>alert(1)</script>", value=0.5),
    ]  # fmt: skip
    grid = grid_of(changes, [same("l.5.a")])
    assert grid is not None
    drawn = str(heatmap(grid, ENGLISH, "Tensors", "/t?a=1&b=2", "/c?a=1&b=2"))
    titles = re.findall(r"<a[^>]*><title>([^<]*)</title>", drawn)
    assert titles == [
        "l.0.a: 2 %", "l.1.a: added", "l.2.a: removed", "l.3.a: changed",
        "l.4.&lt;script&gt;alert(1)&lt;/script&gt;: 50 %", "l.5.a: unchanged",
    ]  # fmt: skip
    assert "<script" not in drawn
    assert 'href="/t?a=1&amp;b=2&amp;file=m.safetensors&amp;name=l.0.a"' in drawn
    assert drawn.count('tabindex="0"') == 1
    assert {"c4", "added", "removed", "other", "c7", "same"} <= set(
        re.findall(r'class="(\w+)"', drawn)
    )


def test_a_field_speaks_chinese():
    grid = grid_of([changed("l.0.a", "added", None)], [])
    assert grid is not None
    assert "l.0.a: 新增" in heatmap(grid, Language.of("zh"), "张量", "/t", "/c")


@pytest.mark.parametrize(
    ("ratio", "words"), [(0.0, "0 %"), (0.0314, "3.14 %"), (1.5, "150 %"), (12.0, "12×")]
)
def test_a_change_in_words(ratio, words):
    assert percent(ratio) == words


def test_outlines_end_on_the_ground_and_the_largest_bin_reaches_the_top():
    drawn = str(overlaid([-1.0, 0.0, 1.0], [4, 2], [1, 0], "Values"))
    before = re.search(r'points="([^"]*)" class="before"', drawn)
    assert before is not None
    points = [tuple(map(float, pair.split(","))) for pair in before[1].split()]
    assert points[0] == (8, 166)
    assert points[-1] == (512, 166)
    assert min(y for _, y in points) == 8
    assert "after" in drawn


def test_one_side_alone_is_drawn_alone():
    drawn = str(overlaid([0.0, 1.0], [], [3], "Values"))
    assert "before" not in drawn


def test_blocks_have_a_colour_and_words():
    drawn = str(block_map([[("c1", "0.05 %"), ("same", "–")]], "Blocks"))
    assert re.findall(r'class="(c1|same)"><title>([^<]*)', drawn) == [
        ("c1", "0.05 %"), ("same", "–"),
    ]  # fmt: skip


# -- many versions ---------------------------------------------------------------------------------


def _row(number: int, places: tuple[float | None, ...]) -> Row:
    version = type("Version", (), {"title": f"m@{number}"})()
    return Row(version, places, places, (False,) * len(places), None)


def test_lines_run_from_axis_to_axis_and_break_where_there_is_no_value():
    axes = tuple(Axis(name, "param", 0.0, 1.0, (), False, None) for name in "abc")
    drawn = str(parallel(axes, [_row(1, (0.0, 0.5, 1.0)), _row(2, (1.0, None, 0.0))], ENGLISH, "x"))
    whole, broken = re.findall(r' d="(M[^"]*)" class="line', drawn)
    assert whole.count("M") == 1
    assert broken.count("M") == 2
    assert 'data-at="314.0 186.0 58.0"' in drawn
    assert 'data-at="58.0 - 314.0"' in drawn
    assert drawn.count('class="stand"') == 3


def test_points_of_the_front_are_joined_and_intervals_drawn():
    points = (
        Point("m@1", 1e6, 0.8, 0.75, 0.85, front=True, tied=False),
        Point("m@2", 2e6, 0.7, None, None, front=False, tied=False),
        Point("m@3", 9e6, 0.9, 0.84, 0.95, front=True, tied=True),
    )
    trade = TradeOff("size", "accuracy", "higher", points)
    links = {p.title: f"/versions/{p.title}" for p in points}
    drawn = str(scatter(trade, "Trade", "size", links))
    assert re.findall(r'class="(front|behind|front tied)"', drawn) == [
        "front", "behind", "front tied",
    ]  # fmt: skip
    assert drawn.count('class="sure"') == 2
    assert 'class="steps"' in drawn
    assert "MB" in drawn


@pytest.mark.parametrize(
    ("values", "drawn"),
    [([5e-324, 0.0], 2), ([0.9, 0.9000000000000001], 2), ([1.7e308, -1.7e308, 0.1, 0.2], 2),
     ([1e199, -1e199], 2), ([1.7e308, 0.1], 0)],
)  # fmt: skip
def test_numbers_of_any_size_make_a_picture_or_none(values: list[float], drawn: int) -> None:
    beside = [_beside(i, value) for i, value in enumerate(values)]
    trade = trade_off_of(beside, "accuracy", "size")
    assert drawn == (0 if trade is None else len(trade.points))
    if trade is not None:
        picture = scatter(trade, "t", "x", {p.title: "/" for p in trade.points})
        assert "nan" not in picture


@pytest.mark.parametrize(
    "values", [[1.7e308, -1.7e308], [1e-320, 1e300], [1e-320, 1e150], [0.0, 5e-324], [1.0, 1000.0]]
)
def test_an_axis_has_a_place_for_each_of_its_values_or_there_is_none(values: list[float]) -> None:
    axis = axis_of("p", "param", values)
    if axis is not None:
        assert [place_of(axis, value) for value in sorted(values)] == [0.0, 1.0]


def _beside(number: int, accuracy: float) -> Beside:
    version = SimpleNamespace(title=f"m@{number}", size=10**number, metrics={"accuracy": accuracy})
    return Beside(version, {}, None, {})  # type: ignore[arg-type]


def test_two_equal_points_still_make_a_picture():
    points = tuple(Point(f"m@{i}", 5.0, 1.0, None, None, True, False) for i in (1, 2))
    drawn = scatter(TradeOff("latency", "f1", "higher", points), "t", "x",
                    {"m@1": "/1", "m@2": "/2"})  # fmt: skip
    assert "nan" not in drawn
