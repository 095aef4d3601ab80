"""Models: list, look, rename, delete, restore."""

from __future__ import annotations

from modelyard.core.version import ModelInfo
from modelyard.server.routing import Routes, on_model, on_yard
from modelyard.server.state import Ask

__all__ = ["routes"]

routes = Routes("models")


@routes.get("/models", needs=on_yard("none"), answers=list[ModelInfo])
def list_models(ask: Ask, *, deleted: bool = False) -> list[ModelInfo]:
    """All models that the caller may read, by name."""
    found = ask.yard.models(deleted=deleted)
    return [model for model in found if ask.caller.may(model.name, "reader")]


@routes.get("/models/{model}", needs=on_model("reader"), answers=ModelInfo)
def show_model(ask: Ask, model: str) -> ModelInfo:
    """One model, as the list shows it."""
    return ask.yard.model_info(model)
