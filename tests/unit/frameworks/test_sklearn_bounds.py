"""Trees of skops files: honest ones load freely, those with wrong indices are refused by name."""

import pytest
from sklearn_estimators import one_thread

from modelyard.core.trust import Trust
from modelyard.errors import Denied
from modelyard.frameworks import named

TREE = "sklearn.tree._tree.Tree"
PREDICTOR = "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"


@pytest.fixture(scope="module")
def rows():
    from sklearn.datasets import make_classification

    return make_classification(200, 6, n_informative=4, random_state=0)


def fitted(kind, rows, **params):
    import sklearn.ensemble
    import sklearn.tree

    cls = getattr(sklearn.ensemble, kind, None) or getattr(sklearn.tree, kind)
    return cls(random_state=0, **params).fit(*rows)


HONEST = {
    "DecisionTreeClassifier": {}, "ExtraTreeRegressor": {"max_leaf_nodes": 9},
    "RandomForestClassifier": {"n_estimators": 3}, "ExtraTreesRegressor": {"n_estimators": 3},
    "GradientBoostingClassifier": {"n_estimators": 3}, "AdaBoostRegressor": {"n_estimators": 2},
    "BaggingClassifier": {"n_estimators": 2}, "HistGradientBoostingClassifier": {"max_iter": 3},
}  # fmt: skip


@pytest.mark.parametrize("kind", HONEST)
def test_honest_trees_need_no_trust(kind, rows, saved):
    with one_thread():
        model = fitted(kind, rows, **HONEST[kind])
        files, how = saved("sklearn", model)
        again = named("sklearn").load(files, how, Trust())
        assert (again.predict(rows[0]) == model.predict(rows[0])).all()


def nodes_of(tree):
    return tree.__getstate__()["nodes"]


def with_nodes(estimator, change):
    """The estimator with some nodes of its tree changed."""
    tree = estimator.tree_
    state = tree.__getstate__()
    state["nodes"] = state["nodes"].copy()
    change(state)
    tree.__setstate__(state)


def left_too_far(state):
    state["nodes"]["left_child"][0] = len(state["nodes"]) + 1000


def left_back(state):
    state["nodes"]["left_child"][0] = 0


def right_negative(state):
    state["nodes"]["right_child"][0] = -7


def feature_too_far(state):
    state["nodes"]["feature"][0] = 1_000_000


def feature_negative(state):
    state["nodes"]["feature"][0] = -3


def shallow(state):
    state["max_depth"] = 0


@pytest.mark.parametrize(
    "change",
    [left_too_far, left_back, right_negative, feature_too_far, feature_negative, shallow],
)
@pytest.mark.parametrize("kind", ["DecisionTreeClassifier", "RandomForestClassifier"])
def test_a_tree_that_leads_astray_is_refused_by_name(change, kind, rows, saved):
    model = fitted(kind, rows, **HONEST[kind])
    with_nodes(getattr(model, "estimators_", [model])[-1], change)
    files, how = saved("sklearn", model)
    with pytest.raises(Denied, match=TREE) as refused:
        named("sklearn").load(files, how, Trust())
    assert refused.value.kind == "untrusted"


def test_a_forest_wider_than_its_input_is_refused(rows, saved):
    model = fitted("RandomForestClassifier", rows, n_estimators=2)
    model.n_features_in_ = 2
    files, how = saved("sklearn", model)
    with pytest.raises(Denied, match=TREE):
        named("sklearn").load(files, how, Trust())


def test_a_width_that_equals_anything_is_no_width(rows):
    import numpy as np

    from modelyard.frameworks.sklearn.bounds import unchecked

    model = fitted("DecisionTreeClassifier", rows)
    assert unchecked(model) == set()
    model.n_features_in_ = np.ma.MaskedArray(5, True)
    assert unchecked(model) == {TREE}


def test_boosting_with_more_columns_than_first_predictions_is_refused(rows, saved):
    import numpy as np

    model = fitted("GradientBoostingClassifier", rows, n_estimators=2)
    model.estimators_ = np.hstack([model.estimators_] * 9)
    files, how = saved("sklearn", model)
    with pytest.raises(Denied, match=TREE):
        named("sklearn").load(files, how, Trust())


@pytest.mark.parametrize(("field", "value"), [("left", 4_000_000_000), ("feature_idx", 999)])
def test_a_histogram_tree_that_leads_astray_is_refused(field, value, rows, saved):
    with one_thread():
        model = fitted("HistGradientBoostingClassifier", rows, max_iter=2)
        model._predictors[-1][0].nodes[field][0] = value
        files, how = saved("sklearn", model)
        with pytest.raises(Denied, match="TreePredictor"):
            named("sklearn").load(files, how, Trust())


def test_what_is_not_checked_asks_for_trust(rows, saved):
    model = fitted("IsolationForest", rows, n_estimators=2)
    files, how = saved("sklearn", model)
    with pytest.raises(Denied, match=TREE):
        named("sklearn").load(files, how, Trust())
    assert named("sklearn").load(files, how, Trust.of([TREE])) is not None
