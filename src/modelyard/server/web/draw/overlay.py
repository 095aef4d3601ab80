"""Histograms of a tensor, old and new over each other; and where in it values moved."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from modelyard.server.web.draw.svg import drawing, tag

__all__ = ["block_map", "overlaid"]

_WIDTH, _HEIGHT = 520, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 8, 8, 8, 24


def overlaid(edges: Sequence[float], old: Sequence[int], new: Sequence[int], label: str) -> Markup:
    """Two outlines of one scale: the old one filled, the new one as a line."""
    wide, high = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
    most = max([*old, *new, 1])
    base = _TOP + high

    def outline(counts: Sequence[int]) -> list[str]:
        step, points = wide / len(counts), []
        for i, count in enumerate(counts):
            y = base - count / most * high
            points += [f"{_LEFT + i * step:.1f},{y:.1f}", f"{_LEFT + (i + 1) * step:.1f},{y:.1f}"]
        return [f"{_LEFT},{base}", *points, f"{_LEFT + wide},{base}"]

    parts = []
    for counts, kind in ((old, "before"), (new, "after")):
        if counts:
            parts.append(tag("polygon", points=" ".join(outline(counts)), class_=kind))
    low, high_edge = edges[0], edges[-1]
    if low < 0 < high_edge:
        x = _LEFT + (0 - low) / (high_edge - low) * wide
        parts.append(tag("line", x1=x, x2=x, y1=_TOP, y2=base, class_="zero"))
        parts.append(tag("text", "0", x=x, y=_HEIGHT - 8, class_="axis middle"))
    parts.append(tag("line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=base, y2=base, class_="rule"))
    parts.append(tag("text", f"{low:.3g}", x=_LEFT, y=_HEIGHT - 8, class_="axis"))
    parts.append(
        tag("text", f"{high_edge:.3g}", x=_WIDTH - _RIGHT, y=_HEIGHT - 8, class_="axis end")
    )
    return drawing(*parts, width=_WIDTH, height=_HEIGHT, label=label, class_="overlay")


def block_map(blocks: Sequence[Sequence[tuple[str, str]]], label: str) -> Markup:
    """Parts of a tensor as fields: each the class of its colour, and what it says."""
    rows, columns = len(blocks), len(blocks[0])
    wide, high = max(10, min(30, 420 // columns)), max(10, min(30, 420 // rows))
    parts = []
    for i, row in enumerate(blocks):
        for j, (kind, words) in enumerate(row):
            parts.append(
                tag("rect", tag("title", words), x=j * wide, y=i * high, width=wide - 1,
                    height=high - 1, class_=kind)
            )  # fmt: skip
    return drawing(
        *parts, width=columns * wide, height=rows * high, label=label, class_="heat blocks"
    )
