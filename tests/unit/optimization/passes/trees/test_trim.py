"""Fewer trees, smaller trees: as right as before, or nothing is changed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from modelyard.errors import InvalidInput, Unsupported
from modelyard.optimization.passes import pass_named
from modelyard.optimization.state import Subject

if TYPE_CHECKING:
    from conftest import Bench

pytest.importorskip("sklearn")

from sklearn import datasets, ensemble, pipeline, preprocessing, tree
from sklearn.linear_model import LogisticRegression

ROWS, TARGET = datasets.load_breast_cancer(return_X_y=True)
TRIM, SHRINK = pass_named("trim"), pass_named("shrink")


def halves() -> tuple[Any, Any, Any, Any]:
    """Rows to learn from, and to choose by."""
    return ROWS[::2], TARGET[::2], ROWS[1::2], TARGET[1::2]


def right(obj: Any, rows: Any, target: Any) -> float:
    return float(np.mean(obj.predict(rows) == target))


def test_a_forest_keeps_the_trees_that_matter(bench: Bench) -> None:
    rows, target, others, truth = halves()
    forest = ensemble.RandomForestClassifier(60, random_state=0).fit(rows, target)
    model, work = bench(forest, others, truth)

    made = TRIM.run(model, {"tolerance": 0.005}, work)

    assert made.model is not None
    found = made.model.load()
    assert len(found.estimators_) == found.n_estimators == len(made.params["trees"]) < 40
    assert right(found, others, truth) >= right(forest, others, truth) - 0.01
    assert made.model.size < model.size
    assert f"{len(found.estimators_)} of 60 trees are left" in made.notes


def test_what_was_chosen_once_is_made_again_without_rows(bench: Bench, tmp_path: Any) -> None:
    rows, target, others, truth = halves()
    forest = ensemble.RandomForestClassifier(20, random_state=0).fit(rows, target)
    model, work = bench(forest, others, truth)
    first = TRIM.run(model, {"tolerance": 0.01}, work)
    (tmp_path / "again").mkdir()
    blind = replace(work, train=None, valid=None, scratch=tmp_path / "again")

    again = TRIM.run(model, {"tolerance": 0.01, **first.params}, blind)

    assert first.model is not None
    assert again.model is not None
    assert again.model.digest == first.model.digest


def test_a_forest_without_a_target_is_compared_with_itself(bench: Bench) -> None:
    rows, target, others, _ = halves()
    forest = ensemble.RandomForestClassifier(40, random_state=0).fit(rows, target)
    model, work = bench(forest, others, None, "other")

    made = TRIM.run(model, {"tolerance": 0.02}, work)

    assert made.model is not None
    assert np.mean(made.model.load().predict(others) == forest.predict(others)) >= 0.97


@pytest.mark.parametrize("name", ["GradientBoostingClassifier", "HistGradientBoostingClassifier"])
def test_boosting_keeps_its_first_rounds(bench: Bench, name: str) -> None:
    rows, target, others, truth = halves()
    rounds = {"n_estimators": 80} if name.startswith("Gradient") else {"max_iter": 80}
    fitted = getattr(ensemble, name)(random_state=0, **rounds).fit(rows, target)
    model, work = bench(fitted, others, truth)

    made = TRIM.run(model, {"tolerance": 0.01}, work)

    assert made.model is not None
    found = made.model.load()
    kept = made.params["rounds"]
    assert kept < 80
    staged = list(fitted.staged_predict(others))
    assert (found.predict(others) == staged[kept - 1]).all()
    assert right(found, others, truth) >= right(fitted, others, truth) - 0.01


@pytest.mark.parametrize("name", ["xgboost.XGBClassifier", "lightgbm.LGBMClassifier"])
def test_boosting_of_other_libraries_keeps_its_first_rounds(bench: Bench, name: str) -> None:
    library, _, kind = name.partition(".")
    module = pytest.importorskip(library)
    quiet = {"verbose": -1} if library == "lightgbm" else {}
    rows, target, others, truth = halves()
    fitted = getattr(module, kind)(n_estimators=60, n_jobs=1, **quiet).fit(rows, target)
    model, work = bench(fitted, others, truth)

    made = TRIM.run(model, {"tolerance": 0.01}, work)

    assert made.model is not None
    assert made.params["rounds"] < 60
    assert right(made.model.load(), others, truth) >= right(fitted, others, truth) - 0.01
    assert made.model.size < model.size


def test_regression_loses_no_more_than_was_allowed(bench: Bench) -> None:
    rows, target = datasets.make_friedman1(600, random_state=0)
    forest = ensemble.RandomForestRegressor(60, random_state=0).fit(rows[::2], target[::2])
    model, work = bench(forest, rows[1::2], target[1::2], "regression")

    for chosen in (TRIM, SHRINK):
        place = work.scratch / chosen.NAME
        place.mkdir()
        made = chosen.run(model, {"tolerance": 0.02}, replace(work, scratch=place))
        assert made.model is not None
        assert made.model.size < 0.8 * model.size
        after = made.model.load().score(rows[1::2], target[1::2])
        assert after >= forest.score(rows[1::2], target[1::2]) - 0.03


def test_branches_are_cut_as_a_fit_would_cut_them(bench: Bench) -> None:
    rows, target, others, truth = halves()
    grown = ensemble.RandomForestClassifier(20, random_state=0).fit(rows, target)
    model, work = bench(grown, others, truth)

    made = SHRINK.run(model, {"alpha": 0.01}, work)

    assert made.model is not None
    refitted = ensemble.RandomForestClassifier(20, random_state=0, ccp_alpha=0.01)
    wanted = refitted.fit(rows, target).predict_proba(others)
    assert np.array_equal(made.model.load().predict_proba(others), wanted)


def test_branches_are_cut_until_it_would_hurt(bench: Bench) -> None:
    rows, target, others, truth = halves()
    for fitted in (
        ensemble.ExtraTreesClassifier(30, random_state=0).fit(rows, target),
        tree.DecisionTreeClassifier(random_state=0).fit(rows, target),
    ):
        model, work = bench(fitted, others, truth)
        made = SHRINK.run(model, {"tolerance": 0.01}, work)
        assert made.model is not None
        assert made.params["alpha"] > 0
        assert right(made.model.load(), others, truth) >= right(fitted, others, truth) - 0.01


def test_a_share_of_leaves_can_be_asked_for(bench: Bench) -> None:
    rows, target, others, truth = halves()
    forest = ensemble.RandomForestClassifier(10, random_state=0).fit(rows, target)
    model, work = bench(forest, others, truth)

    made = SHRINK.run(model, {"leaves": 0.5}, work)

    assert made.model is not None
    before = sum(each.tree_.n_leaves for each in forest.estimators_)
    after = sum(each.tree_.n_leaves for each in made.model.load().estimators_)
    assert 0.4 * before <= after <= 0.5 * before


def test_trees_at_the_end_of_a_pipeline_are_found(bench: Bench) -> None:
    rows, target, others, truth = halves()
    whole = pipeline.make_pipeline(
        preprocessing.StandardScaler(), ensemble.RandomForestClassifier(30, random_state=0)
    ).fit(rows, target)
    model, work = bench(whole, others, truth)

    made = TRIM.run(model, {"share": 0.2}, work)

    assert made.model is not None
    found = made.model.load()
    assert len(found.steps[-1][1].estimators_) == 6
    assert len(whole.steps[-1][1].estimators_) == 30
    assert right(found, others, truth) > 0.9


def test_a_tree_that_is_needed_stays(bench: Bench) -> None:
    rows, target, others, truth = halves()
    stump = ensemble.RandomForestClassifier(1, max_depth=1, random_state=0).fit(rows, target)
    model, work = bench(stump, others, truth)

    assert TRIM.run(model, {"tolerance": 0.0}, work).model is None
    made = SHRINK.run(model, {"tolerance": 0.0}, work)
    assert made.model is None
    assert made.why == "all 2 leaves are needed"


def test_what_has_no_trees_is_left_alone(bench: Bench) -> None:
    rows, target, others, truth = halves()
    line = LogisticRegression(max_iter=5000).fit(rows, target)
    model, work = bench(line, others, truth)
    for chosen in (TRIM, SHRINK):
        with pytest.raises(Unsupported, match="LogisticRegression") as caught:
            chosen.run(model, {}, work)
        assert caught.value.kind == "not-improvable"


def test_passes_say_beforehand_whom_they_can_help() -> None:
    def subject(name: str, **more: Any) -> Subject:
        known = {"framework": "sklearn", "serializer": "skops", "size": 1000, "rows": 100, **more}
        return Subject(class_name=name, **known)

    forest = subject("sklearn.ensemble._forest.RandomForestClassifier")
    assert TRIM.why_not(forest) is None
    assert SHRINK.why_not(forest) is None
    assert list(TRIM.options(forest)) == ["tolerance"]
    boosted = subject("xgboost.sklearn.XGBClassifier", framework="xgboost")
    assert TRIM.why_not(boosted) is None
    assert "of scikit-learn" in str(SHRINK.why_not(boosted))
    lines = ("Pipeline", "  scale: StandardScaler", "  clf: RandomForestClassifier")
    assert TRIM.why_not(subject("sklearn.pipeline.Pipeline", structure=lines)) is None
    lines = ("Pipeline", "  scale: StandardScaler", "  clf: LogisticRegression")
    assert "LogisticRegression" in str(
        TRIM.why_not(subject("sklearn.pipeline.Pipeline", structure=lines))
    )
    assert "no rows" in str(TRIM.why_not(replace(forest, rows=0))) or "there are none" in str(
        TRIM.why_not(replace(forest, rows=0))
    )
    assert "converted" in str(TRIM.why_not(replace(forest, serializer="onnx")))


@pytest.mark.parametrize(
    "params", [{"trees": []}, {"trees": [99]}, {"trees": [1, 1]}, {"tolerance": "all"}]
)
def test_options_that_can_not_be_are_refused(bench: Bench, params: Any) -> None:
    rows, target, others, truth = halves()
    forest = ensemble.RandomForestClassifier(3, random_state=0).fit(rows, target)
    model, work = bench(forest, others, truth)
    with pytest.raises(InvalidInput) as caught:
        TRIM.run(model, params, work)
    assert caught.value.kind == "bad-pass-option"
