"""Options of passes that are misspelt, or can't be, are refused before any trial."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modelyard.errors import InvalidInput
from modelyard.optimization.passes import Choice
from modelyard.optimization.recipes import read_recipe
from modelyard.optimization.spaces import plan_of
from modelyard.optimization.state import Subject

_FOREST = Subject(
    framework="sklearn", serializer="skops", size=1000, task="classification", rows=500, columns=4,
    classes=2, has_target=True,
    class_name="sklearn.ensemble._forest.RandomForestClassifier",
)  # fmt: skip
_PIPELINE = replace(
    _FOREST, class_name="sklearn.pipeline.Pipeline",
    structure=("Pipeline", "  scale: StandardScaler", "  svc: SVC"),
)  # fmt: skip
_NETWORK = replace(_FOREST, framework="torch", serializer="torch", class_name="torch.nn.Sequential")


def _text(passes: str) -> str:
    return f"objective: [quality max]\npasses: [{passes}]"


@pytest.mark.parametrize(
    ("passes", "said", "hint"),
    [
        ("{quantize: {kidn: static}}", "no option 'kidn'", "did you mean kind?"),
        ("{prune: {sparsiti: 0.5}}", "no option 'sparsiti'", "did you mean sparsity?"),
        ("{trim: {tolerence: 0.1}}", "no option 'tolerence'", "did you mean tolerance?"),
        ("{clean: {optinal: true}}", "no option 'optinal'", "did you mean optional?"),
        ("{graph: {wings: 2}}", "no option 'wings'", "there are level"),
        ("{refit: {wings: 2}}", "no option 'wings'", "takes none"),
        ("{quantize: {kind: statik}}", "one of static, dynamic", "did you mean static?"),
        ("{quantize: {kind: [static, statik]}}", "not 'statik'", "did you mean static?"),
        ("{quantize: {bits: 5}}", "one of 8, 4, not 5", ""),
        ("{quantize: {bits: {low: 5, high: 7}}}", "one of 8, 4, not 5 to 7", ""),
        ("{quantize: {per_channel: 1}}", "one of true, false, not 1", ""),
        ("{prune: {sparsity: 7}}", "a number from 0 to 0.999, not 7", ""),
        ("{prune: {sparsity: {low: 0.5, high: 7}}}", "not 0.5 to 7", ""),
        ("{prune: {sparsity: 1e-1}}", "not '1e-1'", "write 0.1"),
        ("{prune: {rounds: 2.5}}", "a whole number from 1 to 20, not 2.5", ""),
        ("{trim: {share: 0}}", "a number above 0, up to 1, not 0", ""),
        ("{trim: {trees: [4, 17]}}", "in a list of its own", ""),
        ("{to-onnx: {tolerance: 0}}", "a number above 0, not 0", ""),
        ("{cast: {sparsity: 1}}", "a number from 0, below 1, not 1", ""),
        ("{quantize: 8}", "quantize in passes", "passes: [{quantize: {kind: static}}]"),
        ("{quantize: []}", "quantize in passes", "passes: [{quantize: {kind: static}}]"),
    ],
)
def test_what_no_pass_takes_is_refused_when_it_is_read(passes: str, said: str, hint: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_recipe(_text(passes))
    assert caught.value.kind == "wrong-recipe"
    assert said in caught.value.message
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("passes", "subject", "said", "hint"),
    [
        ("{tune: {svc__Q: 3}}", _PIPELINE, "no option 'svc__Q'", "svc__"),
        ("{tune: {svm__C: 3}}", _PIPELINE, "no option 'svm__C'", "did you mean svc__C?"),
        ("{tune: {svc__C: -3}}", _PIPELINE, "'C' parameter of SVC", ""),
        ("{tune: {svc__C: 1e-3}}", _PIPELINE, "'C' parameter of SVC", "write 0.001"),
        ("{tune: {svc__C: {low: -3, high: 3}}}", _PIPELINE, "can't be -3", ""),
        ("{tune: {svc__kernel: [rbf, round]}}", _PIPELINE, "can't be 'round'", ""),
        ("{tune: {max_deph: 3}}", _FOREST, "no option 'max_deph'", "did you mean max_depth?"),
        ("{tune: {max_depth: 3.5}}", _FOREST, "can't be 3.5", ""),
        ("{tune: {learning_rat: 0.1}}", _NETWORK, "no option", "did you mean learning_rate?"),
        ("{tune: {learning_rate: 0}}", _NETWORK, "above 0, not 0", ""),
        ("{choose: {algorithm: catboost}}", _FOREST, "one of best, linear, svm", ""),
        ("{choose: {algoritm: forest}}", _FOREST, "no option", "did you mean algorithm?"),
        ("{choose: {forest.max_deph: 3}}", _FOREST, "no option", "did you mean forest.max_depth?"),
        ("{choose: {forest.max_depth: -3}}", _FOREST, "can't be -3", ""),
        ("clean, {choose: {algorithm: catboost}}", _FOREST, "one of best", ""),
    ],
)
def test_what_the_model_does_not_take_is_refused_before_trials(
    passes: str, subject: Subject, said: str, hint: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        plan_of(read_recipe(_text(passes)), subject)
    assert caught.value.kind == "wrong-recipe"
    assert said in caught.value.message
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("passes", "subject"),
    [
        ("{tune: {n_estimators: 5000, bootstrap: false, criterion: entropy}}", _FOREST),
        ("{tune: {max_depth: [null, 3]}}", _FOREST),
        ("{tune: {svc__tol: 0.1, scale__with_mean: false, verbose: true}}", _PIPELINE),
        ("{tune: {scale: passthrough}}", _PIPELINE),
        ("{tune: {max_iter: 40, early_stopping_by_valid: false}}", replace(
            _FOREST, class_name="sklearn.ensemble._hist_gradient_boosting.gradient_boosting."
            "HistGradientBoostingClassifier")),
        ("{tune: {epochs: 7, learning_rate: 0.01, patience: 0}}", _NETWORK),
        ("{choose: {algorithm: best}}", _FOREST),
        ("{choose: {algorithm: forest, forest.max_depth: 3, forest.criterion: gini}}", _FOREST),
        ("{combine: {kind: vote, members: 2, algorithms: [[svm, tree]], weights: null}}", _FOREST),
        ("{combine: {algorithms: [[svm, tree]], weights: [[0.25, 0.75]]}}", _FOREST),
        ("{trim: {tolerance: 0.002, trees: [[4, 17]]}}", _FOREST),
        ("{shrink: {tolerance: 0.0, alpha: 0.0012}}", _FOREST),
        ("to-onnx, {quantize: {kind: dynamic, keep: [[a, b]], reduce_range: false}}", _FOREST),
        ("to-onnx, {quantize: {keep: [[]], operators: [[MatMul]], adjust: false}}", _FOREST),
        ("{augment: {kind: noise, strength: 0.1, copies: 1, shape: [[2, 2]]}}", _FOREST),
    ],
)  # fmt: skip
def test_what_passes_take_or_chose_once_can_be_read(passes: str, subject: Subject) -> None:
    plan = plan_of(read_recipe(_text(passes)), subject)
    assert plan.steps


def test_names_of_code_of_ones_own_are_left_to_the_trial() -> None:
    own = replace(_PIPELINE, structure=("Pipeline", "  mine: Whitening", "  svc: SVC"))
    assert plan_of(read_recipe(_text("{tune: {mine__strength: 3}}")), own).steps
    with pytest.raises(InvalidInput, match="'C' parameter of SVC"):
        plan_of(read_recipe(_text("{tune: {svc__C: -3}}")), own)


def test_after_data_passes_names_are_those_of_an_object_that_is_not_there_yet() -> None:
    text = _text("encode, {tune: {model__max_depth: 3, max_depth: 3}}")
    assert len(plan_of(read_recipe(text), _FOREST).steps) == 2


def test_a_range_over_a_few_values_means_those_within() -> None:
    text = _text("to-onnx, {quantize: {kind: weights, bits: {low: 4, high: 8}}}")
    plan = plan_of(read_recipe(text), _NETWORK)
    assert plan.spaces["1.quantize.bits"] == Choice((8, 4))
