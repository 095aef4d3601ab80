"""The routes of stock git: refs, fetch and push. Those of git-lfs are beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.responses import Response, StreamingResponse

from modelyard.errors import InvalidInput, ModelyardError, NotFound
from modelyard.registry.access import known_name
from modelyard.registry.git.pushing import push
from modelyard.registry.git.refs import known
from modelyard.server.git import lfs
from modelyard.server.git.door import git_route
from modelyard.server.git.fetching import Question, advertised, answer
from modelyard.server.git.packets import packet
from modelyard.server.git.receiving import CAN, Request, report
from modelyard.server.routing import on_model

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.server.git.door import Body
    from modelyard.server.state import Ask

__all__ = ["routes"]

_LARGEST_FETCH = 16 << 20
_LARGEST_PUSH = 256 << 20


def _refs(ask: Ask, model: str, _: Body) -> Response:
    service = ask.request.query_params.get("service", "")
    if service not in ("git-upload-pack", "git-receive-pack"):
        raise InvalidInput("old-git", "git without smart HTTP is not served; take a newer git")
    if service == "git-receive-pack" and ask.server.settings.accounts:
        model = known_name(ask.server.house, ask.caller, model, "writer")
    found = known(ask.house, model)
    if service == "git-upload-pack" and found.model_id is None:
        raise NotFound("no-model", f"no model named {model}", hint="git push makes it")
    can = CAN if service == "git-receive-pack" else None
    return _answered(advertised(found, service, can), f"{service}-advertisement")


def _fetch(ask: Ask, model: str, body: Body) -> Response:
    found = known(ask.house, model)
    if found.model_id is None:
        raise NotFound("no-model", f"no model named {model}")
    kind = "git-upload-pack-result"
    try:
        asked = Question.read(body.read())
        pieces = answer(ask.house, found, asked)
    except ModelyardError as error:
        return _answered(packet(b"ERR " + error.message.encode()), kind)
    return StreamingResponse(_guarded(pieces), 200, _FRESH, f"application/x-{kind}")


def _guarded(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """What goes wrong in the middle ends the answer with words."""
    try:
        yield from pieces
    except ModelyardError as error:
        yield packet(b"\3" + error.message.encode()[:900] + b"\n")


def _push(ask: Ask, model: str, body: Body) -> Response:
    request = Request.read(body.read())
    if not request.commands:
        return _answered(b"", "git-receive-pack-result")
    done = push(ask.house, model, request.commands, request.pack)
    return _answered(report(request, done), "git-receive-pack-result")


def _answered(content: bytes, kind: str) -> Response:
    return Response(content, 200, _FRESH, f"application/x-{kind}")


_FRESH = {"cache-control": "no-cache, max-age=0, must-revalidate"}


class _Routes:
    """As the resources of the API have them."""

    def __init__(self, router: APIRouter) -> None:
        self.router = router


def _routes() -> _Routes:
    router = APIRouter()
    git_route(router, "GET", "/info/refs", on_model("reader"), _refs)
    git_route(router, "POST", "/git-upload-pack", on_model("reader"), _fetch, body=_LARGEST_FETCH)
    git_route(router, "POST", "/git-receive-pack", on_model("writer"), _push, body=_LARGEST_PUSH)
    lfs.add_routes(router)
    return _Routes(router)


routes = _routes()
