"""LightGBM objects: saved, loaded, changed, trained."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelyard.core.table import Table
from modelyard.core.trust import Trust
from modelyard.errors import Denied, InvalidInput
from modelyard.frameworks import FolderFiles, Saved, named
from modelyard.runtimes import runtime_of

lightgbm = pytest.importorskip("lightgbm")
framework = named("lightgbm")

RNG = np.random.default_rng(7)
X = RNG.normal(size=(80, 4))
X[3, 2] = math.nan
Y = X[:, 0] + (X[:, 1] > 0)
TWO = (X[:, 0] > 0).astype(int)
THREE = TWO + (X[:, 1] > 0)
NOISE = np.where(RNG.random(80) < 0.3, 1 - TWO, TWO)
WORDS = np.array(["no", "perhaps", "yes"], object)
NAMES = ["age", "income", "years", "score"]
TABLE = Table(dict(zip(NAMES, X.T, strict=True)))
SMALL = {"n_estimators": 5, "num_leaves": 4, "n_jobs": 1, "verbose": -1, "min_child_samples": 5}
NATIVE = {"num_leaves": 4, "num_threads": 1, "verbose": -1, "min_data_in_leaf": 5}


def frame():
    import pandas

    return pandas.DataFrame(X, columns=NAMES)


def boosted(params=None, target=Y, rows=X, rounds=5, **data):
    matrix = lightgbm.Dataset(rows, target, **data)
    return lightgbm.train({**NATIVE, **(params or {})}, matrix, rounds)


def stopped_early(**params):
    model = lightgbm.LGBMClassifier(**{**SMALL, "n_estimators": 60, **params})
    stop = lightgbm.early_stopping(2, verbose=False)
    return model.fit(X[:50], TWO[:50], eval_X=X[50:], eval_y=NOISE[50:], callbacks=[stop])


def with_categories():
    import pandas

    rows = pandas.DataFrame({"a": X[:, 0], "c": pandas.Categorical(WORDS[THREE])})
    params = {"min_data_per_group": 1, "cat_smooth": 1, "max_cat_to_onehot": 1}
    return boosted(params, Y, rows)


KINDS = {
    "classifier": lambda: lightgbm.LGBMClassifier(**SMALL).fit(X, TWO),
    "classifier of words": lambda: lightgbm.LGBMClassifier(**SMALL).fit(X, WORDS[THREE]),
    "classifier of truth": lambda: lightgbm.LGBMClassifier(**SMALL).fit(X, TWO == 1),
    "classifier of far numbers": lambda: lightgbm.LGBMClassifier(
        **SMALL, class_weight={5: 1.0, -3: 2.0}
    ).fit(X, np.where(TWO, 5, -3)),
    "classifier with names": lambda: lightgbm.LGBMClassifier(**SMALL).fit(frame(), TWO),
    "one against all": lambda: lightgbm.LGBMClassifier(**SMALL, objective="multiclassova").fit(
        X, THREE
    ),
    "classifier stopped early": stopped_early,
    "regressor": lambda: lightgbm.LGBMRegressor(**SMALL).fit(X, Y),
    "dart": lambda: lightgbm.LGBMRegressor(**SMALL, boosting_type="dart").fit(X, Y),
    "forest": lambda: lightgbm.LGBMRegressor(
        **SMALL, boosting_type="rf", subsample=0.5, subsample_freq=1
    ).fit(X, Y),
    "linear leaves": lambda: lightgbm.LGBMRegressor(**SMALL, linear_tree=True).fit(X, Y),
    "ranker": lambda: lightgbm.LGBMRanker(**SMALL).fit(X, TWO, group=[40, 40]),
    "bare model": lambda: lightgbm.LGBMModel(**SMALL, objective="regression").fit(X, Y),
    "without splits": lambda: lightgbm.LGBMRegressor(**{**SMALL, "min_child_samples": 99}).fit(
        X, Y
    ),
    "booster": lambda: boosted(),
    "booster of two classes": lambda: boosted({"objective": "binary"}, TWO, feature_name=NAMES),
    "booster of three classes": lambda: boosted(
        {"objective": "multiclass", "num_class": 3}, THREE
    ),
    "booster with categories": with_categories,
    "booster with signs": lambda: boosted({"monotone_constraints": [1, 0, -1, 0]}),
}  # fmt: skip


@pytest.fixture(params=KINDS)
def model(request):
    return KINDS[request.param]()


@pytest.fixture
def regressor():
    return KINDS["regressor"]()


def asked(model):
    """What the library itself says."""
    if hasattr(model, "predict_proba"):
        rows = frame() if hasattr(model, "feature_names_in_") else X
        return model.predict_proba(rows)
    return model.predict(X[:, : model.num_feature()] if _is_booster(model) else X)


def _is_booster(model):
    return isinstance(model, lightgbm.Booster)


def loaded(model, folder):
    note = framework.save(model, folder, "text")
    note = Saved.decode(json.loads(json.dumps(note.encode(), allow_nan=False)))
    return framework.load(FolderFiles(folder), note, Trust())


def test_every_object_comes_back_the_same(model, tmp_path):
    assert framework.recognises(model)
    again = loaded(model, tmp_path)
    assert type(again) is type(model)
    assert np.array_equal(asked(again), asked(model))
    assert framework.structure(again) == framework.structure(model)
    assert framework.params(again) == framework.params(model)
    if not _is_booster(model):
        np.testing.assert_equal(again.get_params(), model.get_params())
        assert again.feature_name_ == model.feature_name_
        assert again.n_features_in_ == model.n_features_in_
        assert hasattr(again, "feature_names_in_") == hasattr(model, "feature_names_in_")
        assert again.n_estimators_ == model.n_estimators_
        assert np.array_equal(again.feature_importances_, model.feature_importances_)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.startswith("classifier")])
def test_classes_come_back_with_their_type(kind, tmp_path):
    model = KINDS[kind]()
    again = loaded(model, tmp_path)
    assert again.classes_.dtype == model.classes_.dtype
    assert again.classes_.tolist() == model.classes_.tolist()
    rows = frame() if hasattr(model, "feature_names_in_") else X
    ours, theirs = again.predict(rows), model.predict(rows)
    assert ours.dtype == theirs.dtype
    assert np.array_equal(ours, theirs)


def test_an_estimator_that_came_back_can_be_fitted_by_hand(tmp_path):
    model = KINDS["classifier of far numbers"]()
    again = loaded(model, tmp_path)
    target = np.where(TWO, 5, -3)
    assert np.array_equal(again.fit(X, target).predict(X), model.fit(X, target).predict(X))


def test_the_best_round_is_kept_with_its_history(tmp_path):
    model = stopped_early()
    assert 0 < model.best_iteration_ < model.n_estimators
    again = loaded(model, tmp_path)
    assert again.best_iteration_ == model.best_iteration_
    assert again.best_score_ == model.best_score_
    assert again.evals_result_ == model.evals_result_


def test_trees_after_the_best_round_are_kept_but_do_not_count(tmp_path):
    booster = boosted()
    everything = booster.predict(X)
    booster.best_iteration = 2
    again = loaded(booster, tmp_path)
    assert again.num_trees() == 5
    assert np.array_equal(again.predict(X), booster.predict(X))
    assert np.array_equal(again.predict(X, num_iteration=5), everything)


def test_a_file_of_lightgbm_is_claimed(tmp_path):
    KINDS["booster of two classes"]().save_model(tmp_path / "best.txt")
    (tmp_path / "notes.txt").write_text("trees are nice")
    note = framework.claims(FolderFiles(tmp_path))
    assert (note.framework, note.details["file"]) == ("lightgbm", "best.txt")
    again = framework.load(FolderFiles(tmp_path), note, Trust())
    outputs = runtime_of("lightgbm", again).predict(TABLE).outputs
    assert outputs["probability"].shape == (80, 2)


def test_functions_and_foreign_classes_are_not_saved(tmp_path):
    def loss(target, said):
        return said - target, np.ones_like(said)

    class Mine(lightgbm.LGBMRegressor):
        pass

    with pytest.raises(InvalidInput, match="objective") as failure:
        loaded(lightgbm.LGBMRegressor(**SMALL, objective=loss).fit(X, Y), tmp_path)
    assert failure.value.kind == "not-savable"
    with pytest.raises(InvalidInput, match="Mine"):
        loaded(Mine(**SMALL).fit(X, Y), tmp_path)
    with pytest.raises(InvalidInput, match="not fitted") as failure:
        loaded(lightgbm.LGBMRegressor(), tmp_path)
    assert failure.value.kind == "not-fitted"


@pytest.mark.parametrize("change", [
    {"class": "os.system"},
    {"params": {"__class__": "x"}},
    {"params": {"predict": 1}},
    {"params": {"_Booster": None}},
    {"params": {"max_depth": {"float": "x"}}},
    {"classes": ["a", "b"]},
    {"classes": {"array": ["a", "b", "c"], "dtype": "<U1"}},
    {"classes": {"array": [[1, 2]], "dtype": "<i8"}},
    {"features": 9},
    {"best_iteration": 99},
    {"best_iteration": "all"},
])  # fmt: skip
def test_a_manifest_can_not_make_anything_else(change, tmp_path):
    note = {**framework.save(KINDS["classifier"](), tmp_path, "text").encode(), **change}
    with pytest.raises(InvalidInput) as failure:
        framework.load(FolderFiles(tmp_path), Saved.decode(note), Trust())
    assert failure.value.kind == "not-loadable"


def test_parameters_that_name_files_or_machines_need_trust(tmp_path, regressor):
    note = framework.save(regressor, tmp_path, "text").encode()
    note["params"]["machines"] = "10.0.0.1:80"
    files, note = FolderFiles(tmp_path), Saved.decode(note)
    with pytest.raises(Denied, match=r"lightgbm\.machines"):
        framework.load(files, note, Trust())
    assert framework.load(files, note, Trust.of(["lightgbm.machines"])).machines == "10.0.0.1:80"
    with pytest.raises(InvalidInput, match="machines"):
        framework.set_params(framework.load(files, note, Trust.of(["lightgbm.machines"])),
                             {"machines": "10.0.0.2:80"})  # fmt: skip


def test_parameters_change_and_trees_stay(model):
    before, known = asked(model), framework.params(model)
    changed = framework.set_params(model, {"max_depth": 7})
    assert framework.params(changed) == {**known, "max_depth": 7}
    assert framework.params(model) == known
    assert np.array_equal(asked(changed), before)


def test_the_best_round_stays_when_parameters_change():
    model = stopped_early()
    changed = framework.set_params(model, {"learning_rate": 0.01})
    assert np.array_equal(changed.predict_proba(X), model.predict_proba(X))
    booster = framework.set_params(model.booster_, {"learning_rate": 0.01})
    assert np.array_equal(booster.predict(X), model.booster_.predict(X))


def test_parameters_that_only_count_when_it_is_fitted_are_named(regressor):
    changes = {"max_depth": 3, "n_jobs": 1, "pred_early_stop": True, "learning_rate": 0.3}
    assert framework.fit_only(regressor, changes) == ("max_depth", "learning_rate")


def test_what_params_gives_set_params_takes(regressor):
    known = framework.params(regressor)
    json.dumps(known, allow_nan=False)
    assert framework.set_params(regressor, known).get_params() == regressor.get_params()


@pytest.mark.parametrize(("changes", "kind", "words"), [
    ({"num_leafs": 3}, "no-param", "num_leaves"),
    ({"num_leaves": "many"}, "bad-param", "num_leaves"),
    ({"learning_rate": -1}, "bad-param", "learning_rate"),
    ({"num_leaves": 10**30}, "bad-param", "num_leaves"),
    ({"boosting_type": "rocket"}, "bad-param", "rocket"),
    ({"objective": "happiness"}, "bad-param", "happiness"),
    ({"objective": 3}, "bad-param", "objective"),
    ({"random_state": -5}, "bad-param", "random_state"),
    ({"class_weight": 3}, "bad-param", "class_weight"),
])  # fmt: skip
def test_wrong_parameters_are_named(changes, kind, words, regressor, capfd):
    with pytest.raises(InvalidInput) as failure:
        framework.set_params(regressor, changes)
    assert failure.value.kind == kind
    assert words in f"{failure.value} {failure.value.hint}"
    assert capfd.readouterr().out == ""


def test_two_classes_can_not_become_many():
    with pytest.raises(InvalidInput, match="2 classes"):
        framework.set_params(KINDS["classifier"](), {"objective": "multiclass"})


@given(
    st.dictionaries(
        st.sampled_from(["max_depth", "learning_rate", "num_leaves", "subsample", "nonsense"]),
        st.one_of(
            st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5),
            st.lists(st.integers(), max_size=2),
        ),
        max_size=3,
    )
)  # fmt: skip
@settings(deadline=None, max_examples=60)
def test_any_change_is_refused_or_keeps_the_predictions(changes):
    for model in (KINDS["regressor"](), KINDS["booster"]()):
        kind = None
        try:
            changed = framework.set_params(model, changes)
        except InvalidInput as error:
            kind = error.kind
        else:
            assert np.array_equal(changed.predict(X), model.predict(X))
        assert kind in (None, "no-param", "bad-param")


@pytest.mark.parametrize("kind", ["regressor", "dart", "forest", "one against all", "booster",
                                  "booster with categories"])  # fmt: skip
@given(ends=st.tuples(st.integers(0, 4), st.integers(1, 5)).filter(lambda pair: pair[0] < pair[1]))
@settings(deadline=None, max_examples=8)
def test_kept_trees_predict_as_their_rounds_did(kind, ends):
    model = KINDS[kind]()
    kept, said = framework.set_structure(model, {"keep_trees": list(ends)}, Trust())
    ours, theirs = (m if _is_booster(m) else m.booster_ for m in (kept, model))
    rows = X[:, : theirs.num_feature()]
    np.testing.assert_array_equal(
        ours.predict(rows), theirs.predict(rows, start_iteration=ends[0],
                                           num_iteration=ends[1] - ends[0]),
    )  # fmt: skip
    assert type(kept) is type(model)
    assert f"kept rounds {ends[0]} to {ends[1] - 1} of" in said[0]
    assert framework.optimizer(kept) == framework.optimizer(model)


@pytest.mark.parametrize("kind", ["classifier with names", "booster of two classes"])
def test_features_are_renamed(kind):
    model = KINDS[kind]()
    renamed, said = framework.set_structure(model, {"rename_features": {"age": "old"}}, Trust())
    names = renamed.feature_name() if _is_booster(renamed) else renamed.feature_name_
    assert names == ["old", "income", "years", "score"]
    assert np.array_equal(
        (renamed if _is_booster(renamed) else renamed.booster_).predict(X),
        (model if _is_booster(model) else model.booster_).predict(X),
    )
    assert said == ("renamed 1 of 4 features",)


@pytest.mark.parametrize("plan", [
    None, [], {}, {"drop": 1}, {"keep_trees": [0, 6]}, {"keep_trees": [2, 2]},
    {"keep_trees": [True, 2]}, {"rename_features": {"agee": "x"}},
    {"rename_features": {"age": "income"}}, {"rename_features": {"age": "two words"}},
])  # fmt: skip
def test_a_wrong_plan_is_refused(plan):
    with pytest.raises(InvalidInput) as failure:
        framework.set_structure(KINDS["classifier with names"](), plan, Trust())
    assert failure.value.kind == "bad-structure"
    assert "keep_trees" in failure.value.hint


def test_the_structure_is_told_in_lines():
    lines = framework.structure(KINDS["classifier with names"]())
    assert lines[:3] == ("objective: binary sigmoid:1", "boosting: gbdt", "trees: 5 in 5 rounds")
    assert any(line.startswith("depth: at most ") and line[-1] in "23" for line in lines)
    assert lines[-4:] == tuple(f"feature {name}" for name in NAMES)


@pytest.mark.parametrize("kind", ["regressor", "booster"])
def test_the_optimizer_is_the_boosting_and_its_rate(kind):
    model = KINDS[kind]()
    changed = framework.set_optimizer(model, {"name": "dart", "lr": 0.5})
    told = framework.optimizer(changed)
    assert (told["name"], told["learning_rate"]) == ("dart", 0.5)
    assert np.array_equal(changed.predict(X), model.predict(X))
    refitted = framework.fit(changed, TABLE, Y, epochs=None, seed=1)
    assert framework.structure(refitted)[1] == "boosting: dart"


@pytest.mark.parametrize(
    "changes", [{"name": "adam"}, {"lr": "fast"}, {"momentum": 1}, {"lr": 1, "eta": 2}]
)
def test_a_wrong_optimizer_is_refused(changes, regressor):
    with pytest.raises(InvalidInput) as failure:
        framework.set_optimizer(regressor, changes)
    assert failure.value.kind == "bad-optimizer"


def test_training_without_epochs_begins_anew(regressor):
    found = framework.fit(regressor, TABLE, -Y, epochs=None, seed=0)
    plain = lightgbm.LGBMRegressor(**SMALL, random_state=0).fit(X, -Y)
    assert np.array_equal(found.booster_.predict(X), plain.predict(X))
    assert found.get_params() == regressor.get_params()
    assert list(found.feature_names_in_) == NAMES


@pytest.mark.parametrize("kind", ["regressor", "booster", "classifier with names",
                                  "booster of three classes", "classifier of words"])  # fmt: skip
def test_epochs_are_rounds_added_to_the_trees(kind):
    model = KINDS[kind]()
    target = {"classifier with names": TWO, "booster of three classes": THREE,
              "classifier of words": WORDS[THREE]}.get(kind, Y)  # fmt: skip
    found = framework.fit(model, TABLE, target, epochs=3, seed=0)
    ours, theirs = (m if _is_booster(m) else m.booster_ for m in (found, model))
    assert ours.current_iteration() == 8
    assert np.array_equal(ours.predict(X, num_iteration=5), theirs.predict(X))
    if not _is_booster(found):
        assert found.n_estimators == 8


def test_a_booster_is_trained_anew_with_its_own_parameters():
    params = {"objective": "multiclass", "num_class": 3, "learning_rate": 0.7, "seed": 3}
    model = boosted(params, THREE)
    found = framework.fit(model, TABLE, THREE, epochs=None, seed=3)
    assert np.array_equal(found.predict(X), model.predict(X))


def test_a_ranker_takes_its_queries_from_a_column():
    model = KINDS["ranker"]()
    shuffled = RNG.permutation(80)
    table = Table({**TABLE.columns, "qid": np.repeat([0, 1], 40)}).take(shuffled)
    found = framework.fit(model, table, TWO[shuffled], epochs=None, seed=0)
    assert found.n_features_in_ == 4
    with pytest.raises(InvalidInput) as failure:
        framework.fit(model, TABLE, TWO, epochs=None, seed=0)
    assert failure.value.kind == "no-column"


@pytest.mark.parametrize(("inputs", "target", "epochs", "kind"), [
    (Table({"a": np.array(["x"] * 80, object)}), Y, None, "not-numeric"),
    (TABLE, np.array(["x"] * 80, object), None, "bad-target"),
    (TABLE, np.full(80, math.nan), None, "bad-target"),
    (TABLE, Y[:5], None, "bad-target"),
    (TABLE, Y, 0, "bad-epochs"),
    (Table({"a": np.zeros(0)}), np.zeros(0), None, "no-rows"),
])  # fmt: skip
def test_what_can_not_be_trained_on_is_refused(inputs, target, epochs, kind, regressor, capfd):
    with pytest.raises(InvalidInput) as failure:
        framework.fit(regressor, inputs, target, epochs=epochs, seed=0)
    assert failure.value.kind == kind
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("epochs", [None, 2])
def test_a_model_with_names_is_fitted_on_its_own_columns(epochs):
    model = KINDS["classifier with names"]()
    wide = Table({"other": Y, **dict(reversed(TABLE.columns.items()))})
    found = framework.fit(model, wide, TWO, epochs=epochs, seed=0)
    same = framework.fit(model, TABLE, TWO, epochs=epochs, seed=0)
    assert list(found.feature_names_in_) == NAMES
    assert np.array_equal(found.booster_.predict(X), same.booster_.predict(X))
    listed = framework.signature(found, wide.take(slice(0, 5)))["inputs"]
    assert [entry["name"] for entry in listed] == NAMES
    with pytest.raises(InvalidInput) as failure:
        framework.fit(model, TABLE.without("age"), TWO, epochs=epochs, seed=0)
    assert failure.value.kind == "no-column"


def test_columns_are_found_with_spaces_or_the_underscores_that_lightgbm_makes_of_them():
    spaced = [name + " of all" for name in NAMES]
    table = Table(dict(zip(spaced, X.T, strict=True)))
    model = lightgbm.LGBMRegressor(**SMALL).fit(table.frame(), Y)
    kept = [name.replace(" ", "_") for name in spaced]
    for names in (spaced, kept):
        rows = Table(dict(reversed(list(zip(names, X.T, strict=True)))))
        with runtime_of("lightgbm", model) as runtime:
            said = runtime.predict(rows).outputs["prediction"]
        assert np.array_equal(said, model.booster_.predict(X))
        found = framework.signature(model, rows.frame())
        assert [entry["name"] for entry in found["inputs"]] == kept
        again = framework.fit(lightgbm.LGBMRegressor(**SMALL), rows, Y, epochs=None, seed=0)
        assert sorted(again.feature_names_in_) == sorted(kept)


def test_columns_that_lightgbm_would_name_alike_have_no_names():
    rows = Table({"a b": X[:, 0], "a_b": X[:, 1]})
    found = framework.fit(lightgbm.LGBMRegressor(**SMALL), rows, Y, epochs=None, seed=0)
    assert found.feature_name_ == ["Column_0", "Column_1"]


def test_the_signature_names_inputs_and_outputs():
    model = KINDS["classifier of words"]()
    assert framework.signature(model, X[:5]) == {
        "inputs": [{"name": "input", "dtype": "float64", "shape": [-1, 4]}],
        "outputs": [
            {"name": "label", "dtype": "string", "shape": [-1]},
            {"name": "probability", "dtype": "float64", "shape": [-1, 3]},
        ],
    }
    named_inputs = framework.signature(KINDS["classifier with names"](), frame()[:5])["inputs"]
    assert [entry["name"] for entry in named_inputs] == NAMES
