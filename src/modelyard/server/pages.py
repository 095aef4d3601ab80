"""The pages on which somebody signs in: without any script, and packed never."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import Response

from modelyard.errors import ModelyardError
from modelyard.server.problems import status_of
from modelyard.server.state import Ask
from modelyard.server.web.rendering import html

__all__ = ["LinkPage", "LoginPage", "OnwardPage", "link_page", "login_page", "onward_page"]

_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; font-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'"
)
"""Stricter than that of other pages: no script, whatever the page should hold."""


@dataclass(frozen=True, slots=True)
class LoginPage:
    """Asks who somebody is."""

    go_to: str
    """Path to go on to, without the prefix."""
    kind: str = ""
    """Of the problem that the last try met; empty if there was none."""
    problem: str = ""
    """Its sentence."""
    elsewhere: str | None = None
    """What the provider is called through which one may sign in too."""


@dataclass(frozen=True, slots=True)
class LinkPage:
    """A link is used up by a click, and not by whatever looks at it before."""

    code: str


@dataclass(frozen=True, slots=True)
class OnwardPage:
    """Sends a browser on by itself: then strict cookies go along, too."""

    go_to: str
    """Path to go on to, without the prefix."""


def login_page(ask: Ask, *, go_to: str, problem: ModelyardError | None = None) -> Response:
    """The page to sign in on; `problem` says why the last try was none."""
    oidc = ask.server.settings.oidc
    told = (problem.kind, problem.message) if problem else ("", "")
    page = LoginPage(go_to, *told, elsewhere=oidc.title if oidc else None)
    return _shown(ask, "login.html", page, status_of(problem) if problem else 200)


def link_page(ask: Ask, code: str) -> Response:
    """The page that a one-time link leads to."""
    return _shown(ask, "login_link.html", LinkPage(code))


def onward_page(ask: Ask, go_to: str) -> Response:
    """The page that a provider's answer leads to."""
    return _shown(ask, "login_onward.html", OnwardPage(go_to))


def _shown(ask: Ask, template: str, page: object, status: int = 200) -> Response:
    policy = {"content-security-policy": _POLICY}
    return html(ask, template, page, status=status, headers=policy, secret=True)
