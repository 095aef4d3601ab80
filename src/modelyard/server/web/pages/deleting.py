"""Acts that delete, bring back and rename."""

from __future__ import annotations

from modelyard.core.names import ModelName
from modelyard.errors import InvalidInput
from modelyard.registry.access import known_name
from modelyard.server.routing import on_model
from modelyard.server.state import Ask
from modelyard.server.web.acts import Acts, Done, Form
from modelyard.server.web.here import Undo, language_of
from modelyard.server.web.places import model_page, version_page

__all__ = ["acts"]

acts = Acts("deleting")


@acts.act("/delete/{model:path}", needs=on_model("maintainer"))
def delete_version(ask: Ask, form: Form, model: str) -> Done:
    """Delete a version; its number stays taken, and it can be restored for 30 days."""
    info = ask.yard.delete_version(model, _number(form))
    text = language_of(ask.request).say(
        "Version %(number)s of %(model)s is deleted. It can be restored for 30 days.",
        number=info.number, model=model,
    )  # fmt: skip
    undo = Undo(f"/do/restore/{model}", {"revision": str(info.number)})
    return Done(model_page(model), text, undo)


@acts.act("/delete-model/{model:path}", needs=on_model("maintainer"))
def delete_model(ask: Ask, form: Form, model: str) -> Done:
    """Delete a model, if its name was typed."""
    words = language_of(ask.request)
    if form.one("name") != model:
        raise InvalidInput(
            "not-confirmed", f"what was typed is not {model}",
            hint="type the model's whole name: nothing was deleted",
        )  # fmt: skip
    ask.yard.delete_model(model)
    text = words.say("The model %(model)s is deleted. It can be restored for 30 days.", model=model)
    return Done("/models", text, Undo(f"/do/restore/{model}", {}))


@acts.act("/restore/{model:path}", needs=on_model("maintainer"))
def restore(ask: Ask, form: Form, model: str) -> Done:
    """Undo the deletion of a model, or of one of its versions."""
    revision = form.one("revision")
    words = language_of(ask.request)
    if not revision:
        ask.yard.restore(model)
        return Done(
            model_page(model), words.say("The model %(model)s is there again.", model=model)
        )
    number = _number(form)
    ask.yard.restore(model, number)
    text = words.say("Version %(number)s of %(model)s is there again.", number=number, model=model)
    return Done(version_page(model, number), text)


@acts.act("/rename/{model:path}", needs=on_model("maintainer"))
def rename_model(ask: Ask, form: Form, model: str) -> Done:
    """Give a model another name; who does is maintainer for the new one too."""
    name = ModelName.parse(form.one("name")).text
    known_name(ask.house, ask.caller, name, "maintainer")
    info = ask.yard.rename(model, name)
    text = language_of(ask.request).say(
        "%(old)s is called %(new)s now. The old name leads here until it is used again.",
        old=model, new=info.name,
    )  # fmt: skip
    return Done(model_page(info.name), text, Undo(f"/do/rename/{info.name}", {"name": model}))


def _number(form: Form) -> int:
    """The number of a version: a name could mean another one meanwhile."""
    text = form.one("revision")
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise InvalidInput("bad-choice", f"{text[:40]!r} is no version's number")
    return int(text)
