"""A graph from left to right: boxes that are links, and smooth lines between them."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from modelyard.server.web.draw.layers import layers
from modelyard.server.web.draw.svg import drawing, tag

__all__ = ["Box", "Plan", "dag", "plan"]

WIDTH, HEIGHT = 186.0, 64.0
_ACROSS, _DOWN, _EDGE = 44.0, 18.0, 8.0
_NOTED = 128.0
"""Between columns, where words stand on the lines."""
_NOTE = 19
"""Letters of a note that fit there."""
_PASS = 14.0
"""Height of a place where a line passes."""
_TALL = 640.0
"""Up to this height columns stand in the middle; what is higher is seen from its top on."""
_FULL = 22
"""Letters of a title that fit into a box."""


@dataclass(frozen=True, slots=True)
class Box:
    """One node."""

    key: str
    title: str
    under: str
    """A second line."""
    refs: tuple[str, ...]
    kind: str
    """A class: `model`, `dataset`, `elsewhere`."""
    address: str
    """Where it leads to."""
    is_middle: bool = False
    is_shown: bool = False
    is_gone: bool = False
    more: int = 0
    """There is more, to the left (-1) or to the right (1)."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Where everything stands, in pixels."""

    places: Mapping[str, tuple[float, float]]
    """Upper left corner of each box."""
    lines: Mapping[tuple[str, str], tuple[tuple[float, float], ...]]
    """Points of each edge, from the right side of a box to the left side of another."""
    width: float
    height: float


def plan(
    nodes: Sequence[str], edges: Sequence[tuple[str, str]], across: float = _ACROSS
) -> Plan:  # fmt: skip
    """Boxes in columns, which are `across` pixels from each other."""
    found = layers(nodes, edges)
    real = set(nodes)
    tall = [_height(column, real) for column in found.columns]
    height = max(tall, default=0.0)
    tops: dict[str, tuple[float, float]] = {}
    for at, column in enumerate(found.columns):
        y = _EDGE + ((height - tall[at]) / 2 if height <= _TALL else 0)
        for name in column:
            tops[name] = (_EDGE + at * (WIDTH + across), y)
            y += (HEIGHT if name in real else _PASS) + _DOWN
    lines = {edge: _line(route, tops, real) for edge, route in found.routes.items()}
    width = max(len(found.columns) * (WIDTH + across) - across, 0.0)
    places = {name: place for name, place in tops.items() if name in real}
    return Plan(places, lines, width + 2 * _EDGE, height + 2 * _EDGE)


def dag(
    boxes: Sequence[Box],
    edges: Mapping[tuple[str, str], str],
    *,
    label: str,
    words: Mapping[str, str],
    notes: Mapping[tuple[str, str], str] | None = None,
) -> Markup:
    """The picture.

    Args:
        edges: The kind of the edge between two keys, which is the class of its line.
        label: What the picture shows.
        words: What each kind of edge is called.
        notes: What stands on an edge, if there is room.
    """
    notes = notes or {}
    where = plan([box.key for box in boxes], list(edges), _NOTED if notes else _ACROSS)
    lines = [
        tag(
            "path",
            tag("title", words[edges[edge]] + (f": {notes[edge]}" if edge in notes else "")),
            d=_path(points),
            class_=f"edge {edges[edge]}",
            marker_end="url(#dag-head)",
        )
        for edge, points in where.lines.items()
    ]
    said = [_note(notes[edge], points) for edge, points in where.lines.items() if edge in notes]
    drawn = [_box(box, *where.places[box.key]) for box in boxes]
    return drawing(
        _HEADS,
        *lines,
        *said,
        *drawn,
        width=where.width,
        height=where.height,
        label=label,
        class_="dag",
    )


def _height(column: Sequence[str], real: set[str]) -> float:
    inside = sum(HEIGHT if name in real else _PASS for name in column)
    return inside + _DOWN * (len(column) - 1)


def _line(
    route: Sequence[str], tops: Mapping[str, tuple[float, float]], real: set[str]
) -> tuple[tuple[float, float], ...]:
    points: list[tuple[float, float]] = []
    for at, name in enumerate(route):
        x, y = tops[name]
        middle = y + (HEIGHT if name in real else _PASS) / 2
        if at > 0:
            points.append((x, middle))
        if at < len(route) - 1:
            points.append((x + WIDTH, middle))
    return tuple(points)


def _path(points: Sequence[tuple[float, float]]) -> str:
    """Curves over the gaps, straight lines past the columns."""
    x, y = points[0]
    text = [f"M{x:.0f} {y:.1f}"]
    for at, (to_x, to_y) in enumerate(points[1:], 1):
        if at % 2 == 0:
            text.append(f"H{to_x:.0f}")
        else:
            half = (x + to_x) / 2
            text.append(f"C{half:.0f} {y:.1f} {half:.0f} {to_y:.1f} {to_x:.0f} {to_y:.1f}")
        x, y = to_x, to_y
    return "".join(text)


def _note(text: str, points: Sequence[tuple[float, float]]) -> Markup:
    """In the middle of the last gap that the line goes over."""
    (from_x, from_y), (to_x, to_y) = points[-2:]
    return tag("text", tag("title", text), _cut(text, _NOTE), x=(from_x + to_x) / 2,
               y=(from_y + to_y) / 2 - 6, class_="note-on")  # fmt: skip


_HEADS = tag(
    "defs",
    tag(
        "marker", tag("path", d="M0 0L8 4L0 8z"), id="dag-head", viewBox="0 0 8 8", refX=7, refY=4,
        markerWidth=7, markerHeight=7, orient="auto",
    ),
)  # fmt: skip


def _box(box: Box, x: float, y: float) -> Markup:
    kinds = ["node", box.kind]
    kinds += ["middle"] if box.is_middle else []
    kinds += ["shown"] if box.is_shown else []
    kinds += ["gone"] if box.is_gone else []
    refs = " ".join(box.refs)
    lines = [
        (box.title, _cut(box.title, _FULL), 20, "title"),
        (box.under, _cut(box.under, 27), 38, "under"),
        (refs, _cut(refs, 27), 55, "refs"),
    ]
    is_cut = any(shown != whole for whole, shown, _, _ in lines)
    inside: list[object] = [
        tag("title", ", ".join(whole for whole, *_ in lines if whole)) if is_cut else "",
        tag("rect", x=x, y=y, width=WIDTH, height=HEIGHT, rx=8),
    ]
    for _, shown, down, kind in lines:
        if shown:  # the blank keeps words apart for who hears them
            inside += [tag("text", shown, x=x + 12, y=y + down, class_=kind), " "]
    if box.more:
        at = x if box.more < 0 else x + WIDTH
        inside.append(tag("circle", cx=at, cy=y + HEIGHT / 2, r=8, class_="more"))
        inside.append(tag("path", d=_plus(at, y + HEIGHT / 2), class_="plus"))
    group = tag("g", *inside, class_=" ".join(kinds))
    if not box.address:
        return group
    return tag(
        "a", group, href=box.address,
        aria_current="true" if box.is_shown else None,
        hx_get=box.address, hx_select="#family", hx_target="#family", hx_swap="outerHTML",
        hx_push_url="true",
    )  # fmt: skip


def _plus(x: float, y: float) -> str:
    return f"M{x - 4:.1f} {y:.1f}h8M{x:.1f} {y - 4:.1f}v8"


def _cut(text: str, most: int) -> str:
    """As much as fits: the end of a name says more than its middle."""
    if _wide(text) <= most:
        return text
    tail = ""
    for letter in reversed(text):
        if _wide(letter + tail) > most * 0.4:
            break
        tail = letter + tail
    head = ""
    for letter in text:
        if _wide(head + letter + tail) > most - 1:
            break
        head += letter
    return f"{head}…{tail}"


def _wide(text: str) -> float:
    """In Latin letters; Chinese ones count for nearly two."""
    return sum(1.8 if unicodedata.east_asian_width(letter) in "WF" else 1.0 for letter in text)
