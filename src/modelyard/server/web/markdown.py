"""Markdown that people wrote, as HTML that can do nothing: rendered once, cleaned once.

Raw HTML in it is kept as far as it is harmless. Headings begin below those of the page, pictures
and links to other files lead into the version, pictures from elsewhere become links: a page shows
nothing that another server sends.
"""

from __future__ import annotations

import re
from functools import lru_cache
from html import unescape
from posixpath import normpath
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup, escape

from modelyard.registry.card import split_card

if TYPE_CHECKING:
    from collections.abc import Callable

    from markdown_it.token import Token

__all__ = ["card_html"]

_TAGS = {
    "a", "abbr", "b", "blockquote", "br", "caption", "center", "code", "dd", "del", "details",
    "div", "dl", "dt", "em", "h3", "h4", "h5", "h6", "hr", "i", "img", "ins", "kbd", "li",
    "mark", "ol", "p", "pre", "q", "s", "samp", "small", "span", "strong", "sub", "summary", "sup",
    "table", "tbody", "td", "tfoot", "th", "thead", "tr", "u", "ul", "var",
}  # fmt: skip
_ATTRIBUTES = {
    "a": {"href", "title"},
    "img": {"src", "alt", "title", "width", "height"},
    "td": {"align", "colspan", "rowspan"},
    "th": {"align", "colspan", "rowspan", "scope"},
    "ol": {"start"},
    "details": {"open"},
}
_GONE = {"script", "style", "title", "template", "noscript", "iframe", "textarea", "svg", "math"}
"""Tags that go with all that is in them."""
_HEADING = re.compile(r"<(/?)h([1-6])\b", re.IGNORECASE)
_PART = re.compile(r'<(?:(/?a)|img)(?: [a-z]+="[^"]*")*>')
"""In what was cleaned, where all attributes have double quotes."""
_ATTRIBUTE = re.compile(r'([a-z]+)="([^"]*)"')
_PICTURES = re.compile(r"\.(png|jpe?g|gif|webp|svg|avif)\Z", re.IGNORECASE)
_DEEPEST = 30
"""Lists and quotes within each other: more is an attack."""

_parser = MarkdownIt("commonmark", {"html": True, "maxNesting": _DEEPEST}).enable(
    ["table", "strikethrough"]
)


@lru_cache(maxsize=256)
def card_html(text: str, files: str, bytes_of: str) -> Markup:
    """A card, without its YAML head.

    Args:
        files: Address of the page of a file, to which `?path=` is added.
        bytes_of: Address that the quoted path of a file is added to, to get its bytes.
    """
    _, body = split_card(text)
    tokens = _parser.parse(body)
    _fit_in(tokens)
    raw = _parser.renderer.render(tokens, _parser.options, {})
    return Markup(_cleaned(raw, files, bytes_of))  # nh3 has taken out all that could do anything


def _cleaned(raw: str, files: str, bytes_of: str) -> str:
    clean = nh3.clean(
        raw,
        tags=_TAGS,
        clean_content_tags=_GONE,
        attributes=_ATTRIBUTES,
        attribute_filter=_keeper(files, bytes_of),
        url_schemes={"http", "https", "mailto"},
        link_rel="nofollow noopener noreferrer",
        set_tag_attribute_values={"pre": {"tabindex": "0"}},
    )
    clean = _without_foreign_pictures(clean)
    clean = clean.replace("<table>", '<div class="scroll" tabindex="0"><table>')
    return clean.replace("</table>", "</table></div>")


def _without_foreign_pictures(clean: str) -> str:
    """A picture from elsewhere becomes a link, and inside of a link its text."""
    inside = False

    def replaced(found: re.Match[str]) -> str:
        nonlocal inside
        if found[1] is not None:
            inside = found[1] == "a"
            return found[0]
        told = dict(_ATTRIBUTE.findall(found[0]))
        source, text = unescape(told.get("src", "")), unescape(told.get("alt", ""))
        if source and not source.startswith(("http:", "https:", "//")):
            return found[0]
        if inside or not source:
            return str(escape(text))
        link = Markup('<a href="{}" rel="nofollow noopener noreferrer">{}</a>')
        return str(link.format(source, text or source))

    return _PART.sub(replaced, clean)


def _keeper(files: str, bytes_of: str) -> Callable[[str, str, str], str | None]:
    """Where links and pictures lead."""

    def keep(tag: str, name: str, value: str) -> str | None:
        if name == "href":
            return _link(value, files)
        if name == "src":
            return _picture(value, bytes_of)
        if name in ("width", "height", "colspan", "rowspan", "start"):
            return value if value.isdigit() and len(value) < 5 else None
        return value

    return keep


def _link(address: str, files: str) -> str | None:
    if address.startswith("#"):
        return None  # headings have no ids of their own: those of the page come first
    if _is_elsewhere(address):
        return address
    path = _inside(address)
    return None if path is None else f"{files}?path={quote(path, safe='/')}"


def _picture(address: str, bytes_of: str) -> str | None:
    if _is_elsewhere(address):
        return address
    path = _inside(address)
    if path is None or not _PICTURES.search(path):
        return None
    return bytes_of + quote(path, safe="")


def _is_elsewhere(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:
        return True
    return bool(parts.scheme or parts.netloc)


def _inside(address: str) -> str | None:
    """The file of the version that a relative address names; None if it is none."""
    path = unquote(address.partition("#")[0].partition("?")[0])
    if not path or "\\" in path or "\0" in path:
        return None
    path = normpath(path.lstrip("/"))
    return None if path.startswith("..") or path == "." else path


def _fit_in(tokens: list[Token]) -> None:
    """`#` becomes h3, no level is left out on the way down; cells tell their side themselves."""
    level = 2

    def lowered(found: re.Match[str]) -> str:
        nonlocal level
        if not found[1]:
            level = min(int(found[2]) + 2, level + 1, 6)
        return f"<{found[1]}h{level}"

    for token in tokens:
        if token.type == "heading_open":
            level = min(int(token.tag[1]) + 2, level + 1, 6)
            token.tag = f"h{level}"
        elif token.type == "heading_close":
            token.tag = f"h{level}"
        elif token.type == "html_block":
            token.content = _HEADING.sub(lowered, token.content)
        elif token.type in ("th_open", "td_open") and (style := token.attrs.pop("style", "")):
            token.attrs["align"] = str(style).removeprefix("text-align:")
