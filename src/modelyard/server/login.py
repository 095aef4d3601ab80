"""Signing in with a browser: a page, a one-time link, a cookie."""

from __future__ import annotations

from urllib.parse import parse_qs, quote

from starlette.responses import RedirectResponse, Response

from modelyard.core.access import Account
from modelyard.errors import Denied, InvalidInput, ModelyardError
from modelyard.server.addresses import COOKIE
from modelyard.server.auth import signed_in_with
from modelyard.server.limits import TooMany
from modelyard.server.pages import link_page, login_page
from modelyard.server.routing import PUBLIC, Routes, on_yard
from modelyard.server.state import Ask

__all__ = ["open_session", "own_path", "routes"]

routes = Routes("login", prefix="")

_SECONDS = 7 * 86400
_LARGEST = 16 << 10


@routes.get("/login", needs=PUBLIC, hidden=True)
def show_login(ask: Ask, *, code: str = "", next: str = "/") -> Response:
    """The page to sign in on; with a one-time code, a browser that was sent here by hand is let in.

    Whatever looks at links before people do gets a page with a button, and uses nothing up.
    """
    headers = ask.request.headers
    if code and headers.get("sec-fetch-site") == "none" and headers.get("sec-fetch-user") == "?1":
        return _with_code(ask, code)
    if code:
        return link_page(ask, code)
    return login_page(ask, go_to=own_path(next))


@routes.post("/login", needs=PUBLIC, hidden=True, largest_body=_LARGEST)
def sign_in(ask: Ask) -> Response:
    """Sign a browser in: with a password, a token or a one-time code."""
    told = _form(ask)
    if code := told.get("code"):
        return _with_code(ask, code)
    go_to = own_path(told.get("next", "/"))
    name, password = told.get("name", ""), told.get("password", "")
    try:
        account = signed_in_with(ask.request, name, password)
    except (Denied, TooMany) as error:
        return login_page(ask, go_to=go_to, problem=error)
    return open_session(ask, account, go_to)


@routes.post("/logout", needs=on_yard("none"), hidden=True)
def sign_out(ask: Ask) -> Response:
    """Sign this browser out."""
    from modelyard.registry.access import close_cookie

    if shown := ask.request.cookies.get(COOKIE):
        close_cookie(ask.house, shown)
    answer = RedirectResponse(f"{ask.server.settings.prefix}/login", 303)
    answer.delete_cookie(COOKIE, path=_path(ask), httponly=True, samesite="strict")
    return answer


def open_session(ask: Ask, account: Account, go_to: str = "/") -> Response:
    """Send a browser on, signed in."""
    from modelyard.registry.access import open_cookie

    secret = open_cookie(ask.house, account, seconds=_SECONDS)
    answer = RedirectResponse(f"{ask.server.settings.prefix}{go_to}", 303)
    answer.set_cookie(
        COOKIE, secret, max_age=_SECONDS, path=_path(ask), httponly=True, samesite="strict",
        secure=ask.request.scope["scheme"] == "https",
    )  # fmt: skip
    return answer


def _with_code(ask: Ask, code: str) -> Response:
    from modelyard.registry.access import use_link

    address = ask.caller.address
    try:
        ask.server.rates.check_guesses("", address)
        return open_session(ask, use_link(ask.house, code[:200]))
    except Denied as error:
        problem: ModelyardError = error
        try:
            ask.server.rates.guessed("", address)
        except TooMany as too_many:
            problem = too_many
    except TooMany as error:
        problem = error
    return login_page(ask, go_to="/", problem=problem)


def _form(ask: Ask) -> dict[str, str]:
    """The fields of the form, each once. InvalidInput: `bad-request`."""
    kind = ask.request.headers.get("content-type", "").partition(";")[0].strip()
    if kind != "application/x-www-form-urlencoded":
        raise InvalidInput("wrong-media-type", "a form is sent here")
    try:
        text = b"".join(ask.body()).decode()
        return {name: values[-1] for name, values in parse_qs(text, max_num_fields=20).items()}
    except ValueError:
        raise InvalidInput("unreadable-body", "the form can't be read") from None


def own_path(text: str) -> str:
    """A path of this server, and of no other: what a browser would read otherwise becomes `/`."""
    strange = not text.startswith("/") or text[1:2] in ("/", "\\") or len(text) > 500
    return "/" if strange or any(ord(c) < 33 or c == "\\" for c in text) else quote(text, "/?=&%")


def _path(ask: Ask) -> str:
    return ask.server.settings.prefix or "/"
