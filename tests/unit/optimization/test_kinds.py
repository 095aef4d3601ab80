"""A model predicts classes or numbers: its class says which, or its signature, or the target."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from modelyard.frameworks import Saved
from modelyard.optimization.kinds import said_task, scores_of, task_of
from modelyard.optimization.state import Model


def a_model(class_name: str, *, structure: tuple[str, ...] = (), outputs: tuple[str, ...] = ()):
    saved = Saved(
        framework="sklearn", serializer="joblib", class_name=class_name,
        details={"structure": list(structure)},
    )  # fmt: skip
    signature = {"outputs": [{"name": name} for name in outputs]} if outputs else None
    return Model(folder=Path(), saved=saved, signature=signature)


@pytest.mark.parametrize(
    ("target", "task"),
    [
        (None, "other"),
        (np.array(["a", "b"], object), "classification"),
        (np.array([0, 1, 1]), "classification"),
        (np.array([0.5, 1.5]), "regression"),
        (np.arange(100), "regression"),
        (np.array([True, False]), "classification"),
    ],
)
def test_the_target_tells_the_task(target: np.ndarray | None, task: str) -> None:
    assert task_of(target) == task


@pytest.mark.parametrize(
    ("target", "scores", "task"),
    [
        (np.arange(26), 26, "classification"),
        (np.arange(26) * 1.0, 26, "classification"),
        (np.array([0.0, 1.0, 1.0]), 2, "classification"),
        (np.arange(27), 26, "regression"),
        (np.array([0.5, 1.5]), 3, "regression"),
        (np.arange(26) - 1, 25, "regression"),
        (np.arange(26), 0, "regression"),
    ],
)
def test_a_target_that_names_one_of_the_scores_is_a_class(
    target: np.ndarray, scores: int, task: str
) -> None:
    assert task_of(target, None, scores) == task


@pytest.mark.parametrize(
    ("shapes", "scores"),
    [
        ([[-1, 26]], 26),
        ([[-1, 1]], 0),
        ([[-1]], 0),
        ([[-1, 3], [-1]], 0),
        ([[-1, "n"]], 0),
        ([], 0),
    ],
)
def test_a_signature_tells_how_many_scores_a_row_gets(
    shapes: list[list[object]], scores: int
) -> None:
    outputs = [{"name": "output", "shape": shape} for shape in shapes]
    model = replace(a_model("own.Net"), signature={"outputs": outputs})
    assert scores_of(model) == scores
    assert scores_of(replace(model, signature=None)) == 0


def test_what_the_model_says_counts_more_than_how_the_target_looks() -> None:
    assert task_of(np.arange(100), "classification") == "classification"
    assert task_of(np.array([0, 1, 1]), "regression") == "regression"


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_every_estimator_of_scikit_learn_says_by_its_name_what_it_predicts(task: str) -> None:
    utils = pytest.importorskip("sklearn.utils")
    kind = {"classification": "classifier", "regression": "regressor"}[task]
    both = {name for name, _ in utils.all_estimators("classifier")} & {
        name for name, _ in utils.all_estimators("regressor")
    }
    names = {f"{found.__module__}.{name}" for name, found in utils.all_estimators(kind)
             if name not in both}  # fmt: skip
    assert len(names) > 30
    assert {name: said_task(a_model(name)) for name in names} == dict.fromkeys(names, task)


def test_others_of_scikit_learn_say_nothing() -> None:
    utils = pytest.importorskip("sklearn.utils")
    for kind in ("transformer", "cluster"):
        mixed = {n for n, f in utils.all_estimators(kind) if hasattr(f, "score")}
        names = {name for name, _ in utils.all_estimators(kind)} - mixed
        assert {name for name in names if said_task(a_model(name)) is not None} == set()


def test_a_pipeline_predicts_what_its_last_step_does() -> None:
    lines = ("Pipeline", "  scale: StandardScaler", "  model: GaussianNB")
    found = a_model("sklearn.pipeline.Pipeline", structure=lines)
    assert said_task(found) == "classification"


def test_of_other_classes_the_signature_says_it() -> None:
    assert said_task(a_model("own.Net", outputs=("label", "probability"))) == "classification"
    assert said_task(a_model("own.Net", outputs=("prediction",))) == "regression"
    assert said_task(a_model("own.Net", outputs=("embedding",))) is None
    assert said_task(a_model("own.Net")) is None
