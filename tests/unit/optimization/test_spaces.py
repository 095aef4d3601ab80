"""What a recipe leaves open, and what a trial fixes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modelyard.errors import InvalidInput
from modelyard.optimization.passes import Choice, Range
from modelyard.optimization.recipes import known_recipe, read_recipe
from modelyard.optimization.space import Space
from modelyard.optimization.spaces import plan_of
from modelyard.optimization.state import Subject

_FOREST = Subject(
    framework="sklearn", serializer="skops", size=1000, task="classification", rows=500, columns=4,
    classes=2, has_target=True,
    class_name="sklearn.ensemble._forest.RandomForestClassifier",
)  # fmt: skip


def test_lists_are_chosen_from_ranges_searched_and_values_stay() -> None:
    plan = plan_of(
        read_recipe(
            "objective: [size min]\npasses: [{tune: {n_estimators: [10, 20], max_depth: {low: 2,"
            " high: 9}, min_samples_leaf: 3}}]"
        ),
        _FOREST,
    )
    assert plan.spaces["0.tune.n_estimators"] == Choice((10, 20))
    depth = plan.spaces["0.tune.max_depth"]
    assert isinstance(depth, Range)
    assert (depth.low, depth.high, depth.whole) == (2, 9, True)
    assert "0.tune.min_samples_leaf" not in plan.spaces
    [fixed] = plan.fixed(plan.first())
    assert fixed.params["min_samples_leaf"] == 3
    assert fixed.params["n_estimators"] == 10


def test_a_list_of_one_is_that_value_though_it_be_a_list() -> None:
    network = replace(_FOREST, class_name="sklearn.neural_network.MLPClassifier")
    text = "objective: [size min]\npasses: [{tune: {hidden_layer_sizes: [[1, 2]]}}]"
    plan = plan_of(read_recipe(text), network)
    assert "0.tune.hidden_layer_sizes" not in plan.spaces
    assert plan.fixed({})[0].params["hidden_layer_sizes"] == [1, 2]


def test_steps_are_choices_too_unless_they_are_too_many() -> None:
    text = "objective: [size min]\npasses: [{tune: {max_depth: {low: 2, high: 8, step: 3}}}]"
    plan = plan_of(read_recipe(text), _FOREST)
    assert plan.spaces["0.tune.max_depth"] == Choice((2, 5, 8))
    with pytest.raises(InvalidInput, match="too many"):
        plan_of(read_recipe(text.replace("step: 3", "step: 0.001")), _FOREST)


def test_a_value_that_is_named_twice_is_one() -> None:
    text = "objective: [size min]\npasses: [{tune: {class_weight: [null, balanced, null]}}]"
    assert plan_of(read_recipe(text), _FOREST).spaces["0.tune.class_weight"] == Choice(
        (None, "balanced")
    )


@pytest.mark.parametrize("gamma", ["{low: 0.01, high: 1.0, log: true}", "[0.01, 0.1]"])
def test_values_of_a_recipe_count_where_those_of_the_pass_do(gamma: str) -> None:
    machine = replace(_FOREST, class_name="sklearn.svm._classes.SVC")
    text = f"objective: [size min]\npasses: [{{tune: {{gamma: {gamma}}}}}]"
    space = Space(plan_of(read_recipe(text), machine).spaces)
    assert "0.tune.gamma" not in space.cleaned({"0.tune.kernel": "linear"})
    assert "0.tune.gamma" in space.cleaned({"0.tune.kernel": "rbf"})
    also = space.options["0.tune.gamma"].also
    assert all(0.01 <= value <= 1.0 for value in also)


def test_what_may_be_left_out_is_left_out_where_a_trial_says_so() -> None:
    plan = plan_of(
        read_recipe("objective: [size min]\npasses: [{trim: {optional: true}}, to-onnx]"), _FOREST
    )
    assert [each.name for each in plan.fixed(plan.first())] == ["trim", "to-onnx"]
    assert [each.name for each in plan.fixed(plan.barest())] == ["to-onnx"]
    assert not [name for name in plan.barest() if name.startswith("0.trim.")]


def test_passes_that_cannot_help_are_told_and_left_out() -> None:
    plan = plan_of(read_recipe("objective: [size min]\npasses: [prune, to-onnx]"), _FOREST)
    assert [step.name for _, step in plan.steps] == ["to-onnx"]
    assert plan.reasons[0].startswith("prune: ")


def test_what_follows_a_conversion_is_asked_about_what_it_makes() -> None:
    plan = plan_of(read_recipe("objective: [size min]\npasses: [to-onnx, quantize]"), _FOREST)
    assert "quantize" in [step.name for _, step in plan.steps]


def test_two_passes_of_one_name_have_chances_of_their_own() -> None:
    plan = plan_of(
        read_recipe(
            "objective: [size min]\npasses: [{refit: {optional: true}}, {refit: {}}, {refit: {}}]"
        ),
        _FOREST,
    )
    assert [each.place for each in plan.fixed(plan.first())] == [0, 1, 2]
    assert [each.place for each in plan.fixed(plan.barest())] == [0, 1]


@pytest.mark.parametrize(
    ("given", "left"), [("tree", {"tree"}), ("[tree, linear]", {"tree", "linear"})]
)
def test_what_belongs_to_other_algorithms_is_not_chosen(given: str, left: set[str]) -> None:
    text = f"objective: [quality max]\npasses: [{{choose: {{algorithm: {given}}}}}]"
    plan = plan_of(read_recipe(text), _FOREST)
    groups = {name.split(".")[2] for name in plan.spaces if name.count(".") == 3}
    assert groups == left


@pytest.mark.parametrize(
    ("given", "counts"), [("linear", False), ("rbf", True), ("[linear, poly]", True)]
)
def test_what_a_fixed_kernel_does_not_have_is_not_chosen(given: str, counts: bool) -> None:
    machine = replace(_FOREST, class_name="sklearn.svm._classes.SVC", structure=("SVC",))
    text = f"objective: [quality max]\npasses: [{{tune: {{kernel: {given}}}}}]"
    plan = plan_of(read_recipe(text), machine)
    assert ("0.tune.gamma" in plan.spaces) == counts
    assert "0.tune.C" in plan.spaces


def test_trials_choose_an_algorithm_or_combine_several() -> None:
    """What combines compares all algorithms: which was chosen before it would change little."""
    plan = plan_of(known_recipe("choose"), _FOREST)
    space = Space(plan.spaces)
    alone = space.cleaned({"0.choose.algorithm": "svm", "1.combine": False})
    together = space.cleaned({"0.choose.algorithm": "svm", "1.combine": True})
    assert [each.name for each in plan.fixed(alone)] == ["choose"]
    assert [each.name for each in plan.fixed(together)] == ["combine"]
    first = [each.get("0.choose.algorithm") for each in space.portfolio()]
    assert set(space.options["0.choose.algorithm"].values) < set(first)  # type: ignore[union-attr]


def test_what_is_fixed_is_chosen_before_it_is_combined() -> None:
    passes = "[{choose: {algorithm: svm}}, {combine: {optional: true}}]"
    text = f"objective: [quality max]\npasses: {passes}"
    plan = plan_of(read_recipe(text), _FOREST)
    assert [each.name for each in plan.fixed({"1.combine": True})] == ["choose", "combine"]
