"""What an evaluation measured: intervals, who was taken for whom, how sure and how right."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from modelyard.core.evaluation import Bin, Confusion
from modelyard.i18n import Language
from modelyard.server.web.draw.svg import cut, drawing, tag

__all__ = ["calibration", "confusion", "interval"]

_CELL, _SHADES = 34, 8
_SIDE, _EDGE = 260, 46


def interval(value: float, low: float, high: float, bounds: tuple[float, float]) -> Markup:
    """A value with its interval, on a line that all rows of a table share."""
    width, height, edge = 160, 18, 6
    span = (bounds[1] - bounds[0]) or 1.0

    def x(of: float) -> float:
        return edge + (of - bounds[0]) / span * (width - 2 * edge)

    middle = height / 2
    return tag(
        "svg",
        tag("path", d=f"M{edge} {middle}H{width - edge}", class_="axis"),
        tag("rect", x=x(low), y=middle - 5, width=max(x(high) - x(low), 2.0), height=10, rx=3,
            class_="span"),
        tag("circle", cx=x(value), cy=middle, r=2.5, class_="dot"),
        xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {width} {height}", width=width,
        height=height, aria_hidden="true", class_="interval",
    )  # fmt: skip


def confusion(found: Confusion, language: Language) -> Markup:
    """A field for each pair of classes, darker where more rows are."""
    names = [cut(name, 12) for name in found.labels]
    left = 30 + max((_width(name) for name in names), default=0)
    top, count = 42, len(names)
    fields: list[Markup] = []
    for i, row in enumerate(found.matrix):
        whole = sum(row) or 1
        y = top + i * _CELL
        fields.append(tag("text", names[i], x=left - 8, y=y + _CELL / 2 + 4, text_anchor="end"))
        for j, number in enumerate(row):
            x = left + j * _CELL
            shade = -(-number * _SHADES // whole) if number else 0
            words = tag("title", language.say_many(
                "%(number)s row of %(true)s, taken for %(said)s",
                "%(number)s rows of %(true)s, taken for %(said)s", number,
                true=found.labels[i], said=found.labels[j],
            ))  # fmt: skip
            kind = "right" if i == j else "wrong"
            fields.append(tag("rect", words, x=x + 1, y=y + 1, width=_CELL - 2, height=_CELL - 2,
                              rx=3, class_=f"{kind} shade{shade}"))  # fmt: skip
            if number and count <= 15:
                fields.append(tag("text", _count(number), x=x + _CELL / 2, y=y + _CELL / 2 + 4,
                                  text_anchor="middle", class_=f"count shade{shade}"))  # fmt: skip
    heads = [
        tag("text", cut(name, 5), x=left + j * _CELL + _CELL / 2, y=top - 6,
            text_anchor="middle")
        for j, name in enumerate(names)
    ]  # fmt: skip
    down, across = top + count * _CELL / 2, left + count * _CELL / 2
    side = tag("text", language.say("True class"), x=12, y=down, text_anchor="middle",
               class_="title", transform=f"rotate(-90 12 {down})")  # fmt: skip
    head = tag("text", language.say("Predicted class"), x=across, y=14, text_anchor="middle",
               class_="title")  # fmt: skip
    width = max(left + count * _CELL + 4, left + 60)
    return drawing(
        head, side, *heads, *fields, width=width, height=top + count * _CELL + 4,
        label=language.say("Confusion matrix"), class_="confusion",
    )  # fmt: skip


def calibration(bins: Sequence[Bin], language: Language) -> Markup:
    """How often the model was right against how sure it was; on the dashed line both are equal."""
    most = max((b.rows for b in bins), default=1)

    def x(ratio: float) -> float:
        return _EDGE + ratio * _SIDE

    def y(ratio: float) -> float:
        return 8 + (1 - ratio) * _SIDE

    grid = [tag("path", d=f"M{x(v)} {y(0)}V{y(1)}M{x(0)} {y(v)}H{x(1)}", class_="grid")
            for v in (0.25, 0.5, 0.75)]  # fmt: skip
    frame = tag("rect", x=x(0), y=y(1), width=_SIDE, height=_SIDE, class_="frame")
    same = tag("path", d=f"M{x(0)} {y(0)}L{x(1)} {y(1)}", class_="same")
    shown = [b for b in bins if b.rows]
    points = " ".join(f"{x(b.confidence):.1f},{y(b.accuracy):.1f}" for b in shown)
    line = tag("polyline", class_="line", points=points)
    dots = [
        tag("circle", tag("title", _told(b, language)), cx=x(b.confidence), cy=y(b.accuracy),
            r=float(3 + 6 * (b.rows / most) ** 0.5), class_="dot")
        for b in shown
    ]  # fmt: skip
    ticks = [
        tag("text", f"{v:.0%}", x=x(v), y=y(0) + 17, text_anchor="middle") for v in (0, 0.5, 1)
    ] + [tag("text", f"{v:.0%}", x=x(0) - 5, y=y(v) + 4, text_anchor="end") for v in (0.5, 1)]
    words = [
        tag(
            "text",
            language.say("Confidence"),
            x=x(0.5),
            y=y(0) + 36,
            text_anchor="middle",
            class_="title",
        ),
        tag("text", language.say("Accuracy"), x=x(0) + 8, y=y(1) + 16, class_="title"),
    ]  # fmt: skip
    return drawing(
        frame, *grid, same, line, *dots, *ticks, *words, width=_SIDE + _EDGE + 22,
        height=_SIDE + 54, label=language.say("Calibration"), class_="calibration",
    )  # fmt: skip


def _told(found: Bin, language: Language) -> str:
    return language.say_many(
        "Sure of %(sure)s, right in %(right)s of %(number)s row",
        "Sure of %(sure)s, right in %(right)s of %(number)s rows", found.rows,
        sure=f"{found.confidence:.0%}", right=f"{found.accuracy:.0%}",
    )  # fmt: skip


def _width(name: str) -> float:
    return sum(13 if ord(char) > 0x2E80 else 7 for char in name)


def _count(number: int) -> str:
    return str(number) if number < 1000 else f"{number / 1000:.3g}k"
