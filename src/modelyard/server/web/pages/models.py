"""All models: a table that can be searched."""

from __future__ import annotations

from dataclasses import dataclass

from modelyard.core.version import ModelInfo
from modelyard.registry.pages import models_page
from modelyard.server.routing import on_yard
from modelyard.server.state import Ask
from modelyard.server.web.twins import Pages

__all__ = ["pages"]

pages = Pages("models")


@dataclass(frozen=True, slots=True)
class ModelsPage:
    """What the first page shows."""

    items: tuple[ModelInfo, ...]
    """Models that the caller may read, by name."""
    next: str | None
    """Where the next page goes on."""


@pages.page("/", "models.html", needs=on_yard("none"))
@pages.page("/models", "models.html", needs=on_yard("none"))
def list_models(ask: Ask, *, after: str | None = None) -> ModelsPage:
    """All models."""
    found = models_page(ask.house, deleted=False, limit=50, after=after)
    return ModelsPage(tuple(found.items), found.next)
