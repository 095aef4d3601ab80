"""The specification of recipes has what the code has."""

from __future__ import annotations

import re
from pathlib import Path

from modelyard.core.optimization import COSTS
from modelyard.optimization.passes import NAMES, pass_named
from modelyard.optimization.recipes.reading import read_recipe, written

PAGE = (Path(__file__).parents[3] / "docs" / "spec" / "recipe-1.md").read_text(encoding="utf-8")


def test_each_pass_is_on_the_page_with_its_kind_and_lineage():
    rows = re.findall(r"^\| `([a-z-]+)` \| (algorithm|data|model) \| `([a-z-]+)` \|", PAGE, re.M)
    told = {name: (kind, lineage) for name, kind, lineage in rows}
    found = {name: (pass_named(name).KIND, pass_named(name).LINEAGE) for name in NAMES}
    assert told == found


def test_the_example_is_a_recipe_and_each_key_is_explained():
    example = re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert example is not None
    recipe = read_recipe(example[1])
    assert read_recipe(written(recipe)) == recipe
    keys = set(re.findall(r"^\| ([a-z]+) \|", PAGE, re.M)) - {"key", "metric", "pass"}
    from modelyard.optimization.recipes import reading

    assert keys == set(reading._KEYS)


def test_the_limit_that_nobody_named_is_told():
    from modelyard.optimization import goals

    assert f"`{goals._LEAST}`" in PAGE
    assert all(f"`{metric}`" in PAGE for metric in COSTS)
