"""XGBoost objects: saved, loaded, changed, trained."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelyard.core.table import Table
from modelyard.core.trust import Trust
from modelyard.errors import InvalidInput
from modelyard.frameworks import FolderFiles, Saved, named
from modelyard.runtimes import runtime_of

xgboost = pytest.importorskip("xgboost")
framework = named("xgboost")

RNG = np.random.default_rng(7)
X = RNG.normal(size=(60, 4))
X[3, 2] = math.nan
Y = X[:, 0] + (X[:, 1] > 0)
TWO = (X[:, 0] > 0).astype(int)
THREE = TWO + (X[:, 1] > 0)
NAMES = ["age", "income", "years", "score"]
SMALL = {"n_estimators": 5, "max_depth": 2, "n_jobs": 1}


def frame():
    import pandas

    return pandas.DataFrame(X, columns=NAMES)


def boosted(params=None, target=Y, names=None, rounds=5, **data):
    matrix = xgboost.DMatrix(X, target, feature_names=names, **data)
    return xgboost.train({"nthread": 1, "max_depth": 2, **(params or {})}, matrix, rounds)


def stopped_early():
    model = xgboost.XGBClassifier(**{**SMALL, "n_estimators": 30, "early_stopping_rounds": 1})
    return model.fit(X[:40], TWO[:40], eval_set=[(X[40:], TWO[40:])], verbose=False)


KINDS = {
    "classifier": lambda: xgboost.XGBClassifier(**SMALL).fit(X, TWO),
    "classifier of three": lambda: xgboost.XGBClassifier(**SMALL).fit(X, THREE),
    "softmax": lambda: xgboost.XGBClassifier(**SMALL, objective="multi:softmax").fit(X, THREE),
    "several labels": lambda: xgboost.XGBClassifier(**SMALL).fit(
        X, np.column_stack([TWO, THREE > 1, TWO])
    ),
    "classifier with names": lambda: xgboost.XGBClassifier(**SMALL).fit(frame(), TWO),
    "classifier stopped early": stopped_early,
    "regressor": lambda: xgboost.XGBRegressor(**SMALL, missing=math.nan).fit(X, Y),
    "regressor of two": lambda: xgboost.XGBRegressor(**SMALL).fit(X, np.column_stack([Y, -Y])),
    "vector leaves": lambda: xgboost.XGBRegressor(**SMALL, multi_strategy="multi_output_tree").fit(
        X, np.column_stack([Y, -Y])
    ),
    "quantiles": lambda: xgboost.XGBRegressor(
        **SMALL, objective="reg:quantileerror", quantile_alpha=np.array([0.1, 0.9])
    ).fit(X, Y),
    "dart": lambda: xgboost.XGBRegressor(**SMALL, booster="dart", rate_drop=0.3).fit(X, Y),
    "linear": lambda: xgboost.XGBRegressor(
        n_estimators=3, n_jobs=1, booster="gblinear", updater="coord_descent"
    ).fit(np.nan_to_num(X), Y),
    "ranker": lambda: xgboost.XGBRanker(**SMALL).fit(X, TWO, qid=np.repeat([0, 1], 30)),
    "forest": lambda: xgboost.XGBRFClassifier(**SMALL).fit(X, TWO),
    "forest of numbers": lambda: xgboost.XGBRFRegressor(**SMALL).fit(X, Y),
    "bare model": lambda: xgboost.XGBModel(**SMALL, objective="reg:squarederror").fit(X, Y),
    "booster": lambda: boosted(),
    "booster of two classes": lambda: boosted({"objective": "binary:logistic"}, TWO),
    "booster of three classes": lambda: boosted(
        {"objective": "multi:softprob", "num_class": 3}, THREE, NAMES
    ),
    "booster with pruned trees": lambda: boosted({"tree_method": "exact", "gamma": 2.0}),
}  # fmt: skip


@pytest.fixture(params=KINDS)
def model(request):
    return KINDS[request.param]()


@pytest.fixture
def regressor():
    return KINDS["regressor"]()


def asked(model, rows=X):
    """What the library itself says."""
    rows = np.nan_to_num(rows) if "gblinear" in str(getattr(model, "booster", "")) else rows
    if isinstance(model, xgboost.Booster):
        return model.predict(xgboost.DMatrix(rows, feature_names=model.feature_names))
    return model.predict(rows)


def saved(model, folder, serializer="ubj"):
    return framework.save(model, folder, serializer)


def loaded(model, folder, serializer="ubj"):
    note = saved(model, folder, serializer)
    note = Saved.decode(json.loads(json.dumps(note.encode(), allow_nan=False)))
    return framework.load(FolderFiles(folder), note, Trust())


def same_params(one, other):
    assert one.keys() == other.keys()
    for name, value in one.items():
        np.testing.assert_equal(other[name], value)


@pytest.mark.parametrize("serializer", framework.SERIALIZERS)
def test_every_object_comes_back_the_same(model, serializer, tmp_path):
    assert framework.recognises(model)
    again = loaded(model, tmp_path, serializer)
    assert type(again) is type(model)
    assert np.array_equal(asked(again), asked(model))
    assert framework.structure(again) == framework.structure(model)
    assert framework.params(again) == framework.params(model)
    if not isinstance(model, xgboost.Booster):
        same_params(model.get_params(), again.get_params())
        assert again.get_booster().feature_names == model.get_booster().feature_names
        np.testing.assert_equal(getattr(again, "classes_", None), getattr(model, "classes_", None))


def test_early_stopping_is_kept_with_its_history(tmp_path):
    model = stopped_early()
    again = loaded(model, tmp_path)
    assert again.best_iteration == model.best_iteration
    assert again.best_score == model.best_score
    assert again.evals_result() == model.evals_result()
    assert np.array_equal(again.predict_proba(X), model.predict_proba(X))


def test_a_booster_keeps_its_learning_rate(tmp_path):
    model = boosted({"eta": 0.125})
    assert framework.optimizer(loaded(model, tmp_path))["learning_rate"] == 0.125


def test_a_file_of_xgboost_is_claimed(tmp_path):
    KINDS["classifier"]().save_model(tmp_path / "best.ubj")
    (tmp_path / "README.md").write_text("# a model")
    (tmp_path / "config.json").write_text("{}")
    note = framework.claims(FolderFiles(tmp_path))
    assert (note.framework, note.details["file"]) == ("xgboost", "best.ubj")
    again = framework.load(FolderFiles(tmp_path), note, Trust())
    outputs = runtime_of("xgboost", again).predict(Table({"x": X})).outputs
    assert np.array_equal(outputs["probability"], KINDS["classifier"]().predict_proba(X))


def test_two_files_of_xgboost_are_not_claimed(tmp_path):
    for name in ("a.ubj", "b.json"):
        KINDS["regressor"]().save_model(tmp_path / name)
    assert framework.claims(FolderFiles(tmp_path)) is None


def test_functions_and_foreign_classes_are_not_saved(tmp_path, regressor):
    def loss(target, said):
        return said - target, np.ones_like(said)

    class Mine(xgboost.XGBRegressor):
        pass

    regressor.set_params(eval_metric=loss)
    with pytest.raises(InvalidInput, match="eval_metric") as failure:
        saved(regressor, tmp_path)
    assert failure.value.kind == "not-savable"
    with pytest.raises(InvalidInput, match="Mine"):
        saved(Mine(**SMALL).fit(X, Y), tmp_path)
    with pytest.raises(InvalidInput, match="not fitted") as failure:
        saved(xgboost.XGBRegressor(), tmp_path)
    assert failure.value.kind == "not-fitted"


@pytest.mark.parametrize(
    "change",
    [
        {"class": "os.system"},
        {"class": "xgboost.sklearn.Missing"},
        {"params": {"__class__": "x"}},
        {"params": {"fit": 1}},
        {"params": {"max_depth": {"float": "x"}}},
        {"params": {"_Booster": None}},
        {"params": [1]},
        {"file": 3},
    ],
)
def test_a_manifest_can_not_make_anything_else(change, tmp_path, regressor):
    note = {**saved(regressor, tmp_path).encode(), **change}
    with pytest.raises(InvalidInput) as failure:
        framework.load(FolderFiles(tmp_path), Saved.decode(note), Trust())
    assert failure.value.kind == "not-loadable"


def test_parameters_change_and_trees_stay(model):
    before = asked(model)
    known = framework.params(model)
    changed = framework.set_params(model, {"max_depth": 7})
    assert framework.params(changed) == {**known, "max_depth": 7}
    assert framework.params(model) == known
    assert np.array_equal(asked(changed), before)


def test_parameters_that_only_count_when_it_is_fitted_are_named(regressor):
    changes = {"max_depth": 3, "n_jobs": 1, "missing": 0.0, "learning_rate": 0.3}
    assert framework.fit_only(regressor, changes) == ("max_depth", "learning_rate")


def test_what_params_gives_set_params_takes(regressor):
    known = framework.params(regressor)
    json.dumps(known, allow_nan=False)
    assert known["missing"] == "nan"
    again = framework.set_params(regressor, known)
    same_params(regressor.get_params(), again.get_params())


@pytest.mark.parametrize(("changes", "kind", "words"), [
    ({"max_deth": 3}, "no-param", "max_depth"),
    ({"max_depth": "deep"}, "bad-param", "max_depth"),
    ({"learning_rate": -1}, "bad-param", "learning_rate"),
    ({"max_depth": 10**30}, "bad-param", "max_depth"),
    ({"n_estimators": 0}, "bad-param", "n_estimators"),
    ({"booster": "rocket"}, "bad-param", "booster"),
])  # fmt: skip
def test_wrong_parameters_are_named(changes, kind, words, regressor):
    with pytest.raises(InvalidInput) as failure:
        framework.set_params(regressor, changes)
    assert failure.value.kind == kind
    assert words in f"{failure.value} {failure.value.hint}"


@given(
    st.dictionaries(
        st.sampled_from(["max_depth", "learning_rate", "gamma", "subsample", "nonsense", "n_jobs"]),
        st.one_of(
            st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5),
            st.lists(st.integers(), max_size=2),
        ),
        max_size=3,
    )
)  # fmt: skip
@settings(deadline=None, max_examples=60)
def test_any_change_is_refused_or_keeps_the_predictions(changes):
    model = KINDS["regressor"]()
    changes.pop("n_jobs", None)
    kind = None
    try:
        changed = framework.set_params(model, changes)
    except InvalidInput as error:
        kind = error.kind
    else:
        assert np.array_equal(changed.predict(X), model.predict(X))
    assert kind in (None, "no-param", "bad-param")


@pytest.mark.parametrize("kind", ["regressor", "dart", "classifier of three", "booster",
                                  "classifier with names", "vector leaves"])  # fmt: skip
@given(ends=st.tuples(st.integers(0, 4), st.integers(1, 5)).filter(lambda pair: pair[0] < pair[1]))
@settings(deadline=None, max_examples=8)
def test_kept_trees_predict_as_their_rounds_did(kind, ends):
    model = KINDS[kind]()
    kept, said = framework.set_structure(model, {"keep_trees": list(ends)}, Trust())
    booster = model if isinstance(model, xgboost.Booster) else model.get_booster()
    names = booster.feature_names
    rows = xgboost.DMatrix(X, feature_names=names)
    ours = kept if isinstance(kept, xgboost.Booster) else kept.get_booster()
    np.testing.assert_array_equal(
        ours.predict(rows, output_margin=True),
        booster.predict(rows, output_margin=True, iteration_range=ends),
    )
    assert type(kept) is type(model)
    assert ours.feature_names == names
    assert f"kept rounds {ends[0]} to {ends[1] - 1} of 5" in said[0]
    assert framework.optimizer(kept) == framework.optimizer(model)


def test_features_are_renamed():
    model = KINDS["classifier with names"]()
    plan = {"rename_features": {"age": "years_of_age"}}
    renamed, said = framework.set_structure(model, plan, Trust())
    assert list(renamed.feature_names_in_) == ["years_of_age", "income", "years", "score"]
    assert np.array_equal(renamed.predict(X), model.predict(X))
    assert said == ("renamed 1 of 4 features",)
    assert list(model.feature_names_in_) == NAMES


@pytest.mark.parametrize("plan", [
    None, [], {}, {"drop": 1}, {"keep_trees": [0, 6]}, {"keep_trees": [2, 2]},
    {"keep_trees": [True, 2]}, {"keep_trees": "all"}, {"rename_features": {"agee": "x"}},
    {"rename_features": {"age": "income"}}, {"rename_features": {"age": "a[0]"}},
    {"rename_features": ["age"]}, {"rename_features": {"age": 3}},
])  # fmt: skip
def test_a_wrong_plan_is_refused(plan):
    with pytest.raises(InvalidInput) as failure:
        framework.set_structure(KINDS["classifier with names"](), plan, Trust())
    assert failure.value.kind == "bad-structure"
    assert "keep_trees" in failure.value.hint


def test_the_structure_is_told_in_lines():
    lines = framework.structure(KINDS["classifier with names"]())
    assert lines[:3] == ("objective: binary:logistic", "booster: gbtree", "trees: 5 in 5 rounds")
    assert "depth: at most 1" in lines
    assert lines[-4:] == tuple(f"feature {name}: float" for name in NAMES)


def test_the_optimizer_is_the_booster_and_its_rate(regressor):
    changed = framework.set_optimizer(regressor, {"name": "dart", "lr": 0.5, "rate_drop": 0.2})
    assert framework.optimizer(changed) == {
        "name": "dart", "learning_rate": 0.5, "rate_drop": 0.2,
    }  # fmt: skip
    assert np.array_equal(changed.predict(X), regressor.predict(X))
    refitted = framework.fit(changed, Table({"x": X}), Y, epochs=None, seed=1)
    assert framework.structure(refitted)[1] == "booster: dart"


@pytest.mark.parametrize(
    "changes", [{"name": "adam"}, {"lr": "fast"}, {"momentum": 1}, {"lr": 1, "eta": 2}]
)
def test_a_wrong_optimizer_is_refused(changes, regressor):
    with pytest.raises(InvalidInput) as failure:
        framework.set_optimizer(regressor, changes)
    assert failure.value.kind == "bad-optimizer"


def test_a_booster_stays_what_it_is():
    with pytest.raises(InvalidInput, match="stays gbtree"):
        framework.set_optimizer(boosted(), {"name": "dart"})
    with pytest.raises(InvalidInput) as failure:
        framework.set_params(boosted(), {"booster": "dart"})
    assert failure.value.kind == "no-param"


TABLE = Table(dict(zip(NAMES, X.T, strict=True)))


def test_training_without_epochs_begins_anew(regressor):
    found = framework.fit(regressor, TABLE, -Y, epochs=None, seed=0)
    plain = xgboost.XGBRegressor(**SMALL, random_state=0).fit(X, -Y)
    assert np.array_equal(found.predict(X), plain.predict(X))
    same_params(regressor.get_params(), found.get_params())
    assert list(found.feature_names_in_) == NAMES


@pytest.mark.parametrize("kind", ["regressor", "booster", "classifier with names", "dart",
                                  "booster of three classes"])  # fmt: skip
def test_epochs_are_rounds_added_to_the_trees(kind):
    model = KINDS[kind]()
    target = {"classifier with names": TWO, "booster of three classes": THREE}.get(kind, Y)
    found = framework.fit(model, TABLE, target, epochs=3, seed=0)
    ours = found if isinstance(found, xgboost.Booster) else found.get_booster()
    assert ours.num_boosted_rounds() == 8
    if kind != "dart":  # dart changes the weights of the trees that were there
        begin, _ = framework.set_structure(found, {"keep_trees": [0, 5]}, Trust())
        assert np.array_equal(asked(begin), asked(model))


def test_a_booster_is_trained_anew_with_its_own_parameters():
    model = boosted({"objective": "multi:softprob", "num_class": 3, "eta": 0.7}, THREE)
    found = framework.fit(model, TABLE, THREE, epochs=None, seed=0)
    assert np.array_equal(asked_by_position(found), asked(model))


def asked_by_position(booster):
    return booster.inplace_predict(X)


def test_a_ranker_takes_its_queries_from_a_column():
    model = KINDS["ranker"]()
    shuffled = RNG.permutation(60)
    table = Table({**TABLE.columns, "qid": np.repeat([0, 1], 30)}).take(shuffled)
    found = framework.fit(model, table, TWO[shuffled], epochs=None, seed=0)
    assert found.n_features_in_ == 4
    with pytest.raises(InvalidInput) as failure:
        framework.fit(model, TABLE, TWO, epochs=None, seed=0)
    assert failure.value.kind == "no-column"


@pytest.mark.parametrize(("inputs", "target", "epochs", "kind"), [
    (Table({"a": np.array(["x"] * 60, object)}), Y, None, "not-numeric"),
    (TABLE, np.array(["x"] * 60, object), None, "bad-target"),
    (TABLE, np.full(60, math.nan), None, "bad-target"),
    (TABLE, Y[:5], None, "bad-target"),
    (TABLE, Y, 0, "bad-epochs"),
    (TABLE, Y, True, "bad-epochs"),
    (Table({"a": np.zeros(0)}), np.zeros(0), None, "no-rows"),
])  # fmt: skip
def test_what_can_not_be_trained_on_is_refused(inputs, target, epochs, kind, regressor):
    with pytest.raises(InvalidInput) as failure:
        framework.fit(regressor, inputs, target, epochs=epochs, seed=0)
    assert failure.value.kind == kind


def test_classes_of_text_are_refused_with_a_way_out():
    words = np.array(["no", "yes"], object)[TWO]
    with pytest.raises(InvalidInput) as failure:
        framework.fit(KINDS["classifier"](), TABLE, words, epochs=None, seed=0)
    assert failure.value.kind == "bad-target"
    assert "encode" in failure.value.hint


@pytest.mark.parametrize("epochs", [None, 2])
def test_a_model_with_names_is_fitted_on_its_own_columns(epochs):
    model = KINDS["classifier with names"]()
    wide = Table({"other": Y, **dict(reversed(TABLE.columns.items()))})
    found = framework.fit(model, wide, TWO, epochs=epochs, seed=0)
    same = framework.fit(model, TABLE, TWO, epochs=epochs, seed=0)
    assert list(found.feature_names_in_) == NAMES
    assert np.array_equal(found.predict_proba(X), same.predict_proba(X))
    listed = framework.signature(found, wide.take(slice(0, 5)))["inputs"]
    assert [entry["name"] for entry in listed] == NAMES
    with pytest.raises(InvalidInput) as failure:
        framework.fit(model, TABLE.without("age"), TWO, epochs=epochs, seed=0)
    assert failure.value.kind == "no-column"


def test_the_signature_names_inputs_and_outputs():
    model = KINDS["classifier with names"]()
    found = framework.signature(model, X[:5])
    assert [entry["name"] for entry in found["inputs"]] == NAMES
    assert found["outputs"] == [
        {"name": "label", "dtype": "int64", "shape": [-1]},
        {"name": "probability", "dtype": "float32", "shape": [-1, 2]},
    ]
    assert framework.signature(model, frame()[:5]) == found
    assert framework.signature(KINDS["regressor"](), X[:5])["inputs"] == [
        {"name": "input", "dtype": "float64", "shape": [-1, 4]}
    ]
