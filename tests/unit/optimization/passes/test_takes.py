"""What recipes may give passes is what passes ask for, and nothing else."""

from __future__ import annotations

import ast
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

from modelyard.optimization.passes import NAMES, pass_named
from modelyard.optimization.passes.allowed import Number, OneOf
from modelyard.optimization.passes.interface import Choice
from modelyard.optimization.passes.takes import BY_MODEL, TAKES
from modelyard.optimization.state import Subject

if TYPE_CHECKING:
    from collections.abc import Iterator

_HELPERS = {
    "prune": ["torch.structured"], "quantize": ["onnx.asked"], "tune": ["tables.networks"],
}  # fmt: skip
"""Modules that a pass hands its parameters on to."""
_OF_NETWORKS = {"learning_rate", "epochs", "patience"}
"""Options of `tune` that tables do not have."""
_BY_MODEL = {("trim", "rounds")}
"""As many at most as the model has."""
_SUBJECTS = (
    Subject(
        framework="sklearn", serializer="skops", size=1000, task="classification", rows=500,
        columns=4, classes=2, has_target=True,
        class_name="sklearn.ensemble._forest.RandomForestClassifier",
    ),
    Subject(
        framework="torch", serializer="torch", size=1000, task="classification", rows=500,
        columns=4, classes=2, has_target=True, class_name="torch.nn.Sequential",
    ),
    Subject(framework="onnx", serializer="onnx", size=9, class_name="onnx.ModelProto"),
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_what_a_pass_has_trials_choose_may_be_said_in_a_recipe(name: str) -> None:
    for subject in (*_SUBJECTS, replace(_SUBJECTS[0], rows=100_000, task="regression")):
        for key, option in pass_named(name).options(subject).items():
            if name in BY_MODEL and key not in TAKES[name]:
                continue
            allowed = TAKES[name][key]
            if isinstance(option, Choice):
                assert all(map(allowed.takes, option.values)), key
            else:
                assert allowed.takes(option.low)
                assert allowed.takes(option.high)


@pytest.mark.parametrize("name", NAMES)
def test_what_a_pass_asks_for_is_what_it_may_be_given(name: str) -> None:
    asked = {key for tree, _ in _modules(name) for key in _names_in(tree)}
    known = set(TAKES[name]) | (_OF_NETWORKS if name == "tune" else set())
    known -= {"early_stopping_by_valid"}  # `tune` has a constant for it
    assert asked == known


@pytest.mark.parametrize("name", NAMES)
def test_what_a_pass_chose_by_itself_may_be_given_again(name: str) -> None:
    for tree, _ in _modules(name):
        assert _made_in(tree) <= set(TAKES[name]) | _OF_NETWORKS


@pytest.mark.parametrize("name", NAMES)
def test_the_bounds_of_numbers_and_the_words_are_those_of_the_pass(name: str) -> None:
    for tree, module in _modules(name):
        for key, function, bounds in _checks_in(tree, module):
            allowed = TAKES[name][key]
            if (name, key) in _BY_MODEL:
                continue
            if function in ("number", "whole"):
                assert isinstance(allowed, Number)
                assert (allowed.low, allowed.high) == bounds
                assert allowed.whole == (function == "whole")
            else:
                assert isinstance(allowed, OneOf)
                assert set(allowed.values) == set(bounds)


def test_every_pass_has_its_options_and_no_other_has() -> None:
    assert set(TAKES) == set(NAMES)


# -- what the modules say --------------------------------------------------------------------------


def _modules(name: str) -> Iterator[tuple[ast.Module, Any]]:
    for path in (NAMES[name], *_HELPERS.get(name, ())):
        module = import_module(f"modelyard.optimization.passes.{path}")
        assert module.__file__ is not None
        with open(module.__file__, encoding="utf-8") as stream:
            yield ast.parse(stream.read()), module


def _names_in(tree: ast.Module) -> Iterator[str]:
    """Options that a module looks up, however it does."""
    for node in ast.walk(tree):
        found: ast.expr | None = None
        if isinstance(node, ast.Call) and node.args:
            function = ast.unparse(node.func)
            if function in ("params.get", "given.pop"):
                found = node.args[0]
            elif len(node.args) > 1 and ast.unparse(node.args[0]) == "params":
                found = node.args[1]
        elif isinstance(node, ast.Compare) and ast.unparse(node.comparators[0]) == "params":
            found = node.left
        elif isinstance(node, ast.Subscript) and ast.unparse(node.value) == "params":
            found = node.slice
        if isinstance(found, ast.Constant) and isinstance(found.value, str):
            yield found.value
        if isinstance(node, ast.comprehension) and isinstance(node.iter, ast.Tuple):
            values = [each.value for each in node.iter.elts if isinstance(each, ast.Constant)]
            if ast.unparse(node.target) == "name" and values == ["copies", "outliers"]:
                yield from values


def _made_in(tree: ast.Module) -> set[str]:
    """Names in what is given to `Made(params=...)` as it stands there."""
    return {
        key.value
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword) and node.arg == "params"
        and isinstance(node.value, ast.Dict)
        for key in node.value.keys
        if isinstance(key, ast.Constant)
    }  # fmt: skip


def _checks_in(tree: ast.Module, module: Any) -> Iterator[tuple[str, str, tuple[Any, ...]]]:
    """Calls like `number(params, "sparsity", 0.8, 0.0, 0.999)`: name, function, what is allowed."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        function = ast.unparse(node.func).rpartition(".")[2]
        if function not in ("number", "whole", "option", "chosen"):
            continue
        if not isinstance(node.args[1], ast.Constant):
            continue
        key = node.args[1].value
        tail = node.args[3:] if function in ("number", "whole") else node.args[2:]
        try:
            told = [eval(ast.unparse(each), vars(module)) for each in tail]
        except NameError:  # it depends on the model
            told = [()]
        yield key, function, tuple(told) if function in ("number", "whole") else tuple(told[0])
