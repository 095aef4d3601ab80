"""A new version from the browser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from starlette.responses import Response

from modelyard.core.names import ModelName
from modelyard.core.version import RefInfo, human_size
from modelyard.errors import InvalidInput, NotFound
from modelyard.registry.access import known_name
from modelyard.registry.pages import models_page
from modelyard.server.problems import answer_to
from modelyard.server.routing import Answer, Routes, on_model, on_yard
from modelyard.server.state import Ask
from modelyard.server.web.acts import Done, sent_on
from modelyard.server.web.here import language_of
from modelyard.server.web.places import version_page
from modelyard.server.web.twins import Pages, problem_page
from modelyard.server.web.uploaded import LARGEST, browser_upload, check_size

if TYPE_CHECKING:
    from starlette.requests import Request

    from modelyard.core.version import Committed

__all__ = ["acts", "pages"]

pages = Pages("upload")
acts = Routes("upload", prefix="/do")

_NAMES = 100


@dataclass(frozen=True, slots=True)
class UploadPage:
    """Where files are to go."""

    model: str | None
    """None: to be chosen."""
    is_new: bool
    """Whether the model is made by this."""
    kind: Literal["model", "dataset"]
    branches: tuple[RefInfo, ...]
    names: tuple[str, ...]
    """Models that may be chosen, at most 100."""
    largest: int
    """Bytes that a browser may send."""


@pages.page("/upload", "upload.html", needs=on_yard("none"))
def show_upload(ask: Ask, *, model: str | None = None) -> UploadPage:
    """The form for a new version; without a model, which one it is for."""
    if not model or not model.strip():
        listed = models_page(ask.house, limit=_NAMES).items
        names = tuple(info.name for info in listed if ask.caller.may(info.name, "writer"))
        return UploadPage(None, False, "model", (), names, LARGEST)
    name = known_name(ask.house, ask.caller, ModelName.parse(model.strip()).text, "writer")
    try:
        info = ask.yard.model_info(name)
    except NotFound:
        return UploadPage(name, True, "model", (), (), LARGEST)
    branches = tuple(ref for ref in info.refs if ref.kind == "branch")
    return UploadPage(info.name, False, info.kind, branches, (), LARGEST)


def _refused(request: Request, error: Exception) -> Response:
    """As JSON for the script that shows how far it is."""
    if _wants_json(request):
        return answer_to(error, request.scope.get("request_id"))
    return problem_page(request, error)


@acts.post(
    "/upload/{model:path}", needs=on_model("writer"), hidden=True, largest_body=LARGEST,
    seconds=600, refuse=_refused,
)  # fmt: skip
def upload(ask: Ask, model: str) -> Response | Answer:
    """Commit what a form brings; the answer is where to look at it."""
    check_size(ask, model)
    with browser_upload(ask) as sent:
        form = sent.form
        kind = form.one("kind") or "model"
        if kind not in ("model", "dataset"):
            raise InvalidInput("bad-form", "kind is model or dataset")
        branch = form.one("new-branch") or form.one("branch") or None
        done = ask.yard.commit(
            model, sent.folder, message=form.text("message").strip(), branch=branch,
            # "*": all that was sent, beside what is there
            only=("*",) if form.one("others") == "keep" else (),
            metrics=sent.metrics, params=sent.params, labels=sent.labels, kind=cast("Any", kind),
        )  # fmt: skip
    answer = sent_on(ask, Done(version_page(model, done.number), _told(ask, done)))
    if not _wants_json(ask.request):
        return answer
    headers = {"set-cookie": answer.headers["set-cookie"]}
    return Answer({"go_to": answer.headers["location"]}, 201, headers)


def _wants_json(request: Request) -> bool:
    return request.headers.get("accept", "").startswith("application/json")


def _told(ask: Ask, done: Committed) -> str:
    words = language_of(ask.request)
    if not done.created:
        return words.say("Nothing is new: these are the files of version %(number)s.",
                         number=done.number)  # fmt: skip
    text = words.say_many(
        "Stored as version %(version)s: %(number)s file, %(size)s, of which %(new)s are new.",
        "Stored as version %(version)s: %(number)s files, %(size)s, of which %(new)s are new.",
        done.files, version=done.number, size=human_size(done.size), new=human_size(done.new_bytes),
    )  # fmt: skip
    if done.warnings:
        text += " " + words.say_many(
            "A scan warns of %(number)s thing: %(first)s",
            "A scan warns of %(number)s things: %(first)s",
            len(done.warnings), first=done.warnings[0],
        )  # fmt: skip
    return text
