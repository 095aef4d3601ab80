"""Recipes: those that come with modelyard, and those that people write."""

from __future__ import annotations

from modelyard.optimization.recipes.known import KNOWN, known_recipe, recipe_of
from modelyard.optimization.recipes.reading import read_recipe, written

__all__ = ["KNOWN", "known_recipe", "read_recipe", "recipe_of", "written"]
