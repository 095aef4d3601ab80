"""`yard suggest`: which recipes are likely to pay for a version, and `yard recipes`: which are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from modelyard.cli.command import command
from modelyard.cli.params import TARGET, revision_of
from modelyard.cli.session import Session, pass_session

if TYPE_CHECKING:
    from modelyard.core.names import ModelRevision

__all__ = ["recipes_command", "suggest_command"]


@command(
    "suggest",
    examples=["yard suggest vision/digits", "yard suggest vision/digits@3 --json"],
    see=["optimize", "recipes", "show"],
)
@click.argument("target", metavar="MODEL[@REV]", type=TARGET, help="Default of REV: main.")
@pass_session
def suggest_command(session: Session, target: ModelRevision) -> None:
    """Say which recipes are likely to pay for a version, and why.

    That follows from its format, its size and its layers, from the time that its deployments wait
    for it, and from what earlier optimizations of it gave. Nothing of it is run.
    """
    from modelyard.automation.suggesting import suggest
    from modelyard.cli.views.suggestions import SuggestionsView

    model, revision = target.model.text, revision_of(target)
    yard = session.yard()
    found = suggest(yard, model, revision)
    session.out.show(SuggestionsView(model, revision, found))


@command(
    "recipes",
    examples=["yard recipes", "yard recipes small", "yard recipes small > mine.yaml"],
    see=["optimize", "suggest"],
)
@click.argument("name", required=False, help="One of them: its text, to change.")
@pass_session
def recipes_command(session: Session, name: str | None) -> None:
    """List the recipes that are built in, or write one as YAML.

    What a recipe may say: docs/spec/recipe-1.md.
    """
    from modelyard.cli.views.suggestions import RecipesView, RecipeView
    from modelyard.optimization.recipes.known import KNOWN, known_recipe
    from modelyard.optimization.recipes.reading import written

    if name is None:
        session.out.show(RecipesView([known_recipe(each) for each in KNOWN]))
    else:
        found = known_recipe(name)
        session.out.show(RecipeView(found, written(found)))
