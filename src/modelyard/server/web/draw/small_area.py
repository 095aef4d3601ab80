"""A line with its ground, as wide as there is room: one of many small pictures side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from modelyard.server.web.draw.svg import tag

__all__ = ["small_area"]

_WIDE, _HIGH, _EDGE = 120.0, 36.0, 3.0


def small_area(
    values: Sequence[float | None],
    label: str,
    *,
    kind: str = "",
    most: float | None = None,
    threshold: float | None = None,
) -> Markup:
    """Values from left to right; None breaks the line.

    Args:
        kind: Class of its colour.
        most: What reaches the top at least, so that noise around zero stays flat.
        threshold: A value with a line of its own.
    """
    known = [value for value in values if value is not None and math.isfinite(value)]
    top = max([*known, most or 0.0, threshold or 0.0]) or 1.0
    step = _WIDE / max(len(values) - 1, 1)
    ground = _HIGH - _EDGE

    def y(value: float) -> float:
        return ground - max(value, 0.0) / top * (_HIGH - 2 * _EDGE)

    parts: list[Markup] = []
    for run in _runs(values):
        points = [f"{at * step:.1f},{y(value):.1f}" for at, value in run]
        if len(points) == 1:  # a stroke as wide as a step, so that it is seen
            at, value = run[0]
            points = [f"{max(at - 0.5, 0) * step:.1f},{y(value):.1f}",
                      f"{(at + 0.5) * step:.1f},{y(value):.1f}"]  # fmt: skip
        first, last = points[0].partition(",")[0], points[-1].partition(",")[0]
        area = f"{first},{ground:g} {' '.join(points)} {last},{ground:g}"
        parts.append(tag("polygon", points=area, class_="ground"))
        parts.append(tag("polyline", points=" ".join(points), class_="curve"))
    if threshold is not None:
        parts.append(tag("path", d=f"M0 {y(threshold):.1f}H{_WIDE:g}", class_="threshold"))
    if not known:
        parts.append(tag("path", d=f"M0 {ground:g}H{_WIDE:g}", class_="nothing"))
    return tag(
        "svg", *parts, xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {_WIDE:g} {_HIGH:g}",
        preserveAspectRatio="none", width="100%", height=_HIGH, role="img", aria_label=label,
        class_=f"small-area {kind}".rstrip(),
    )  # fmt: skip


def _runs(values: Sequence[float | None]) -> list[list[tuple[int, float]]]:
    runs: list[list[tuple[int, float]]] = [[]]
    for at, value in enumerate(values):
        if value is None or not math.isfinite(value):
            runs.append([])
        else:
            runs[-1].append((at, value))
    return [run for run in runs if run]
