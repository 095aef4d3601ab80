"""Templates into answers. A template may use `page`, `here`, `draw` and `language`."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import Response

from modelyard.core.version import human_size
from modelyard.i18n import Language
from modelyard.server.web import draw
from modelyard.server.web.here import SAID, THEME, THEMES, Here, language_of, said_in
from modelyard.server.web.markdown import card_html
from modelyard.told import told_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.server.state import Ask

__all__ = ["environment", "here_of", "html"]

_SMALL = 1400
"""Bytes that go in one packet anyway."""


@cache
def environment(code: str) -> Environment:
    """Templates in one language, compiled once."""
    language = Language.of(code)
    made = Environment(
        loader=PackageLoader("modelyard.server.web"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
        auto_reload=False,
    )  # fmt: skip
    made.install_gettext_translations(language.words, newstyle=True)  # type: ignore[attr-defined]
    filters: dict[str, Any] = {
        "size": human_size,
        "number": _number,
        "metric": _metric,
        "percent": _percent,
        "rate": _rate,
        "span": _span,
        "json": _json,
        "card": card_html,
        "told": told_in(code),
        "when": lambda time: _when(time, language),
    }
    made.filters |= filters
    made.globals |= {"draw": draw, "language": language}
    return made


def here_of(ask: Ask, *, at: str = "/") -> Here:
    """The surroundings of the page that is asked for.

    Args:
        at: Where the page belongs that answers an act: an act's own address can't be gone to.
    """
    request, settings = ask.request, ask.server.settings
    is_act = request.method == "POST"
    theme = request.cookies.get(THEME, "")
    path = request.scope.get("shown_path", request.scope["path"])
    return Here(
        prefix=settings.prefix, path=at if is_act else path,
        query="" if is_act else request.url.query,
        language=language_of(request), theme=theme if theme in THEMES else "auto",
        caller=ask.caller, base=ask.base, said=said_in(request),
        accounts=settings.accounts,
    )  # fmt: skip


def html(
    ask: Ask,
    template: str,
    page: object,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    secret: bool = False,
    at: str = "/",
) -> Response:
    """A page as HTML, packed if the browser takes that and nothing on it is secret.

    Args:
        at: Where the page belongs that answers an act.
    """
    here = here_of(ask, at=at)
    text = environment(here.language.code).get_template(template).render(page=page, here=here)
    body = text.encode()
    told = {"vary": "accept-encoding, accept-language, cookie, hx-request", **(headers or {})}
    if (
        not secret
        and len(body) > _SMALL
        and "gzip" in ask.request.headers.get("accept-encoding", "")
    ):
        body = gzip.compress(body, 4)
        told["content-encoding"] = "gzip"
    answer = Response(body, status, told, "text/html")
    if here.said is not None:
        answer.delete_cookie(SAID, path=here.prefix or "/", httponly=True, samesite="strict")
    return answer


# -- filters ---------------------------------------------------------------------------------------


def _number(value: int) -> str:
    """`12,345`."""
    return f"{value:,}"


def _metric(value: object) -> str:
    """Four digits of what was measured; `-` for what was not."""
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _percent(ratio: float | None) -> str:
    """`3.1 %` of a ratio."""
    if ratio is None:
        return "-"
    return f"{ratio * 100:.3g} %"


def _rate(number: float | None) -> str:
    """`0.25`, `12.5`, `1,250` of something a second."""
    if number is None:
        return "-"
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def _span(seconds: float | None) -> str:
    """`420 µs`, `1.2 ms`, `30 s`."""
    if seconds is None:
        return "-"
    if seconds < 0.0009995:
        return f"{seconds * 1e6:.0f} µs"
    return f"{seconds * 1e3:.3g} ms" if seconds < 0.9995 else f"{seconds:.3g} s"


def _json(value: object) -> str:
    """For people to read."""
    return json.dumps(value, ensure_ascii=False, indent=2, default=str)


def _when(time: datetime | None, language: Language) -> Markup:
    """`3 hours ago` or `in 3 hours`, with the exact time behind it."""
    if time is None:
        return Markup("-")
    exact = time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    seconds = (datetime.now(UTC) - time).total_seconds()
    told = _ago(seconds, time, language) if seconds > -1 else _ahead(-seconds, time, language)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        time.astimezone(UTC).isoformat(timespec="seconds"), exact, escape(told)
    )


def _ago(seconds: float, time: datetime, language: Language) -> str:
    many = language.say_many
    if seconds < 60:
        return language.say("just now")
    if seconds < 3600:
        return many("%(number)s minute ago", "%(number)s minutes ago", int(seconds // 60))
    if seconds < 86_400:
        return many("%(number)s hour ago", "%(number)s hours ago", int(seconds // 3600))
    if seconds < 30 * 86_400:
        return many("%(number)s day ago", "%(number)s days ago", int(seconds // 86_400))
    return time.astimezone(UTC).strftime("%Y-%m-%d")


def _ahead(seconds: float, time: datetime, language: Language) -> str:
    many = language.say_many
    if seconds < 3600:
        return many("in %(number)s minute", "in %(number)s minutes", round(seconds / 60) or 1)
    if seconds < 2 * 86_400:
        return many("in %(number)s hour", "in %(number)s hours", round(seconds / 3600))
    if seconds < 1000 * 86_400:
        return many("in %(number)s day", "in %(number)s days", round(seconds / 86_400))
    return time.astimezone(UTC).strftime("%Y-%m-%d")
