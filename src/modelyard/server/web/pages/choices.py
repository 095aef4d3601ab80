"""What somebody chose for their browser: language and theme. Kept in cookies, known to nobody."""

from __future__ import annotations

from starlette.responses import RedirectResponse, Response

from modelyard.errors import InvalidInput
from modelyard.i18n import LANGUAGES
from modelyard.server.login import own_path
from modelyard.server.routing import PUBLIC
from modelyard.server.state import Ask
from modelyard.server.web.acts import Acts, Form
from modelyard.server.web.here import LANGUAGE, THEME, THEMES

__all__ = ["acts"]

acts = Acts("choices")

_YEAR = 365 * 86_400


@acts.act("/language", needs=PUBLIC)
def choose_language(ask: Ask, form: Form) -> Response:
    """Read in another language from now on."""
    return _kept(ask, form, LANGUAGE, tuple(LANGUAGES))


@acts.act("/theme", needs=PUBLIC)
def choose_theme(ask: Ask, form: Form) -> Response:
    """Light, dark, or as the system has it."""
    return _kept(ask, form, THEME, THEMES)


def _kept(ask: Ask, form: Form, cookie: str, valid: tuple[str, ...]) -> Response:
    chosen, prefix = form.one("choice"), ask.server.settings.prefix
    if chosen not in valid:
        raise InvalidInput("bad-choice", f"there is {', '.join(valid)} to choose from")
    answer = RedirectResponse(f"{prefix}{own_path(form.one('back', '/'))}", 303)
    answer.set_cookie(
        cookie, chosen, max_age=_YEAR, path=prefix or "/", httponly=True, samesite="lax",
        secure=ask.request.scope["scheme"] == "https",
    )  # fmt: skip
    return answer
