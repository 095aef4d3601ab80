"""Elements of SVG: the one place that writes angle brackets."""

from __future__ import annotations

from markupsafe import Markup, escape

__all__ = ["drawing", "near", "tag"]


def tag(name: str, *children: object, **attributes: object) -> Markup:
    """One element. `class_` is `class`, `_` in other names is `-`; attributes that are None go.

    Children that are no `Markup` are text, and are escaped.
    """
    told = Markup("").join(
        Markup(' {}="{}"').format(Markup(_spelled(key)), near(value))
        for key, value in attributes.items()
        if value is not None
    )
    inside = Markup("").join(escape(child) for child in children)
    if not inside:
        return Markup("<{}{}/>").format(Markup(name), told)
    return Markup("<{}{}>{}</{}>").format(Markup(name), told, inside, Markup(name))


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


def _spelled(key: str) -> str:
    if key in ("viewBox", "preserveAspectRatio", "textLength"):
        return key
    return key.rstrip("_").replace("_", "-")
