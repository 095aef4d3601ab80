"""Who may not read a dataset does not learn from optimizations that there is one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from modelyard.core.access import Caller, Grant
from modelyard.core.optimization import Goal, Recipe, Step
from modelyard.registry import create
from modelyard.registry.optimizations.hiding import hidden_data

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from modelyard.core.optimization import Optimization
    from modelyard.registry.local import LocalYard


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[LocalYard]:
    (tmp_path / "w.txt").write_text("x")
    with create(tmp_path / "yard", author="ann") as made:
        made.commit("flowers/net", tmp_path / "w.txt", message="first")
        yield made


@pytest.fixture
def found(yard: LocalYard) -> Optimization:
    recipe = Recipe(
        name="r", steps=(Step("tune"),), goals=(Goal("size", "min"),), data="secret/rows@1"
    )
    made = yard.optimizations.begin("flowers/net", 1, recipe)
    return replace(
        made, data_digest="abc", sentence="secret/rows@1 is not what it was when this began",
        reasons=("there is no secret/rows", "other/secret/rows is fine"),
    )  # fmt: skip


def caller(*patterns: str) -> Caller:
    return Caller(account=None, grants=tuple(Grant(each, "reader") for each in patterns))


def test_whom_a_dataset_is_hidden_from_reads_neither_name_nor_digest(
    yard: LocalYard, found: Optimization
) -> None:
    seen = hidden_data(yard.house.on_behalf_of(caller("flowers/*")), found)
    assert seen.recipe.data is None
    assert seen.data_digest == ""
    assert seen.sentence == "its data is not what it was when this began"
    assert seen.reasons == ("there is no its data", "other/secret/rows is fine")


def test_who_may_read_the_dataset_or_owns_the_yard_reads_all(
    yard: LocalYard, found: Optimization
) -> None:
    assert hidden_data(yard.house.on_behalf_of(caller("flowers/*", "secret/*")), found) == found
    assert hidden_data(yard.house, found) == found


def test_who_began_it_reads_what_they_have_named(yard: LocalYard, found: Optimization) -> None:
    house = yard.house.on_behalf_of(caller("flowers/*"))
    assert hidden_data(house, replace(found, who=house.author)) == replace(found, who=house.author)
