"""Models: list, look, rename, label, delete, restore."""

from __future__ import annotations

from typing import Annotated

from fastapi import Body as InBody
from pydantic import Field

from modelyard.core.listed import Listed
from modelyard.core.version import ModelInfo
from modelyard.registry.access import known_name
from modelyard.registry.pages import models_page
from modelyard.server.api.inputs import (
    After,
    Body,
    Limit,
    MaybeRevision,
    ModelName,
    Name,
    RevisionQuery,
)
from modelyard.server.routing import Routes, on_model, on_yard
from modelyard.server.state import Ask

__all__ = ["routes"]

routes = Routes("models")

Label = Annotated[str, Field(max_length=256)]


class Renaming(Body):
    """A new name."""

    name: Name = Field(examples=["vision/resnet"])


class Restoring(Body):
    """What is to be there again."""

    revision: MaybeRevision = None


class Labelling(Body):
    """Which labels to set and to remove."""

    revision: MaybeRevision = None
    add: dict[Name, Label] = Field(
        default_factory=dict, max_length=200, examples=[{"domain": "nlp"}]
    )
    remove: list[Name] = Field(default_factory=list, max_length=200, examples=[["draft"]])


@routes.get("/models", needs=on_yard("none"), answers=Listed[ModelInfo])
def list_models(
    ask: Ask, *, deleted: bool = False, limit: Limit = 100, after: After = None
) -> Listed[ModelInfo]:
    """All models that the caller may read, by name.

    With `deleted`, those that could be restored instead.
    """
    return models_page(ask.house, deleted=deleted, limit=limit, after=after)


@routes.get("/models/{model}", needs=on_model("reader"), answers=ModelInfo)
def show_model(ask: Ask, model: ModelName) -> ModelInfo:
    """One model, as the list shows it."""
    return ask.yard.model_info(model)


@routes.patch("/models/{model}", needs=on_model("maintainer"), answers=ModelInfo)
def rename_model(ask: Ask, model: ModelName, body: Annotated[Renaming, InBody()]) -> ModelInfo:
    """Give a model another name; the old one redirects until it is used again.

    The caller must be maintainer for the new name too.
    """
    known_name(ask.house, ask.caller, body.name, "maintainer")
    return ask.yard.rename(model, body.name)


@routes.delete("/models/{model}", needs=on_model("maintainer"), answers=ModelInfo)
def delete_model(ask: Ask, model: ModelName) -> ModelInfo:
    """Delete a model. It can be restored until its bytes are taken, 30 days later."""
    return ask.yard.delete_model(model)


@routes.post("/models/{model}/restore", needs=on_model("maintainer"), answers=ModelInfo)
def restore(ask: Ask, model: ModelName, body: Annotated[Restoring, InBody()]) -> ModelInfo:
    """Undo the deletion of a model, or of the version with the number `revision`."""
    return ask.yard.restore(model, body.revision)


@routes.get("/models/{model}/labels", needs=on_model("reader"), answers=dict[str, str])
def list_labels(ask: Ask, model: ModelName, *, revision: RevisionQuery = None) -> dict[str, str]:
    """Labels of a model, or of one of its versions."""
    return dict(ask.yard.label(model, revision))


@routes.patch("/models/{model}/labels", needs=on_model("writer"), answers=dict[str, str])
def change_labels(
    ask: Ask, model: ModelName, body: Annotated[Labelling, InBody()]
) -> dict[str, str]:
    """Set and remove labels of a model, or of one of its versions; gives all that it has then."""
    return dict(ask.yard.label(model, body.revision, add=body.add, remove=body.remove))
