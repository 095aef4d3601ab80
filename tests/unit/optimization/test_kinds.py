"""A model predicts classes or numbers: its class says which, or its signature, or the target."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from modelyard.frameworks import Saved
from modelyard.optimization.kinds import said_task, task_of
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
