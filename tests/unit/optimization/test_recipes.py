"""Recipes: read, written, refused."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.core.optimization import Constraint, Goal, Recipe, Step
from modelyard.errors import InvalidInput, NotFound
from modelyard.optimization.passes import NAMES, all_passes
from modelyard.optimization.recipes import KNOWN, known_recipe, read_recipe, recipe_of, written

_VALUES = st.one_of(
    st.integers(-100, 100), st.floats(-1e6, 1e6), st.booleans(), st.text("abc", min_size=1),
    st.lists(st.integers(0, 9), min_size=1, max_size=4),
    st.builds(lambda low, more: {"low": low, "high": low + more}, st.integers(0, 9),
              st.integers(0, 9)),
)  # fmt: skip
_STEPS = st.one_of(
    st.builds(
        Step, st.just("tune"),  # its options are the model's
        st.dictionaries(st.text("xyz", min_size=1, max_size=5), _VALUES, max_size=3), st.booleans(),
    ),
    st.builds(
        Step, st.just("prune"),
        st.builds(lambda value: {"sparsity": value}, st.floats(0, 0.9) | st.lists(
            st.floats(0, 0.9), min_size=1, max_size=3)), st.booleans(),
    ),
    st.builds(Step, st.sampled_from(sorted(NAMES)), st.just({}), st.booleans()),
)  # fmt: skip
_RECIPES = st.builds(
    Recipe,
    name=st.sampled_from(["small", "My own-1"]), steps=st.lists(_STEPS, max_size=4).map(
        tuple), goals=st.just((Goal("quality", "max"), Goal("size", "min"))),
    constraints=st.just((Constraint("accuracy_drop", "<=", 0.005),)),
    data=st.none() | st.just("data/wine@3"), target=st.none() | st.just("class"),
    seed=st.integers(0, 2**32 - 1), trials=st.integers(1, 1000),
    seconds=st.none() | st.floats(1, 1000), nested=st.integers(0, 5),
    baseline=st.sampled_from(["auto", "as-is", "refit"]),
)  # fmt: skip


@given(_RECIPES)
def test_a_recipe_that_is_written_is_read_as_the_same(recipe: Recipe) -> None:
    assert read_recipe(written(recipe)) == recipe


def test_a_list_that_stands_in_two_steps_is_written_twice() -> None:
    shares = [0.5, 0.9]
    steps = (Step("prune", {"sparsity": shares}), Step("factorize", {"energy": shares}))
    recipe = Recipe(name="twice", steps=steps, goals=(Goal("size", "min"),))

    assert read_recipe(written(recipe)) == recipe


@pytest.mark.parametrize("name", KNOWN)
def test_what_is_printed_of_a_known_recipe_is_read_as_the_same(name: str) -> None:
    assert read_recipe(written(known_recipe(name))) == known_recipe(name)


def test_passes_may_be_those_that_fit_the_model() -> None:
    recipe = read_recipe("objective: [size min]\npasses: auto")
    assert recipe.steps == ()
    assert "passes: auto" in written(recipe)


def test_a_budget_of_weeks_is_read_as_it_is_written() -> None:
    recipe = read_recipe("objective: [size min]\npasses: auto\nbudget: {minutes: 40000}")
    assert recipe.seconds == 2_400_000
    assert read_recipe(written(recipe)) == recipe


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("budget: 10m", "budget: {minutes: 10}"),
        ("budget: {minutes: 10m}", "budget: {minutes: 10}"),
        ("budget: {minutes: 1e1}", "write 10.0"),
        ("budget: {minutes: 1e400}", "reckoned with"),
        ("budget: {trials: 1e2}", "write 100.0"),
        ("budget: {hours: 2}", "seconds"),
        ("split: 0.3", "split: {holdout: 0.3}"),
        ("constraint: [size<=5MB]", "did you mean constraints?"),
    ],
)
def test_hints_say_how_it_is_written(text: str, hint: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_recipe(f"objective: [size min]\npasses: [tune]\n{text}")
    assert hint in (caught.value.hint or "")


def test_the_longest_budget_is_told_in_days() -> None:
    with pytest.raises(InvalidInput, match="1,157 days at most"):
        read_recipe("objective: [size min]\npasses: [tune]\nbudget: {seconds: 1000000000}")


@pytest.mark.parametrize("name", KNOWN)
def test_every_recipe_that_comes_along_can_be_read(name: str) -> None:
    recipe = known_recipe(name)
    assert recipe.name == name
    assert recipe.description
    assert recipe.goals


def test_every_pass_says_what_it_is() -> None:
    for each, name in zip(all_passes(), NAMES, strict=True):
        assert name == each.NAME
        assert each.KIND in ("algorithm", "data", "model")
        assert each.SUMMARY


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("passes: []", "wrong-recipe"),
        ("[1, 2]", "wrong-recipe"),
        ("passes: [{tune: {optional: maybe}}]", "wrong-recipe"),
        ("passes: [tune]\nseed: 1\nseed: 2", "wrong-recipe"),
        ("passes: [fly]", "no-pass"),
        ("passes: [[tune]]", "no-pass"),
        ("passes: [tune]\nwings: 2", "wrong-recipe"),
        ("passes: [tune]\nobjective: [fast]", "bad-goal"),
        ("passes: [tune]\nobjective: 3", "wrong-recipe"),
        ("passes: [tune]\nconstraints: [size<5MB]", "bad-constraint"),
        ("passes: [tune]\nconstraints: [size<=5 elephants]", "bad-constraint"),
        ("passes: [tune]\nconstraints: [size<=nan]", "bad-constraint"),
        ("passes: [tune]\nbudget: {trials: 0}", "wrong-recipe"),
        ("passes: [tune]\nbudget: {minutes: -1}", "wrong-recipe"),
        ("passes: [tune]\nsplit: {holdout: 1}", "wrong-recipe"),
        ("passes: [tune]\nseed: -1", "wrong-recipe"),
        ("passes: [tune]\nbaseline: zero", "wrong-recipe"),
        ("passes: [{prune: {sparsity: []}}]", "wrong-recipe"),
        ("passes: [{prune: {sparsity: {low: 1}}}]", "wrong-recipe"),
        ("passes: [{prune: {sparsity: {low: 2, high: 1}}}]", "wrong-recipe"),
        ("passes: [{prune: {sparsity: {low: 0, high: 1, log: true}}}]", "wrong-recipe"),
        ("passes: [{prune: {sparsity: {low: 0, high: 1, step: a}}}]", "wrong-recipe"),
        ("passes: [{prune: {sparsity: {low: 0, high: 1, step: 0}}}]", "wrong-recipe"),
        ("passes: [{prune: {sparsity: {low: 0, high: .inf}}}]", "wrong-recipe"),
        ("passes: [{prune: {sparsity: {low: 0, high: 1.0e+300}}}]", "wrong-recipe"),
        (f"passes: [{{prune: {{sparsity: {{low: 0, high: {10**400}}}}}}}]", "wrong-recipe"),
        ("passes: [{prune: {sparsity: [.nan, 0.5]}}]", "wrong-recipe"),
        ("passes: [{prune: {sparsity: [2026-11-23, 0.5]}}]", "wrong-recipe"),
        (f"passes: [{{prune: {{sparsity: {'[' * 20 + ']' * 20}}}}}]", "wrong-recipe"),
        ("passes: &a [tune]\nname: *a", "wrong-recipe"),
        ("passes: !!python/object:os.system [tune]", "wrong-recipe"),
        ("passes: [tune", "wrong-recipe"),
        ("a: " * 60_000, "wrong-recipe"),
        ("name: '/../x'\npasses: [tune]", "wrong-recipe"),
    ],
)
def test_what_is_no_recipe_is_refused_with_a_sentence(text: str, kind: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_recipe(text)
    assert caught.value.kind == kind
    assert caught.value.message


def test_units_of_constraints_are_understood() -> None:
    assert Constraint.parse("size<=5MB").value == 5e6
    assert Constraint.parse("accuracy_drop <= 0.5%").value == pytest.approx(0.005)
    assert Constraint.parse("latency_p50<=200us").value == pytest.approx(0.2)
    assert Constraint.parse("accuracy>=0.9").excess(0.8) == pytest.approx(0.1)


def test_a_name_that_nobody_knows_gets_a_hint() -> None:
    with pytest.raises(NotFound) as caught:
        recipe_of("smal")
    assert caught.value.kind == "no-recipe"
    assert "small" in (caught.value.hint or "")


@pytest.mark.parametrize("value", [np.float64(0.5), object(), math.nan, 10**30])
def test_a_recipe_made_in_python_is_looked_at_too(value: object) -> None:
    recipe = replace(known_recipe(KNOWN[0]), steps=(Step("prune", {"sparsity": [value, 0.5]}),))
    with pytest.raises(InvalidInput) as caught:
        recipe_of(recipe)
    assert caught.value.kind == "wrong-recipe"
