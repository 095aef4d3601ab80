"""Acts on refs: aliases move and go back, branches and tags are made, and all of them can go."""

from __future__ import annotations

from typing import cast

from modelyard.core.names import RefName
from modelyard.core.version import RefKind
from modelyard.errors import Conflict, Denied, InvalidInput, NotFound
from modelyard.registry import refs
from modelyard.registry.access.desk import Desk
from modelyard.registry.refs import ANYWHERE, Expected
from modelyard.server.routing import on_model
from modelyard.server.state import Ask
from modelyard.server.web.acts import Acts, Done, Form
from modelyard.server.web.here import Undo, language_of
from modelyard.server.web.places import back_or, version_page

__all__ = ["acts"]

acts = Acts("moves")

_GUARDED = ("guarded", "needs-approval")


@acts.act("/alias/{model:path}", needs=on_model("writer"))
def move_alias(ask: Ask, form: Form, model: str) -> Done:
    """Point an alias at a version; where others must approve that, propose it."""
    name, revision = RefName.parse(form.one("alias")).text, form.one("revision")
    before = _place(ask, model, name)
    try:
        info = refs.move_alias(ask.house, model, name, revision, expected=_seen(form, name))
    except Denied as error:
        if error.kind not in _GUARDED:
            raise
        return _proposed(ask, form, model, name, revision, error)
    words = language_of(ask.request)
    if before is None:
        text = words.say("The alias %(name)s is new and points at version %(new)s.",
                         name=name, new=info.number)  # fmt: skip
    elif before == info.number:
        text = words.say("The alias %(name)s points at version %(new)s already.",
                         name=name, new=info.number)  # fmt: skip
        return Done(back_or(form, version_page(model, info.number)), text)
    else:
        text = words.say("The alias %(name)s moved from version %(old)s to version %(new)s.",
                         name=name, old=before, new=info.number)  # fmt: skip
    back = back_or(form, version_page(model, info.number))
    return Done(back, text, _undo(model, name, before, info.number, back))


@acts.act("/rollback/{model:path}", needs=on_model("writer"))
def roll_back(ask: Ask, form: Form, model: str) -> Done:
    """Point an alias back to where it pointed before, or to an older place."""
    name = RefName.parse(form.one("alias")).text
    expected = _number(form, "expected")
    before = _place(ask, model, name)
    to = form.one("to") or None
    try:
        info = refs.rollback(ask.house, model, name, to, expected=expected)
    except Denied as error:
        if error.kind not in _GUARDED or to is None:
            raise
        return _proposed(ask, form, model, name, to, error)
    text = language_of(ask.request).say(
        "The alias %(name)s went back from version %(old)s to version %(new)s.",
        name=name, old=before or 0, new=info.number,
    )  # fmt: skip
    back = back_or(form, version_page(model, info.number))
    return Done(back, text, _undo(model, name, before, info.number, back))


@acts.act("/ref/{model:path}", needs=on_model("writer"))
def make_ref(ask: Ask, form: Form, model: str) -> Done:
    """Make a branch or a tag at a version."""
    kind, revision = form.one("kind"), form.one("revision") or None
    if kind not in ("branch", "tag"):
        raise InvalidInput("bad-choice", "there is branch, tag to choose from")
    info = refs.create(ask.house, model, form.one("name"), cast("RefKind", kind), revision)
    words = language_of(ask.request)
    if kind == "branch":
        text = words.say("The branch %(name)s begins at version %(number)s.",
                         name=info.name, number=info.number)  # fmt: skip
    else:
        text = words.say("The tag %(name)s names version %(number)s for good.",
                         name=info.name, number=info.number)  # fmt: skip
    back = back_or(form, version_page(model, info.number))
    fields = {"name": info.name, "expected": str(info.number), "back": back}
    return Done(back, text, Undo(f"/do/delete-ref/{model}", fields))


@acts.act("/delete-ref/{model:path}", needs=on_model("writer"))
def delete_ref(ask: Ask, form: Form, model: str) -> Done:
    """Delete a branch, tag or alias; versions stay."""
    expected = _number(form, "expected")
    info = refs.delete(ask.house, model, form.one("name"), expected=expected)
    words = language_of(ask.request)
    text = words.say("%(name)s is deleted. It was at version %(number)s, which stays.",
                     name=info.name, number=info.number)  # fmt: skip
    back = back_or(form, version_page(model, info.number))
    fields = {"revision": str(info.number), "back": back}
    if info.kind == "alias":
        undo = Undo(f"/do/alias/{model}", {"alias": info.name, "seen": "", **fields})
    else:
        undo = Undo(f"/do/ref/{model}", {"kind": info.kind, "name": info.name, **fields})
    return Done(back, text, undo)


def _proposed(
    ask: Ask, form: Form, model: str, name: str, revision: str, error: Denied
) -> Done:  # fmt: skip
    """A proposal in place of a move; the move's own refusal if nobody could approve it."""
    try:
        made = Desk(ask.house).propose(model, name, revision, message=form.text("message").strip())
    except Conflict as other:
        raise (error if other.kind == "not-guarded" else other) from None
    text = language_of(ask.request).say_many(
        "%(name)s is guarded: proposal %(key)s is made, and moves it to version %(new)s when"
        " %(number)s other has approved.",
        "%(name)s is guarded: proposal %(key)s is made, and moves it to version %(new)s when"
        " %(number)s others have approved.",
        max(made.needed, 1), name=name, key=made.id, new=made.new,
    )  # fmt: skip
    return Done(back_or(form, version_page(model, made.new)), text)


def _undo(model: str, name: str, before: int | None, now: int, back: str) -> Undo:
    """What brings an alias back to where it was, if it is still where it was put."""
    if before is None:
        fields = {"name": name, "expected": str(now), "back": back}
        return Undo(f"/do/delete-ref/{model}", fields)
    fields = {"alias": name, "revision": str(before), "seen": f"{name} {now}", "back": back}
    return Undo(f"/do/alias/{model}", fields)


def _place(ask: Ask, model: str, name: str) -> int | None:
    """Where a ref is now; None if there is none."""
    try:
        return refs.one(ask.house, model, name).number
    except NotFound as error:
        if error.kind != "no-ref":
            raise
        return None


def _seen(form: Form, name: str) -> Expected:
    """Where the page showed an alias: `seen` lists each with its number, or is not there at all."""
    if "seen" not in form.fields:
        return ANYWHERE
    for line in form.many("seen"):
        alias, _, number = line.rpartition(" ")
        if alias == name and number.isascii() and number.isdigit() and len(number) < 16:
            return int(number)
    return None


def _number(form: Form, field: str) -> Expected:
    text = form.one(field)
    if not text:
        return ANYWHERE
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise InvalidInput("bad-choice", f"{text[:40]!r} is no version's number")
    return int(text)
