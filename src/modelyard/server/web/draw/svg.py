"""Elements of SVG: the one place that writes angle brackets."""

from __future__ import annotations

from functools import cache

from markupsafe import Markup, escape

__all__ = ["cut", "drawing", "near", "tag"]


def tag(name: str, *children: object, **attributes: object) -> Markup:
    """One element. `class_` is `class`, `_` in other names is `-`; attributes that are None go.

    Children that are no `Markup` are text, and are escaped.
    """
    told = "".join(
        [
            f' {_spelled(key)}="{escape(near(value))}"'
            for key, value in attributes.items()
            if value is not None
        ]
    )
    inside = "".join([escape(child) for child in children])
    # plain strings, of which every part is escaped above: pictures have thousands of elements
    return Markup(f"<{name}{told}>{inside}</{name}>" if inside else f"<{name}{told}/>")


def drawing(
    *children: object, width: float, height: float, label: str, class_: str, **attributes: object
) -> Markup:
    """A whole picture, which says in words what it shows. Links inside it can be reached."""
    return tag(
        "svg", *children, xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {near(width)} {near(height)}", width=width, height=height, role="group",
        aria_label=label, class_=class_, **attributes,
    )  # fmt: skip


def near(value: object) -> object:
    """Numbers to a tenth of a pixel: nobody sees more, and pages stay small."""
    if isinstance(value, float):
        return f"{value:.1f}".removesuffix(".0")
    return value


def cut(text: str, most: int) -> str:
    """So many letters at most."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


@cache
def _spelled(key: str) -> str:
    if key in ("viewBox", "preserveAspectRatio", "textLength"):
        return key
    return key.rstrip("_").replace("_", "-")
