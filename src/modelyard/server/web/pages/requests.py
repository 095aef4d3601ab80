"""The last requests of a deployment, and a form that sends one."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import Response

from modelyard.core.deployment import Deployment
from modelyard.errors import InvalidInput, Unavailable
from modelyard.server.routing import SIGNED_IN, on_yard
from modelyard.server.state import Ask
from modelyard.server.web.acts import Acts, Form
from modelyard.server.web.asked import Asked, last_requests, predict
from modelyard.server.web.pages.deployment import page_of
from modelyard.server.web.places import deployment_page
from modelyard.server.web.rendering import html
from modelyard.server.web.twins import Pages

__all__ = ["acts", "pages"]

pages = Pages("requests")
acts = Acts("requests")

_SHOWN = 100


@dataclass(frozen=True, slots=True)
class RequestsPage:
    """The last requests that this server answered."""

    deployment: Deployment
    items: tuple[Asked, ...]
    """Newest first."""
    only: str
    """`failed`: those that went wrong; empty: all."""


@pages.page("/requests/{name}", "requests.html", needs=on_yard("none"))
def show_requests(ask: Ask, name: str, *, only: str = "") -> RequestsPage:
    """The request log of a deployment."""
    deployment = ask.yard.deployments.get(name)
    found = last_requests(ask, deployment, 500)
    if only == "failed":
        found = tuple(one for one in found if one.error)
    return RequestsPage(deployment, found[:_SHOWN], only)


@acts.act("/try/{name}", needs=SIGNED_IN)
def try_it(ask: Ask, form: Form, name: str) -> Response:
    """Send a request as anybody would, and show what came back."""
    ask.yard.deployments.get(name)
    version, body = form.one("number"), form.text("body")
    if version and not (version.isascii() and version.isdigit() and len(version) < 16):
        raise InvalidInput("bad-choice", f"{version[:40]!r} is no version's number")
    reply = predict(ask, name, version, body)
    if reply is None:
        raise Unavailable("not-ready", "this server does not serve deployments")
    return html(ask, "deployment.html", page_of(ask, name, reply=reply), at=deployment_page(name))
