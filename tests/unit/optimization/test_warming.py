"""Where a search begins that is not the first one of its model."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

import modelyard
from modelyard.core.optimization import Trial
from modelyard.optimization.recipes import read_recipe
from modelyard.optimization.spaces import plan_of
from modelyard.optimization.state import Subject
from modelyard.optimization.warming import first_of_earlier

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from modelyard.core.optimization import Optimization
    from modelyard.registry.local import LocalYard

_RECIPE = read_recipe(
    "objective: [size min]\npasses: [{prune: {sparsity: {low: 0.1, high: 0.99}}}]"
)
_NETWORK = Subject(
    framework="torch", serializer="safetensors", size=1000, task="classification", rows=500,
    columns=4, classes=2, has_target=True, class_name="torch.nn.modules.container.Sequential",
)  # fmt: skip
_PLAN = plan_of(_RECIPE, _NETWORK)


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[LocalYard]:
    with modelyard.create(tmp_path / "yard", author="ann") as made:
        made.commit("m", b"model")
        yield made  # type: ignore[misc]


def _ended(yard: LocalYard, *sparsities: float, broken: float = 1.0) -> Optimization:
    """An optimization with a trial for each; those above `broken` break a constraint."""
    kept = yard.optimizations
    begun = replace(kept.begin("m", 1, _RECIPE), before={"size": 100.0})
    trials = [
        Trial(number=at, params={"0.prune.sparsity": each}, state="done",
              values={"size": 100 * (1 - each)}, excess={"accuracy_drop<=0.01": each - broken})
        for at, each in enumerate(sparsities)
    ]  # fmt: skip
    kept.keep(replace(begun, state="done"), trials)
    return kept.get(begun.id)


def _first(yard: LocalYard, found: Optimization) -> list[float]:
    return [each["0.prune.sparsity"] for each in first_of_earlier(yard.optimizations, found, _PLAN)]


def test_it_begins_with_the_best_of_those_before(yard: LocalYard) -> None:
    _ended(yard, 0.2, 0.5, 0.3, 0.4)
    assert _first(yard, yard.optimizations.begin("m", 1, _RECIPE)) == [0.5, 0.4, 0.3]


def test_what_broke_a_constraint_is_no_good_beginning(yard: LocalYard) -> None:
    _ended(yard, 0.5, 0.7, 0.9, broken=0.6)
    assert _first(yard, yard.optimizations.begin("m", 1, _RECIPE)) == [0.5]


def test_what_ended_meanwhile_changes_nothing_for_one_that_goes_on(yard: LocalYard) -> None:
    _ended(yard, 0.5)
    found = yard.optimizations.begin("m", 1, _RECIPE)
    time.sleep(0.01)
    _ended(yard, 0.9)
    assert _first(yard, found) == [0.5]
