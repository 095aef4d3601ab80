"""Pages as routes: each at its path, and its value as JSON at the path with `.json` behind it.

`.html` behind a path means the page: so a model whose name ends in `.json` has one.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from modelyard.core.access import Caller
from modelyard.core.wire import problem_of
from modelyard.errors import Denied, ModelyardError
from modelyard.server.problems import answer_to
from modelyard.server.routing import Answer, Needs, Routes
from modelyard.server.state import Ask
from modelyard.server.web.rendering import html

__all__ = ["Pages", "ProblemPage", "Twins", "problem_page"]

Handler = Callable[..., Any]
_TWIN, _SHOWN = "twin", "shown_path"
_SIGN_IN = ("not-signed-in", "bad-token")


@dataclass(frozen=True, slots=True)
class ProblemPage:
    """Why there is no page."""

    status: int
    title: str
    """Which of our seven classes."""
    kind: str
    detail: str
    """The sentence."""
    hint: str | None
    instance: str | None
    """Id of the request, which the server's log has too."""


class Pages(Routes):
    """The pages of one subject."""

    def __init__(self, subject: str) -> None:
        super().__init__(subject, prefix="")

    def page(
        self, path: str, template: str, *, needs: Needs, secret: bool = False
    ) -> Callable[[Handler], Handler]:
        """Serve a function that gives a page's dataclass, or a ready `Response`.

        Args:
            template: Its file in `templates/`; it sees the dataclass as `page`.
            secret: The page shows something that must not be packed with what a stranger sent.
        """

        def decorate(handler: Handler) -> Handler:
            @functools.wraps(handler)
            def shown(ask: Ask, **given: Any) -> Response | Answer:
                page = handler(ask, **given)
                if isinstance(page, Response):
                    return page
                if ask.request.scope.get(_TWIN):
                    return Answer(page)
                return html(ask, template, page, secret=secret)

            self.get(path, needs=needs, hidden=True, refuse=problem_page)(shown)
            return handler

        return decorate


class Twins:
    """Middleware: what stands behind the path of a page says whether it is wanted as JSON."""

    def __init__(self, app: Any, pages: Iterable[Routes]) -> None:
        self._app = app
        self._words = {
            route.path.split("/")[1]
            for each in pages
            if isinstance(each, Pages)
            for route in each.router.routes
            if isinstance(route, APIRoute)
        } - {""}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["method"] in ("GET", "HEAD"):
            stem, dot, end = scope["path"].rpartition(".")
            if end in ("json", "html") and dot and stem.split("/", 2)[1] in self._words:
                shown = stem if end == "json" else scope["path"]
                scope = {**scope, "path": stem, _TWIN: end == "json", _SHOWN: shown}
        await self._app(scope, receive, send)


def problem_page(request: Request, error: Exception) -> Response:
    """An error for somebody in front of a browser; who is not signed in is asked to."""
    server = request.app.state.server
    if request.scope.get(_TWIN):
        return answer_to(error, request.scope.get("request_id"))
    if isinstance(error, Denied) and error.kind in _SIGN_IN and request.method == "GET":
        query = f"?{request.url.query}" if request.url.query else ""
        came_for = quote(request.scope.get(_SHOWN, request.scope["path"]) + query, safe="")
        return RedirectResponse(f"{server.settings.prefix}/login?next={came_for}", 303)
    told = answer_to(error, request.scope.get("request_id"))
    if not isinstance(error, ModelyardError):
        title, kind, hint = "Unavailable", "internal", None
        detail = "this should not have happened; the server's log tells more"
    else:
        problem = problem_of(error)
        title, kind, detail, hint = problem.title, problem.kind, problem.detail, problem.hint
    page = ProblemPage(told.status_code, title, kind, detail, hint, request.scope.get("request_id"))
    caller = request.scope.get("caller") or Caller(account=None)
    kept = {k: v for k, v in told.headers.items() if k in ("retry-after", "www-authenticate")}
    return html(
        Ask(server, caller, request), "problem.html", page, status=told.status_code, headers=kept
    )
