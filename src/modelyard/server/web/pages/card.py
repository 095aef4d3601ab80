"""A model's card, written in the browser."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from starlette.responses import Response

from modelyard.core.names import MAIN
from modelyard.core.version import RefInfo
from modelyard.errors import Conflict, InvalidInput, NotFound, Unsupported
from modelyard.registry.card import CARD_PATH
from modelyard.server.routing import on_model
from modelyard.server.state import Ask
from modelyard.server.web.acts import Acts, Done, Form
from modelyard.server.web.here import language_of
from modelyard.server.web.places import model_page, version_page
from modelyard.server.web.rendering import html
from modelyard.server.web.twins import Pages

__all__ = ["acts", "pages"]

pages = Pages("card")
acts = Acts("card")

_LONGEST = 200_000


@dataclass(frozen=True, slots=True)
class CardPage:
    """The card of a branch, as it is being written."""

    model: str
    branch: str
    """Which gets the new version."""
    branches: tuple[str, ...]
    parent: int
    """The version that the branch was at when the card was read."""
    text: str
    message: str
    bytes_of: str
    """Below the prefix: what the quoted path of a file is added to, to get its bytes."""
    theirs: str | None = None
    """The branch's card, if the branch moved while somebody wrote."""


@pages.page("/card/{model:path}", "card.html", needs=on_model("writer"))
def show_card(ask: Ask, model: str, *, branch: str | None = None) -> CardPage:
    """The editor, with the card as the branch has it."""
    tip, names = _branches(ask, model, branch)
    text = _card(ask, model, tip.number)
    return CardPage(model, tip.name, names, tip.number, text, "", _bytes_of(model, tip.number))


@acts.act("/card-preview/{model:path}", needs=on_model("writer"))
def preview_card(ask: Ask, form: Form, model: str) -> Response:
    """Show what a card would look like; nothing is kept."""
    page = _written(ask, form, model)
    return html(ask, "card.html", page, at=_place(page))


@acts.act("/card/{model:path}", needs=on_model("writer"))
def change_card(ask: Ask, form: Form, model: str) -> Done | Response:
    """Commit a card; if somebody was faster, show both texts."""
    page = _written(ask, form, model)
    words = language_of(ask.request)
    try:
        with tempfile.TemporaryDirectory(prefix="yard-card-") as room:
            (Path(room) / CARD_PATH).write_text(page.text, encoding="utf-8", newline="\n")
            done = ask.yard.commit(
                model, room, only=(CARD_PATH,), parent=page.parent, branch=page.branch,
                message=page.message or words.say("Edit the card"),
            )  # fmt: skip
    except Conflict as error:
        if error.kind != "branch-moved":
            raise
        tip, _ = _branches(ask, model, page.branch)
        theirs = _card(ask, model, tip.number)
        page = replace(page, parent=tip.number, theirs=theirs)
        return html(ask, "card.html", page, status=409, at=_place(page))
    if not done.created:
        return Done(model_page(model), words.say("The card is as it was."))
    told = words.say("The card is changed, in version %(number)s.", number=done.number)
    return Done(version_page(model, done.number), told)


def _written(ask: Ask, form: Form, model: str) -> CardPage:
    """What the editor sent. InvalidInput: `too-large`, `bad-choice`."""
    text, parent = form.text("text"), form.one("parent")
    if len(text) > _LONGEST:
        raise InvalidInput("too-large", f"a card has at most {_LONGEST:,} characters here",
                           hint="commit a longer README.md by yard commit")  # fmt: skip
    if not (parent.isascii() and parent.isdigit() and len(parent) < 16):
        raise InvalidInput("bad-choice", f"{parent[:40]!r} is no version's number")
    tip, names = _branches(ask, model, form.one("branch"))
    return CardPage(
        model, tip.name, names, int(parent), text, form.text("message").strip(),
        _bytes_of(model, int(parent)),
    )  # fmt: skip


def _place(page: CardPage) -> str:
    return f"{model_page(page.model, 'card')}?branch={quote(page.branch)}"


def _branches(ask: Ask, model: str, wanted: str | None) -> tuple[RefInfo, tuple[str, ...]]:
    """The branch that is written on, and all of them. NotFound: `no-branch`."""
    found = [ref for ref in ask.yard.refs(model) if ref.kind == "branch"]
    names = tuple(ref.name for ref in found)
    name = wanted or (MAIN if MAIN in names or not names else names[0])
    for ref in found:
        if ref.name == name:
            return ref, names
    raise NotFound("no-branch", f"{model} has no branch {name}", hint="upload files first")


def _card(ask: Ask, model: str, number: int) -> str:
    """README.md as text. Unsupported: `not-editable`."""
    try:
        with ask.yard.open(model, number, CARD_PATH) as file:
            content = file.read(_LONGEST * 4 + 1)
        text = content.decode()
    except NotFound as error:
        if error.kind != "no-file":
            raise
        return ""
    except UnicodeDecodeError:
        text = None
    if text is None or len(text) > _LONGEST:
        raise Unsupported(
            "not-editable", f"{CARD_PATH} of {model}@{number} is too long, or no text",
            hint=f"yard checkout {model}, edit it, yard commit",
        )  # fmt: skip
    return text.replace("\r\n", "\n")


def _bytes_of(model: str, number: int) -> str:
    return f"/api/v1/models/{quote(model, safe='')}/versions/{number}/files/"
