"""Acts on labels of models and versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.core.names import parse_label
from modelyard.errors import InvalidInput
from modelyard.server.routing import on_model
from modelyard.server.state import Ask
from modelyard.server.web.acts import Acts, Done, Form
from modelyard.server.web.here import Undo, language_of
from modelyard.server.web.places import back_or, model_page, version_page

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["acts"]

acts = Acts("labels")


@acts.act("/label/{model:path}", needs=on_model("writer"))
def change_labels(ask: Ask, form: Form, model: str) -> Done:
    """Set labels (a line each, `key=value`) and remove some of a model, or of a version."""
    revision = form.one("revision") or None
    add = dict(parse_label(line.strip()) for line in form.text("add").split("\n") if line.strip())
    remove = [key.strip() for key in form.many("remove")]
    remove += [line for line in form.text("gone").split("\n") if line]
    if not add and not remove:
        raise InvalidInput("no-label", "no label is given", hint="key=value, or a key alone")
    before = dict(ask.yard.label(model, revision))
    after = dict(ask.yard.label(model, revision, add=add, remove=remove))
    place = model_page(model) if revision is None else version_page(model, revision)
    back = back_or(form, place)
    words = language_of(ask.request)
    if before == after:
        return Done(back, words.say("The labels are as they were."))
    if set(after) - set(before) or not set(before) - set(after):
        shown = ", ".join(_line(key, after) for key in add if before.get(key) != after.get(key))
        text = words.say("Labelled %(labels)s.", labels=shown)
    else:
        gone = ", ".join(_line(key, before) for key in before if key not in after)
        text = words.say("Removed the label %(labels)s.", labels=gone)
    return Done(back, text, _undo(model, revision, before, after, back))


def _undo(
    model: str, revision: str | None, before: Mapping[str, str], after: Mapping[str, str], back: str
) -> Undo:
    """What was set goes, or has its old value again; what was removed comes back."""
    again = [_line(key, before) for key in before if before[key] != after.get(key)]
    fields = {
        "revision": revision or "", "add": "\n".join(again),
        "gone": "\n".join(key for key in after if key not in before), "back": back,
    }  # fmt: skip
    return Undo(f"/do/label/{model}", fields)


def _line(key: str, labels: Mapping[str, str]) -> str:
    return f"{key}={labels[key]}" if labels[key] else key
