"""One model: its card, where its names point, how a metric went, and how to use it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from modelyard.registry.deployments.of_model import deployments_of
from modelyard.registry.overview import Overview, overview
from modelyard.server.routing import on_model
from modelyard.server.state import Ask
from modelyard.server.web.deployed import DeployedAs, deployed_as
from modelyard.server.web.twins import Pages

__all__ = ["pages"]

if TYPE_CHECKING:
    from modelyard.core.version import RefInfo

pages = Pages("model")

_LIKED = ("prod", "production", "champion", "best", "stable")
"""Aliases that people mean when they want to use a model, the surest first."""


@dataclass(frozen=True, slots=True)
class Snippets:
    """How to use a model, to be copied."""

    title: str
    """What they get: `flowers/iris`, or `flowers/iris@champion`."""
    command: str
    """With the command line."""
    log: str
    """To look at its history there."""
    python: str
    git: str


@dataclass(frozen=True, slots=True)
class ModelPage:
    """What the page of a model shows."""

    model: Overview
    use: Snippets
    bytes_of: str
    """Below the prefix: what the quoted path of a file is added to, to get its bytes."""
    deployed: tuple[DeployedAs, ...]
    """Where its versions are served."""


@pages.page("/models/{model:path}", "model.html", needs=on_model("reader"))
def show_model(ask: Ask, model: str, *, metric: str = "") -> ModelPage:
    """A model at a glance."""
    told = overview(ask.house, model, metric[:200])
    bytes_of = ""
    if told.tip is not None:
        quoted = quote(told.name, safe="")
        bytes_of = f"/api/v1/models/{quoted}/versions/{told.tip.number}/files/"
    deployed = deployed_as(deployments_of(ask.house, told.name), told.name)
    return ModelPage(told, _snippets(ask.base, told), bytes_of, deployed)


def _snippets(base: str, told: Overview) -> Snippets:
    alias = _alias(told.refs)
    title = f"{told.name}@{alias}" if alias else told.name
    folder = told.name.rpartition("/")[2]
    revision = f'["{alias}"]' if alias else '["main"]'
    if told.tip is not None and not any(ref.name == "main" for ref in told.refs) and not alias:
        revision = '["latest"]'
    return Snippets(
        title=title,
        command=f"yard checkout --yard {base} {title} {folder}",
        log=f"yard log --yard {base} {told.name}",
        python=(
            "import modelyard\n\n"
            f'yard = modelyard.open("{base}")\n'
            f'version = yard.model("{told.name}"){revision}\n'
            f'version.checkout("{folder}")'
        ),
        git=f"git lfs install\ngit clone {base}/{quote(told.name)}.git",
    )


def _alias(refs: tuple[RefInfo, ...]) -> str | None:
    names = [ref.name for ref in refs if ref.kind == "alias"]
    return next((name for name in _LIKED if name in names), None)
