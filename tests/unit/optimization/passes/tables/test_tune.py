"""The same algorithm with other hyper-parameters."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from modelyard.errors import InvalidInput
from modelyard.optimization.measuring import quality
from modelyard.optimization.passes import pass_named
from modelyard.optimization.stepping import run_pass
from modelyard.optimization.subjects import subject_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelyard.optimization.state import Model, Rows, Work

    Bench = Callable[..., tuple[Model, Work]]

pytest.importorskip("sklearn")


def options(model: Model, work: Work) -> dict[str, Any]:
    return dict(pass_named("tune").options(subject_of(model, work.train, work.task)))


def test_a_step_of_a_pipeline_is_tuned(bench: Bench, wine: Rows) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    pipe = make_pipeline(StandardScaler(), LogisticRegression())
    model, work = bench(pipe.fit(wine.inputs.frame(), wine.target), wine)

    made, done, _ = run_pass("tune", model, {"logisticregression__C": 0.5}, work)

    assert "logisticregression__C" in options(model, work)
    assert made.load()["logisticregression"].C == 0.5
    assert done.kept
    assert made.signature is not None
    assert [each["name"] for each in made.signature["inputs"]] == list(wine.inputs.names)


def test_a_parameter_that_the_object_does_not_have_is_no_parameter(
    bench: Bench, wine: Rows
) -> None:
    from sklearn.tree import DecisionTreeClassifier

    model, work = bench(DecisionTreeClassifier().fit(wine.inputs.frame(), wine.target), wine)

    with pytest.raises(InvalidInput, match="no parameter 'max_deph'") as caught:
        run_pass("tune", model, {"max_deph": 3}, work)
    assert "max_depth" in (caught.value.hint or "")


def test_a_name_from_before_the_object_became_a_pipeline_is_no_mistake(
    bench: Bench, wine: Rows
) -> None:
    from sklearn.pipeline import make_pipeline
    from sklearn.tree import DecisionTreeClassifier

    model, work = bench(DecisionTreeClassifier().fit(wine.inputs.frame(), wine.target), wine)
    later, _ = bench(make_pipeline(model.load()), wine)
    given = {"max_depth": 2, "decisiontreeclassifier__max_depth": 3}

    made, _, _ = run_pass("tune", later, given, work)

    assert made.load()[-1].max_depth == 3


@pytest.mark.parametrize("library", ["sklearn", "histograms", "xgboost", "lightgbm"])
def test_boosting_stops_when_rows_it_did_not_learn_from_get_no_better(
    bench: Bench, diabetes: Rows, library: str
) -> None:
    obj, name = _boosting(library)
    model, work = bench(
        obj.fit(diabetes.inputs.frame(), diabetes.target), diabetes, "regression"
    )  # fmt: skip
    (work.scratch / "once").mkdir()
    (work.scratch / "again").mkdir()
    once = replace(work, scratch=work.scratch / "once")
    again = replace(work, scratch=work.scratch / "again")

    made, done, _ = run_pass("tune", model, {}, once)
    replayed, _, _ = run_pass("tune", model, done.params, again)

    assert 0 < done.params[name] < 500
    assert done.params["early_stopping_by_valid"] is False
    assert made.digest == replayed.digest
    assert quality(made, work.valid, task="regression") > -75  # type: ignore[arg-type]


def _boosting(library: str) -> tuple[Any, str]:
    if library == "xgboost":
        return pytest.importorskip("xgboost").XGBRegressor(n_estimators=5), "n_estimators"
    if library == "lightgbm":
        found = pytest.importorskip("lightgbm").LGBMRegressor(n_estimators=5, verbosity=-1)
        return found, "n_estimators"
    from sklearn.ensemble import GradientBoostingRegressor, HistGradientBoostingRegressor

    if library == "histograms":
        return HistGradientBoostingRegressor(max_iter=5), "max_iter"
    return GradientBoostingRegressor(n_estimators=5), "n_estimators"


def test_rows_count_as_they_weigh(bench: Bench, wine: Rows) -> None:
    from sklearn.naive_bayes import GaussianNB

    model, work = bench(GaussianNB().fit(wine.inputs.frame(), wine.target), wine)
    assert work.train is not None
    assert work.train.target is not None
    heavy = np.where(work.train.target == 0, 4.0, 1.0)
    weighed = work.with_rows(replace(work.train, weights=heavy))

    made, _, _ = run_pass("tune", model, {}, weighed)

    assert made.load().class_prior_[0] > model.load().class_prior_[0] + 0.2


def test_a_model_that_can_not_learn_is_told_why(bench: Bench, wine: Rows) -> None:
    from sklearn.dummy import DummyClassifier

    model, work = bench(DummyClassifier().fit(wine.inputs.frame(), wine.target), wine)
    without = replace(work, train=replace(wine, target=None))
    tune = pass_named("tune")

    assert "DummyClassifier" in str(tune.why_not(subject_of(model, work.train, work.task)))
    assert "target" in str(tune.why_not(subject_of(model, without.train, "other")))
    loose = replace(subject_of(model, work.train, work.task), class_name="", structure=())
    assert "loose file" in str(tune.why_not(loose))


@pytest.mark.heavy
def test_a_network_goes_on_learning_and_its_best_epoch_is_kept(bench: Bench, wine: Rows) -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.BatchNorm1d(13), torch.nn.Linear(13, 16), torch.nn.ReLU(), torch.nn.Linear(16, 3)
    )
    model, work = bench(network, wine)
    (work.scratch / "again").mkdir()

    made, done, _ = run_pass("tune", model, {"learning_rate": 0.01, "epochs": 12}, work)
    replayed, _, _ = run_pass(
        "tune", model, done.params, replace(work, scratch=work.scratch / "again")
    )

    assert quality(made, work.valid, task="classification") > 0.8  # type: ignore[arg-type]
    assert 1 <= done.params["epochs"] <= 12
    assert made.digest == replayed.digest
