"""Views of suggestions, and of the recipes that are built in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelyard.cli.text import Block, Column, Span, Spans, Table, bar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from modelyard.core.optimization import Recipe, Suggestion

__all__ = ["RecipeView", "RecipesView", "SuggestionsView"]


@dataclass(frozen=True, slots=True)
class SuggestionsView:
    """What is likely to pay, the most likely first."""

    model: str
    revision: str | None
    found: Sequence[Suggestion]

    def json(self) -> object:
        return list(self.found)

    def lines(self) -> Iterator[Block]:
        name = self.model if self.revision is None else f"{self.model}@{self.revision}"
        if not self.found:
            yield [Span(name, "bold"), Span(": nothing is likely to pay", "dim")]
            return
        yield [Span(name, "bold"), Span("  likely to pay:", "dim")]
        for each in self.found:
            yield ""
            yield [Span(f"{each.recipe:<12}", "name"), f"{bar(each.score):<8}",
                   f" {each.score:.0%}"]  # fmt: skip
            for metric, text in each.expected.items():
                yield f"  {metric}: {text}"
            for why in each.why:
                yield Span(f"  {why}", "dim")
            if each.needs:
                yield Span(f"  needs {', '.join(each.needs)}", "warn")
            if each.command:
                yield f"  $ {each.command}"

    def ids(self) -> Iterator[str]:
        yield from (each.recipe for each in self.found)


@dataclass(frozen=True, slots=True)
class RecipesView:
    """Recipes, and what each is for."""

    found: Sequence[Recipe]

    def json(self) -> object:
        return list(self.found)

    def lines(self) -> Iterator[Block]:
        rows: list[Spans] = [
            [Span(each.name, "name"), ", ".join(map(str, each.goals)), each.description]
            for each in self.found
        ]
        columns = [Column("recipe"), Column("goals"), Column("what it does", flexible=True)]
        yield Table(columns, rows)

    def ids(self) -> Iterator[str]:
        yield from (each.name for each in self.found)


@dataclass(frozen=True, slots=True)
class RecipeView:
    """One recipe as it is written."""

    recipe: Recipe
    text: str

    def json(self) -> object:
        return {"recipe": self.recipe, "yaml": self.text}

    def lines(self) -> Iterator[Block]:
        yield from self.text.rstrip("\n").split("\n")

    def ids(self) -> Iterator[str]:
        yield self.recipe.name
