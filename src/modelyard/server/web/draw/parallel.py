"""Parallel coordinates: an axis for each parameter and metric, a line for each version or trial."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from modelyard.server.web.draw.svg import cut, drawing, tag

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from markupsafe import Markup

    from modelyard.i18n import Language
    from modelyard.server.web.axes import Axis

__all__ = ["parallel"]

_HEIGHT, _TOP, _BOTTOM, _SIDE = 340, 58, 26, 70
_LONGEST = 20


class Row(Protocol):
    """A version or a trial, with a value on each axis."""

    @property
    def title(self) -> str:
        """What it is called."""

    @property
    def values(self) -> Sequence[Any]:
        """None where it has none."""

    @property
    def places(self) -> Sequence[float | None]:
        """From 0, at the bottom, to 1."""


def parallel(
    axes: Sequence[Axis], rows: Sequence[Row], language: Language, label: str,
    amount: Callable[[float, str], str] = lambda value, _metric: f"{value:.4g}",
) -> Markup:  # fmt: skip
    """Lines are coloured by their place on the last axis, and broken where a value is missing.

    Args:
        amount: How values of a metric are written.
    """
    gap = max(96, min(220, 1040 // max(len(axes) - 1, 1)))
    wide = gap * (len(axes) - 1) + 2 * _SIDE
    xs = [_SIDE + i * gap for i in range(len(axes))]
    high = _HEIGHT - _TOP - _BOTTOM
    lines = []
    for i, row in enumerate(rows):
        ys = [None if p is None else _TOP + (1 - p) * high for p in row.places]
        words = f"{row.title}: " + ", ".join(
            f"{axis.name} {_short(value, axis, amount)}"
            for axis, value in zip(axes, row.values, strict=True)
            if value is not None
        )
        last = row.places[-1] if row.places else None
        kind = "k" if last is None else f"k{min(int(last * 8), 7)}"
        lines.append(
            tag("path", tag("title", words), d=_path(xs, ys), class_=f"line {kind}", data_line=i,
                data_at=" ".join("-" if y is None else f"{y:.1f}" for y in ys))
        )  # fmt: skip
    stands = [
        _axis(axis, x, high, i, language, amount)
        for i, (axis, x) in enumerate(zip(axes, xs, strict=True))
    ]
    return drawing(
        *lines, *stands, width=wide, height=_HEIGHT, label=label, class_="parallel",
        data_top=_TOP, data_bottom=_TOP + high,
    )  # fmt: skip


def _path(xs: Sequence[int], ys: Sequence[float | None]) -> str:
    """A curve from axis to axis; where there is a value between two gaps, a short stroke."""
    parts: list[str] = []
    for i, (x, y) in enumerate(zip(xs, ys, strict=True)):
        if y is None:
            continue
        before = ys[i - 1] if i else None
        if before is None:
            parts.append(f"M{x - 4} {y:.1f}h4")
        else:
            middle = (xs[i - 1] + x) / 2
            parts.append(f"C{middle:.0f} {before:.1f} {middle:.0f} {y:.1f} {x} {y:.1f}")
    return "".join(parts)


def _axis(
    axis: Axis, x: int, high: int, number: int, language: Language,
    amount: Callable[[float, str], str],
) -> Markup:  # fmt: skip
    bottom = _TOP + high
    top_text, bottom_text = (_short(value, axis, amount) for value in (axis.high, axis.low))
    parts = [
        tag("title", axis.name),
        tag("rect", x=x - 14, y=_TOP - 6, width=28, height=high + 12, class_="catch"),
        tag("path", d=f"M{x} {_TOP}V{bottom}", class_="rule"),
        tag("text", _named(axis.name), x=x, y=_TOP - 32, class_="name"),
    ]
    if axis.way is not None:
        hint = (
            language.say("higher is better")
            if axis.way == "higher"
            else language.say("lower is better")
        )
        parts.append(
            tag("text", ("▲ " if axis.way == "higher" else "▼ ") + hint, x=x, y=_TOP - 47,
                class_="hint")
        )  # fmt: skip
    if axis.words:
        for i, word in enumerate(axis.words):
            y = bottom - i * high / max(len(axis.words) - 1, 1)
            parts.append(tag("text", cut(word, _LONGEST), x=x + 6, y=y + 4, class_="tick left"))
    else:
        parts.append(tag("text", top_text, x=x, y=_TOP - 13, class_="tick"))
        parts.append(tag("text", bottom_text, x=x, y=bottom + 17, class_="tick"))
    parts.append(tag("rect", x=x - 7, y=_TOP, width=14, height=0, class_="brush"))
    return tag("g", *parts, class_="stand", data_axis=number, aria_label=axis.name)


def _named(name: str) -> str:
    """The end of a name tells more than its beginning."""
    return name if len(name) <= 17 else "…" + name[-16:]


def _short(value: object, axis: Axis, amount: Callable[[float, str], str]) -> str:
    if axis.kind == "metric" and isinstance(value, int | float):
        return amount(value, axis.name)
    if isinstance(value, float):
        return f"{value:.4g}"
    return cut(str(value), _LONGEST)
