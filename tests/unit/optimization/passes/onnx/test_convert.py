"""Models of scikit-learn and boosted trees as ONNX graphs answer as they do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from modelyard.core.table import Table
from modelyard.errors import InvalidInput, Unsupported
from modelyard.optimization.measuring import predictions
from modelyard.optimization.passes import pass_named
from modelyard.optimization.passes.onnx.parity import compared
from modelyard.runtimes import runtime_of

if TYPE_CHECKING:
    from collections.abc import Callable

pytest.importorskip("sklearn")
pytest.importorskip("skl2onnx")
pytest.importorskip("onnxruntime")

from sklearn import (
    compose,
    datasets,
    decomposition,
    ensemble,
    impute,
    linear_model,
    neural_network,
    pipeline,
    preprocessing,
    svm,
)

CONVERT: Any = pass_named("to-onnx")


def flowers() -> tuple[Table, Any]:
    found = datasets.load_iris(as_frame=True)
    return Table.of(found.data), found.target.to_numpy()


ESTIMATORS = {
    "linear": lambda: linear_model.LogisticRegression(max_iter=500),
    "forest": lambda: ensemble.RandomForestClassifier(20, random_state=0),
    "histogram": lambda: ensemble.HistGradientBoostingClassifier(max_iter=5, random_state=0),
    "scaled forest": lambda: pipeline.make_pipeline(
        preprocessing.StandardScaler(), ensemble.RandomForestClassifier(20, random_state=0)
    ),
    "svm": lambda: svm.SVC(),
    "network": lambda: neural_network.MLPClassifier((8,), max_iter=50, random_state=0),
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("named", [True, False], ids=["columns by name", "a matrix"])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_an_estimator_answers_the_same_as_a_graph(
    bench: Callable[..., Any], name: str, named: bool
) -> None:
    table, target = flowers()
    rows = table if named else Table({"data": table.matrix()})
    fitted = ESTIMATORS[name]().fit(rows.frame() if named else rows.matrix(), target)
    model, work = bench(fitted, rows)
    made = CONVERT.run(model, {}, work())
    assert made.model is not None
    parity = made.model.saved.details["parity"]
    assert parity["labels_equal"] == 1
    assert parity["max_difference"] < 1e-5
    inputs = [each["name"] for each in made.model.signature["inputs"]]
    assert inputs == (list(table.names) if named else ["input"])
    assert CONVERT.run(model, {}, work()).model.digest == made.model.digest


NO_PROBABILITIES = {
    "linear svm": lambda: svm.LinearSVC(random_state=0),
    "scaled linear svm": lambda: pipeline.make_pipeline(
        preprocessing.StandardScaler(), svm.LinearSVC(random_state=0)
    ),
    "ridge": lambda: linear_model.RidgeClassifier(),
    "descent": lambda: linear_model.SGDClassifier(random_state=0),
}


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("named", [True, False], ids=["columns by name", "a matrix"])
@pytest.mark.parametrize("name", NO_PROBABILITIES)
def test_who_tells_no_probabilities_gives_labels_alone(
    bench: Callable[..., Any], name: str, named: bool, classes: int
) -> None:
    table, target = flowers()
    few = target < classes
    table, target = table.take(few), target[few]
    rows = table if named else Table({"data": table.matrix()})
    fitted = NO_PROBABILITIES[name]().fit(rows.frame() if named else rows.matrix(), target)
    model, work = bench(fitted, rows)

    made = CONVERT.run(model, {}, work()).model

    assert made.saved.details["parity"]["labels_equal"] == 1
    said = predictions(made, rows)
    assert list(said) == ["label"]
    assert np.array_equal(said["label"], predictions(model, rows)["label"])


def test_texts_and_missing_numbers_go_through_the_steps_of_a_pipeline(
    bench: Callable[..., Any],
) -> None:
    table, target = flowers()
    rng = np.random.default_rng(0)
    first = table.column(table.names[0]).copy()
    first[::7] = np.nan
    colours = np.array(["red", "green", "blue"], object)[rng.integers(0, 3, len(table))]
    rows = Table({**table.columns, table.names[0]: first, "colour": colours})
    steps = compose.ColumnTransformer([
        ("numbers", impute.SimpleImputer(), list(table.names)),
        ("texts", preprocessing.OneHotEncoder(sparse_output=False), ["colour"]),
    ])  # fmt: skip
    forest = ensemble.RandomForestClassifier(10, random_state=0)
    fitted = pipeline.Pipeline([("prepare", steps), ("clf", forest)]).fit(rows.frame(), target)
    model, work = bench(fitted, rows)
    made = CONVERT.run(model, {}, work())
    assert made.model.saved.details["parity"]["labels_equal"] == 1
    assert [each["name"] for each in made.model.signature["inputs"]] == list(rows.names)


def test_a_number_is_one_for_each_row(bench: Callable[..., Any]) -> None:
    data, target = datasets.load_diabetes(return_X_y=True)
    rows = Table({"data": data})
    model, work = bench(linear_model.Ridge().fit(data, target), rows)
    made = CONVERT.run(model, {}, work()).model
    with runtime_of("onnx", made.load(), made.signature) as runtime:  # type: ignore[attr-defined]
        assert runtime.predict(rows).outputs["prediction"].shape == (len(rows),)


SEVERAL = {
    "linear": linear_model.LinearRegression,
    "ridge": linear_model.Ridge,
    "network": lambda: neural_network.MLPRegressor(
        hidden_layer_sizes=(4,), max_iter=5, random_state=0
    ),
    "forest": lambda: ensemble.RandomForestRegressor(5, random_state=0),
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("named", [True, False], ids=["columns by name", "a matrix"])
@pytest.mark.parametrize("name", SEVERAL)
def test_several_targets_are_several_columns(
    bench: Callable[..., Any], name: str, named: bool
) -> None:
    table, _ = flowers()
    rows = table if named else Table({"data": table.matrix()})
    targets = np.stack([table.matrix()[:, 0] * 2, table.matrix().sum(axis=1)], axis=1)
    fitted = SEVERAL[name]().fit(rows.frame() if named else rows.matrix(), targets)
    model, work = bench(fitted, rows)
    made = CONVERT.run(model, {}, work()).model
    said = predictions(made, rows)
    assert said["prediction"].shape == (len(rows), 2)
    np.testing.assert_allclose(
        said["prediction"], predictions(model, rows)["prediction"], rtol=1e-4
    )
    assert CONVERT.run(model, {}, work()).model.digest == made.digest


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("named", [True, False], ids=["columns by name", "a matrix"])
def test_what_transforms_gives_an_embedding(
    bench: Callable[..., Any], named: bool, count: int
) -> None:
    table, _ = flowers()
    rows = table if named else Table({"data": table.matrix()})
    for estimator in (preprocessing.StandardScaler(), decomposition.PCA(count, random_state=0)):
        fitted = estimator.fit(rows.frame() if named else rows.matrix())
        model, work = bench(fitted, rows)
        made = CONVERT.run(model, {}, work()).model
        said, wanted = predictions(made, rows), predictions(model, rows)
        assert list(said) == list(wanted) == ["embedding"]
        np.testing.assert_allclose(said["embedding"], wanted["embedding"], atol=1e-4)


def test_columns_called_as_the_graph_calls_things_leave_it_as_it_was() -> None:
    import onnx

    from modelyard.optimization.passes.onnx.protos import with_columns

    make = onnx.helper
    weights = onnx.numpy_helper.from_array(np.ones((2, 3), np.float32), "w")
    proto = make.make_model(
        make.make_graph(
            [make.make_node("MatMul", ["input", "w"], ["label"])], "g",
            [make.make_tensor_value_info("input", 1, ["b", 2])],
            [make.make_tensor_value_info("label", 1, ["b", 3])], [weights],
        ),
        opset_imports=[make.make_opsetid("", 17)], ir_version=8,
    )  # fmt: skip
    onnx.checker.check_model(with_columns(proto, ("input", "label")), full_check=True)


@pytest.mark.parametrize("theirs", [np.array([1.0, 2.0], np.float32), np.array(["1", "2"], object)])
def test_one_label_is_one_however_it_is_written(theirs: Any) -> None:
    assert compared({"label": np.array([1, 2])}, {"label": theirs}).labels_equal == 1
    texts = np.array(["1", "2"], object)
    assert compared({"label": texts}, {"label": theirs}).labels_equal == 1


@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
def test_boosted_trees_keep_their_columns(bench: Callable[..., Any], library: str) -> None:
    found = pytest.importorskip(library)
    table, target = flowers()
    cls = found.XGBClassifier if library == "xgboost" else found.LGBMClassifier
    quiet = {} if library == "xgboost" else {"verbose": -1}
    fitted = cls(n_estimators=4, **quiet).fit(table.frame(), target)
    model, work = bench(fitted, table)
    made = CONVERT.run(model, {}, work()).model
    assert made.saved.details["parity"]["labels_equal"] == 1
    assert [each["name"] for each in made.signature["inputs"]] == list(table.names)


def test_models_that_disagree_are_refused() -> None:
    ours = {"prediction": np.linspace(0, 1, 50)}
    compared(ours, {"prediction": ours["prediction"] + 1e-6}).refuse(1e-4)
    with pytest.raises(Unsupported, match=r"the converted model differs by 0\.01 on 50 rows"):
        compared(ours, {"prediction": ours["prediction"] + 0.01}).refuse(1e-4)
    with pytest.raises(Unsupported, match="does not give 'label'"):
        compared({"label": np.arange(3)}, ours)
    turned = compared({"label": np.arange(10)}, {"label": np.arange(10)[::-1]})
    with pytest.raises(Unsupported, match=r"0\.00% equal labels"):
        turned.refuse(1.0)


def test_numbers_that_are_not_finite_must_be_so_in_both() -> None:
    nothing = {"prediction": np.array([1.0, np.nan, np.inf])}
    assert compared(nothing, nothing).max_difference == 0
    wrong = {"prediction": np.array([1.0, 2.0, np.inf])}
    assert compared(nothing, wrong).max_difference == np.inf


def test_a_graph_is_left_as_it_is(bench: Callable[..., Any], network: Any) -> None:
    proto, rows = network
    model, work = bench(proto, rows)
    assert CONVERT.run(model, {}, work()).why == "it is an ONNX graph already"


def test_a_tolerance_must_be_a_number(bench: Callable[..., Any]) -> None:
    table, target = flowers()
    model, work = bench(ESTIMATORS["linear"]().fit(table.frame(), target), table)
    with pytest.raises(InvalidInput) as caught:
        CONVERT.run(model, {"tolerance": "small"}, work())
    assert caught.value.kind == "bad-pass-option"


def test_what_no_converter_knows_says_so(bench: Callable[..., Any]) -> None:
    table, target = flowers()
    odd = pipeline.make_pipeline(preprocessing.FunctionTransformer(np.sign), svm.SVC())
    odd.fit(table.matrix(), target)
    model, work = bench(odd, Table({"data": table.matrix()}))
    with pytest.raises(Unsupported) as caught:
        CONVERT.run(model, {}, work())
    assert caught.value.kind == "not-improvable"
