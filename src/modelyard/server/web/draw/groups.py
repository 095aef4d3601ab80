"""How groups fare: each one's value with its interval, on one scale."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup

from modelyard.server.web.draw.svg import tag

__all__ = ["groups"]

_HIGH = 22.0


def groups(
    found: Mapping[str, tuple[float | None, float | None, float | None, int]],
    label: str,
    *,
    worst: str | None = None,
) -> Markup:
    """A row for each group: its name, its value between 0 and 1 with its interval, its number.

    Args:
        found: Value, low, high and rows by group.
        worst: The group that is told apart.
    """
    rows: list[Markup] = []
    for name, (value, low, high, _) in found.items():
        inside = [tag("line", x1="0", x2="100%", y1=_HIGH / 2, y2=_HIGH / 2, class_="track")]
        if low is not None and high is not None:
            inside.append(
                tag("rect", x=_percent(low), width=_percent(max(high - low, 0.004)),
                    y=_HIGH / 2 - 5, height=10, rx=5, class_="span")
            )  # fmt: skip
        if value is not None:
            inside.append(tag("circle", cx=_percent(value), cy=_HIGH / 2, r=4, class_="dot"))
        rows.append(
            tag(
                "div", tag("span", name, title=name, class_="name"),
                tag("svg", *inside, width="100%", height=_HIGH, aria_hidden="true"),
                tag("b", "-" if value is None else f"{value * 100:.3g} %"),
                class_="row worst" if name == worst else "row",
            )
        )  # fmt: skip
    return tag("div", *rows, role="group", aria_label=label, class_="groups")


def _percent(share: float) -> str:
    return f"{min(max(share, 0.0), 1.0) * 100:.2f}%"
