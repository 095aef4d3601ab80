"""The graph from left to right: where boxes stand, and what is drawn."""

from __future__ import annotations

import re
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from modelyard.server.web.draw.dag import HEIGHT, WIDTH, Box, _cut, _wide, dag, plan
from modelyard.server.web.draw.layers import crossings, layers

NODES = [f"n{at}" for at in range(12)]
some_edges = st.lists(st.tuples(st.sampled_from(NODES), st.sampled_from(NODES)), max_size=30)


def _downhill(edges: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Of any edges, those that can't close a circle."""
    return [(a, b) for a, b in edges if NODES.index(a) < NODES.index(b)]


@given(some_edges)
def test_every_edge_points_right(edges: list[tuple[str, str]]) -> None:
    found = plan(NODES, _downhill(edges))
    for a, b in set(_downhill(edges)):
        assert found.places[a][0] + WIDTH < found.places[b][0]


@given(some_edges)
def test_no_two_boxes_overlap_and_all_are_inside(edges: list[tuple[str, str]]) -> None:
    found = plan(NODES, edges)
    assert set(found.places) == set(NODES)
    for (ax, ay), (bx, by) in combinations(found.places.values(), 2):
        assert abs(ax - bx) >= WIDTH or abs(ay - by) >= HEIGHT
    for x, y in found.places.values():
        assert 0 <= x <= found.width - WIDTH
        assert 0 <= y <= found.height - HEIGHT


@given(some_edges)
def test_a_line_begins_and_ends_at_its_boxes_and_passes_none(edges: list[tuple[str, str]]) -> None:
    found = plan(NODES, edges)
    for (a, b), points in found.lines.items():
        ax, ay = found.places[a]
        assert points[0] == (ax + WIDTH, ay + HEIGHT / 2)
        bx, by = found.places[b]
        assert points[-1] == (bx, by + HEIGHT / 2)
        for x, y in points[1:-1]:
            inside = [n for n, (bx, by) in found.places.items()
                      if bx <= x <= bx + WIDTH and by <= y <= by + HEIGHT]  # fmt: skip
            assert inside == []


@given(some_edges)
def test_a_circle_loses_an_edge_and_nothing_else(edges: list[tuple[str, str]]) -> None:
    found = layers(NODES, edges)
    assert set(found.routes) <= set(edges)
    assert set(_downhill(edges)) <= set(found.routes) or any(a >= b for a, b in edges)


def test_crossing_edges_are_ordered_away() -> None:
    found = layers(["a", "b", "x", "y"], [("a", "y"), ("b", "x")])
    assert crossings(found.columns, [("a", "y"), ("b", "x")]) == 0


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("wxyz"))))
def test_crossings_are_counted_as_one_counts_them(pairs: list[tuple[str, str]]) -> None:
    met = [((a, b), (c, d)) for (a, b), (c, d) in combinations(pairs, 2)]
    counted = sum((a < c and b > d) or (a > c and b < d) for (a, b), (c, d) in met)
    assert crossings(["abcd", "wxyz"], pairs) == counted


def test_an_edge_over_several_columns_has_a_place_in_each() -> None:
    found = layers(["a", "b", "c"], [("a", "b"), ("b", "c"), ("a", "c")])
    assert len(found.routes["a", "c"]) == 3
    assert found.columns[0] == ("a",)


def test_a_box_is_a_link_and_what_people_wrote_is_escaped() -> None:
    box = Box("k", "<script>alert(1)</script>", "x", ("main",), "model", '/a?"b', is_middle=True)
    drawn = str(dag([box], {}, label="l", words={}))
    assert "<script>" not in drawn
    assert 'href="/a?&#34;b"' in drawn
    assert 'class="node model middle"' in drawn


def test_nothing_at_all_can_be_drawn() -> None:
    assert "<svg" in dag([], {}, label="l", words={})


@given(st.text(max_size=60))
def test_a_long_title_is_cut_in_the_middle(text: str) -> None:
    assert _wide(_cut(text, 22)) <= 23


def test_the_number_of_a_version_stays() -> None:
    assert _cut("text/a-very-long-name-of-a-model@123", 22).endswith("@123")


def test_what_passes_did_stands_on_the_edge():
    boxes = [Box(key, key, "", (), "model", "") for key in ("m@1", "m@2")]
    edges = {("m@1", "m@2"): "pruned-from"}
    words = {"pruned-from": "pruned from"}
    bare = str(dag(boxes, edges, label="x", words=words))
    told = str(dag(boxes, edges, label="x", words=words, notes={("m@1", "m@2"): "prune, quantize"}))
    assert "note-on" not in bare
    assert "<title>pruned from: prune, quantize</title>" in told
    assert re.findall(r'class="note-on"><title>prune, quantize</title>prune, quantize<', told)
    wide = [float(re.findall(r'viewBox="0 0 ([\d.]+)', each)[0]) for each in (bare, told)]
    assert wide[1] > wide[0] + 60, "there is room for it"
