"""Parameters, structure, solvers and fits of scikit-learn's estimators."""

from __future__ import annotations

import copy
import json
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn_estimators import KINDS, fitted, flowers, one_thread, people

from modelyard.core.table import Table
from modelyard.core.trust import Trust
from modelyard.errors import Denied, InvalidInput
from modelyard.frameworks import named

sklearn = named("sklearn")
NOTHING = Trust()


@pytest.fixture(autouse=True, scope="module")
def _quiet():
    with one_thread():
        yield


def own(kind):
    """A copy that a test may change, and rows for it."""
    model, rows = fitted(kind)
    return copy.deepcopy(model), rows


def refused(kind, call, *args, **options):
    with pytest.raises(InvalidInput) as error:
        call(*args, **options)
    assert error.value.kind == kind
    return f"{error.value.message} | {error.value.hint}"


# --- parameters ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_parameters_are_json_and_can_be_set_to_what_they_are(kind):
    model, rows = own(kind)
    params = sklearn.params(model)

    assert json.loads(json.dumps(params, allow_nan=False)) == params
    assert sklearn.set_params(model, params) is model
    assert sklearn.params(model) == params
    asked = model.transform if kind == "pca" else model.predict
    assert np.array_equal(asked(rows), getattr(fitted(kind)[0], asked.__name__)(rows))


def test_parameters_of_steps_are_named_by_their_path_and_steps_are_left_out():
    params = sklearn.params(fitted("columns")[0])

    assert params["clf__C"] == 1.0
    assert params["prepare__numbers__fill__strategy"] == "mean"
    assert not {"steps", "clf", "prepare", "prepare__transformers"} & set(params)
    assert "prepare__numbers__fill__missing_values" not in params  # NaN is no JSON


def test_numbers_of_numpy_become_plain_and_lists_become_the_tuples_they_were():
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier(alpha=np.float64(0.1), hidden_layer_sizes=(3, 4))
    params = sklearn.params(model)
    assert (type(params["alpha"]), params["hidden_layer_sizes"]) == (float, [3, 4])

    sklearn.set_params(model, {"hidden_layer_sizes": [5]})
    assert model.hidden_layer_sizes == (5,)


def test_a_parameter_is_set_without_losing_the_fit():
    model, rows = own("pipeline")
    before = model.predict_proba(rows)

    sklearn.set_params(model, {"clf__C": 0.5})

    assert model["clf"].C == 0.5
    assert np.array_equal(model.predict_proba(rows), before)


def test_an_unknown_parameter_names_those_that_there_are_the_closest_first():
    text = refused("no-param", sklearn.set_params, own("pipeline")[0], {"clf__c": 1})
    assert text.startswith("Pipeline has no parameter 'clf__c' | there are clf__C, ")


@pytest.mark.parametrize(
    "changes",
    [
        {"clf__C": -1.0}, {"clf__C": "much"}, {"clf__solver": "adam"}, {"clf__max_iter": 1.5},
        {"scale": "sideways"}, {"clf": 3}, {"steps": [1, "a"]},
        {"clf": "passthrough", "clf__C": 1.0},
    ],
)  # fmt: skip
def test_what_scikit_learn_refuses_is_told_and_nothing_else_is_set(changes):
    model, _ = own("pipeline")

    refused("bad-param", sklearn.set_params, model, {"scale__with_mean": False, **changes})
    if len(changes) == 1:
        assert model["scale"].with_mean is True


GIVEN = {
    "clf__C": st.floats(1e-6, 1e6),
    "clf__max_iter": st.integers(1, 1000),
    "clf__fit_intercept": st.booleans(),
    "clf__solver": st.sampled_from(["lbfgs", "saga", "newton-cg"]),
    "clf__tol": st.floats(1e-9, 1.0),
    "scale__with_std": st.just(True),
    "verbose": st.booleans(),
}


@given(changes=st.fixed_dictionaries({}, optional=GIVEN))
@settings(max_examples=40, deadline=None)
def test_what_was_set_is_read_back_and_the_rest_stays(changes):
    model, rows = own("pipeline")
    before = sklearn.params(model)
    said = model.predict(rows[:10])

    after = sklearn.params(sklearn.set_params(model, changes))

    assert after == {**before, **changes}
    assert np.array_equal(model.predict(rows[:10]), said)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


@given(data=st.data(), value=JSON)
@settings(max_examples=60, deadline=None)
def test_any_json_is_either_taken_or_refused(data, value):
    model, _ = own(data.draw(st.sampled_from(["pipeline", "columns", "voting", "mlp"])))
    name = data.draw(st.sampled_from(sorted(model.get_params(deep=True))))

    try:
        sklearn.set_params(model, {name: value})
    except InvalidInput as error:
        assert error.kind == "bad-param"  # noqa: PT017
    sklearn.params(model)
    sklearn.structure(model)


# --- structure -------------------------------------------------------------------------------


def test_structure_shows_steps_inside_of_steps():
    assert sklearn.structure(fitted("columns")[0]) == (
        "Pipeline",
        "  prepare: ColumnTransformer",
        "    numbers: Pipeline on age, income",
        "      fill: SimpleImputer",
        "      scale: StandardScaler",
        "    city: OneHotEncoder on city",
        "  clf: LogisticRegression",
    )
    assert sklearn.structure(fitted("voting")[0])[1:] == (
        "  lr: LogisticRegression",
        "  nb: GaussianNB",
    )


def changed(kind, plan, trust=NOTHING):
    model, rows = own(kind)
    before = sklearn.structure(model)
    new, said = sklearn.set_structure(model, plan, trust)
    assert sklearn.structure(model) == before, "the given estimator stays as it is"
    return new, said, rows


def test_a_replaced_step_is_new_and_those_before_it_are_kept():
    plan = {"replace": {"clf": {"class": "sklearn.svm.SVC", "params": {"C": 3.0}}}}
    new, said, _ = changed("pipeline", plan)

    assert sklearn.structure(new) == ("Pipeline", "  scale: StandardScaler", "  clf: SVC")
    assert new["clf"].C == 3.0
    assert said == ("scale is kept as fitted", "clf is new: it must be fitted")


def test_inserting_and_dropping_tell_what_is_given_something_else_now():
    pca = {"name": "pca", "class": "sklearn.decomposition.PCA", "params": {"n_components": 2}}
    new, said, _ = changed("pipeline", {"insert": [{"before": "clf", **pca}], "drop": ["scale"]})

    assert sklearn.structure(new)[1:] == ("  pca: PCA", "  clf: LogisticRegression")
    assert said[1] == "clf is kept as fitted, but what it is given changed: fit it again"


def test_renaming_changes_no_answer():
    model, rows = fitted("pipeline")
    new, said, _ = changed("pipeline", {"rename": {"clf": "judge"}})

    assert np.array_equal(new.predict_proba(rows), model.predict_proba(rows))
    assert said == ("scale is kept as fitted", "judge is kept as fitted")


def test_steps_of_steps_are_reached_by_their_path():
    plan = {
        "replace": {"prepare__city": {"class": "sklearn.preprocessing.OrdinalEncoder"}},
        "drop": ["prepare__numbers__scale"],
    }
    new, said, _ = changed("columns", plan)

    assert sklearn.structure(new)[1:5] == (
        "  prepare: ColumnTransformer",
        "    numbers: Pipeline on age, income",
        "      fill: SimpleImputer",
        "    city: OrdinalEncoder on city",
    )
    assert said[0] == "prepare changed inside: it must be fitted again"
    frame, y = people()
    new.fit(frame, y)


def test_an_estimator_that_is_no_pipeline_becomes_the_last_step_of_one():
    scaler = {"name": "scale", "class": "sklearn.preprocessing.StandardScaler"}
    new, said, _ = changed("ridge", {"insert": [scaler]})

    assert sklearn.structure(new) == ("Pipeline", "  scale: StandardScaler", "  ridge: Ridge")
    assert said[0] == "scale is new: it must be fitted"


@pytest.mark.parametrize(
    "plan",
    [
        None, {}, [], {"swap": {}}, {"drop": "scale"}, {"drop": ["nobody"]}, {"drop": [3]},
        {"replace": {"nobody": {"class": "sklearn.svm.SVC"}}}, {"replace": {"clf": "SVC"}},
        {"replace": {"clf": {"class": "SVC"}}}, {"replace": {"clf": {"class": "sklearn.svm.No"}}},
        {"replace": {"clf": {"class": "sklearn.nowhere.SVC"}}},
        {"replace": {"clf": {"class": "sklearn.svm.SVC()"}}},
        {"replace": {"clf": {"class": "sklearn.metrics.accuracy_score"}}},
        {"replace": {"clf": {"class": "sklearn.compose.ColumnTransformer"}}},
        {"replace": {"scale": {"class": "sklearn.svm.SVC"}}},
        {"insert": [{"name": "x", "class": "sklearn.decomposition.PCA"}]},
        {"insert": [{"before": "no", "name": "x", "class": "sklearn.decomposition.PCA"}]},
        {"insert": [{"before": "clf", "name": "clf", "class": "sklearn.decomposition.PCA"}]},
        {"insert": [{"before": "clf", "name": "a__b", "class": "sklearn.decomposition.PCA"}]},
        {"rename": {"clf": "scale"}}, {"rename": {"clf": "steps"}}, {"rename": {"clf": ""}},
        {"rename": {"clf": 3}}, {"drop": ["scale", "clf"]}, {"drop": ["clf__deeper"]},
    ],
)  # fmt: skip
def test_a_plan_that_can_not_be_followed_says_what_plans_hold(plan):
    text = refused("bad-structure", sklearn.set_structure, own("pipeline")[0], plan, NOTHING)
    assert '"insert"' in text


def test_params_of_a_new_step_are_checked():
    def plan(**params):
        return {"replace": {"clf": {"class": "sklearn.svm.SVC", "params": params}}}

    model, _ = own("pipeline")
    refused("no-param", sklearn.set_structure, model, plan(c=1), NOTHING)
    refused("bad-param", sklearn.set_structure, model, plan(C=-1.0), NOTHING)


def test_classes_of_other_libraries_must_be_trusted_before_they_are_imported():
    plan = {"replace": {"clf": {"class": "antigravity.Thing"}}}

    with pytest.raises(Denied, match=r"antigravity\.Thing"):
        sklearn.set_structure(own("pipeline")[0], plan, NOTHING)
    trust = Trust.of(["antigravity_of_nobody.Thing"])
    plan = {"replace": {"clf": {"class": "antigravity_of_nobody.Thing"}}}
    refused("bad-structure", sklearn.set_structure, own("pipeline")[0], plan, trust)


def test_parameters_that_only_count_when_it_is_fitted_are_named():
    from sklearn.base import BaseEstimator
    from sklearn.ensemble import VotingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    class Own(BaseEstimator):
        pass

    line = make_pipeline(StandardScaler(), LogisticRegression())
    changes = {"standardscaler__with_mean": False, "logisticregression__C": 2.0,
               "logisticregression__verbose": 1}  # fmt: skip
    assert sklearn.fit_only(line, changes) == ("logisticregression__C",)
    near = {"n_neighbors": 1, "weights": "distance", "leaf_size": 3}
    assert sklearn.fit_only(KNeighborsClassifier(), near) == ("leaf_size",)
    votes = VotingClassifier([("knn", KNeighborsClassifier())])  # it asks a copy of its step
    changes = {"knn__n_neighbors": 1, "voting": "soft"}
    assert sklearn.fit_only(votes, changes) == ("knn__n_neighbors",)
    assert sklearn.fit_only(Own(), {"anything": 1}) == ()


@pytest.mark.parametrize(("plan", "keys"), [
    ({"replace": {"clf": {"class": "sklearn.svm.SVC", "param": {"C": 2}}}}, "class, params"),
    ({"replace": {"clf": {"class": "sklearn.svm.SVC", "name": "svc"}}}, "class, params"),
    ({"insert": [{"before": "clf", "name": "pca", "class": "sklearn.decomposition.PCA",
                  "parms": {"n_components": 1}}]}, "name, class, params, before, after"),
])  # fmt: skip
def test_a_key_that_a_new_step_does_not_have_is_refused_with_those_it_has(plan, keys):
    with pytest.raises(InvalidInput, match=f"its keys are {keys}$") as failure:
        sklearn.set_structure(own("pipeline")[0], plan, NOTHING)
    assert failure.value.kind == "bad-structure"


STEP = st.sampled_from(["scale", "clf"])


@given(
    renamed=st.dictionaries(STEP, st.from_regex(r"[a-z]{3,8}", fullmatch=True), max_size=2),
    dropped=st.lists(st.just("scale"), max_size=1),
    inserted=st.lists(st.sampled_from(["pca", "poly", "abs"]), unique=True, max_size=3),
)
@settings(max_examples=40, deadline=None)
def test_any_plan_gives_the_steps_it_says_and_keeps_their_parameters(renamed, dropped, inserted):
    names = {"scale": "scale", "clf": "clf", **renamed}
    taken = [names["scale"], names["clf"], *inserted]
    if len(set(taken)) < 4 - 2 + len(inserted) or {"memory", "verbose", "steps"} & set(taken):
        return
    new_step = {"class": "sklearn.preprocessing.MaxAbsScaler", "before": "clf"}
    plan = {
        "insert": [{"name": name, **new_step} for name in inserted],
        "drop": dropped,
        "rename": {old: name for old, name in renamed.items() if old not in dropped},
    }
    model, _ = own("pipeline")
    before = sklearn.params(model)

    new, said = sklearn.set_structure(model, plan, NOTHING)

    kept = [] if dropped else [names["scale"]]
    assert [name for name, _ in new.steps] == [*kept, *inserted, names["clf"]]
    assert len(said) == len(new.steps)
    after = sklearn.params(new)
    clf = {key: value for key, value in before.items() if key.startswith("clf__")}
    assert all(after[key.replace("clf", names["clf"], 1)] == clf[key] for key in clf)


# --- solvers ---------------------------------------------------------------------------------


def test_the_solver_is_that_of_the_step_that_learns():
    assert sklearn.optimizer(fitted("pipeline")[0])["name"] == "lbfgs"
    assert sklearn.optimizer(fitted("mlp")[0])["learning_rate"] == 0.001
    assert sklearn.optimizer(fitted("forest")[0]) == {}
    assert sklearn.optimizer(fitted("neighbours")[0]) == {}

    model, _ = own("columns")
    assert sklearn.set_optimizer(model, {"name": "saga", "max_iter": 500}) is model
    assert (model["clf"].solver, model["clf"].max_iter) == ("saga", 500)


def test_a_learning_rate_goes_where_the_estimator_keeps_its_own():
    from sklearn.linear_model import SGDClassifier

    mlp = sklearn.set_optimizer(own("mlp")[0], {"name": "sgd", "lr": 0.01, "schedule": "adaptive"})
    assert (mlp.learning_rate_init, mlp.learning_rate, mlp.solver) == (0.01, "adaptive", "sgd")

    sgd = SGDClassifier(learning_rate="optimal")
    text = refused("bad-optimizer", sklearn.set_optimizer, sgd, {"learning_rate": 0.1})
    assert "schedule=constant" in text
    sklearn.set_optimizer(sgd, {"name": "sgd", "learning_rate": 0.1, "schedule": "constant"})
    assert sklearn.optimizer(sgd)["learning_rate"] == 0.1


def test_what_a_solver_does_not_take_names_what_it_does():
    model, _ = own("pipeline")

    assert "saga" in refused("bad-optimizer", sklearn.set_optimizer, model, {"name": "adam"})
    assert "max_iter" in refused("bad-optimizer", sklearn.set_optimizer, model, {"lr": 0.1})
    refused("no-optimizer", sklearn.set_optimizer, own("forest")[0], {"name": "adam"})


# --- fitting ---------------------------------------------------------------------------------


def table():
    frame, y = people()
    return Table({name: frame[name].to_numpy() for name in frame}), y


def test_a_fit_is_made_on_a_copy_with_the_names_it_knows():
    model, frame = fitted("columns")
    before = model.predict_proba(frame)
    inputs, y = table()
    mixed = Table({name: inputs.columns[name] for name in ("city", "income", "age")})

    again = sklearn.fit(model, mixed, y, epochs=None, seed=0)

    assert list(again.feature_names_in_) == ["age", "income", "city"]
    assert np.array_equal(again.predict_proba(frame), before)
    assert np.array_equal(model.predict_proba(frame), before)


def test_the_seed_serves_where_none_is_set_and_is_not_kept():
    from sklearn.ensemble import RandomForestClassifier

    X, y = flowers()
    inputs = Table({f"c{i}": column for i, column in enumerate(X.T)})
    forests = [
        sklearn.fit(RandomForestClassifier(5), inputs, y, epochs=None, seed=seed)
        for seed in (1, 1, 2)
    ]

    chances = [forest.predict_proba(inputs.frame()) for forest in forests]
    assert np.array_equal(chances[0], chances[1])
    assert not np.array_equal(chances[0], chances[2])
    assert all(forest.random_state is None for forest in forests)
    assert list(forests[0].feature_names_in_) == ["c0", "c1", "c2", "c3"]


def test_an_estimator_that_was_fitted_without_names_is_again():
    X, y = flowers()
    inputs = Table({f"c{i}": column for i, column in enumerate(X.T)})

    again = sklearn.fit(fitted("ridge")[0], inputs, y, epochs=None, seed=0)
    assert not hasattr(again, "feature_names_in_")


def test_epochs_are_passes_of_what_learns_in_passes():
    X, y = flowers()
    inputs = Table({f"c{i}": column for i, column in enumerate(X.T)})

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = sklearn.fit(fitted("mlp")[0], inputs, y, epochs=3, seed=0)
    assert (again.n_iter_, again.max_iter) == (3, 20)

    with pytest.raises(InvalidInput, match="SVC") as error:
        sklearn.fit(fitted("svc")[0], inputs, y, epochs=3, seed=0)
    assert error.value.kind == "no-epochs"


def test_documents_are_given_as_they_are():
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    texts = Table({"text": np.array(["good day", "bad day", "good night"] * 3, dtype=object)})
    model = make_pipeline(TfidfVectorizer(), LogisticRegression())

    fresh = sklearn.fit(model, texts, np.array([1, 0, 1] * 3), epochs=None, seed=0)

    assert fresh.predict(["a good one"]) == [1]
    signature = sklearn.signature(fresh, ["some text"])
    assert signature["inputs"] == [{"name": "input", "dtype": "string", "shape": [-1]}]


def test_data_that_can_not_be_learnt_is_told_plainly():
    inputs = Table({"a": np.arange(3.0), "b": np.array(["x", "y", "z"], dtype=object)})
    short = Table({"a": np.arange(3.0)})

    refused("not-numeric", sklearn.fit, fitted("ridge")[0], inputs, [1, 2, 3], epochs=None, seed=0)
    refused("no-column", sklearn.fit, fitted("columns")[0], short, [1, 2, 3], epochs=None, seed=0)
    refused("not-fittable", sklearn.fit, fitted("ridge")[0], short, [1, 2], epochs=None, seed=0)


# --- signatures ------------------------------------------------------------------------------


def test_a_signature_has_an_input_for_each_column_of_a_frame_or_table():
    model, frame = fitted("columns")
    expected = {
        "inputs": [
            {"name": "age", "dtype": "float64", "shape": [-1]},
            {"name": "income", "dtype": "float64", "shape": [-1]},
            {"name": "city", "dtype": "string", "shape": [-1]},
        ],
        "outputs": [
            {"name": "label", "dtype": "string", "shape": [-1]},
            {"name": "probability", "dtype": "float64", "shape": [-1, 2]},
        ],
    }

    assert sklearn.signature(model, frame[:5]) == expected
    assert sklearn.signature(model, table()[0]) == expected
    wider = Table({"other": np.zeros(len(table()[0])), **table()[0].columns})
    assert sklearn.signature(model, wider) == expected


def test_a_signature_of_a_matrix_has_one_input():
    model, rows = fitted("ridge")

    for example in (rows[:5], rows[:5].tolist()):
        found = sklearn.signature(model, example)
        assert found["inputs"] == [{"name": "input", "dtype": "float64", "shape": [-1, 4]}]
        assert found["outputs"] == [{"name": "prediction", "dtype": "float64", "shape": [-1]}]
    assert sklearn.signature(model, None) is None
    refused("bad-inputs", sklearn.signature, model, rows[:5, :2])
