"""Objects that stay in their child process answer as if they were here."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from modelyard.core.table import Table
from modelyard.core.trust import TRUST_ALL, Trust
from modelyard.errors import InvalidInput, Unavailable
from modelyard.frameworks import named
from modelyard.runtimes.isolated import isolate

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="isolation needs Linux"),
]

ROWS = np.random.default_rng(3).random((50, 3))


@pytest.fixture(scope="module")
def fitted():
    import pandas
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    frame = pandas.DataFrame(ROWS[:, :2], columns=["a", "b"])
    frame["colour"] = np.array(["red", "green"])[(ROWS[:, 2] > 0.5).astype(int)]
    columns = ColumnTransformer(
        [("n", StandardScaler(), ["a", "b"]), ("c", OneHotEncoder(), ["colour"])]
    )
    words = np.array(["no", "yes"])[(ROWS.sum(axis=1) > 1.5).astype(int)]
    return make_pipeline(columns, LogisticRegression()).fit(frame, words), frame


@pytest.fixture(scope="module")
def isolated(fitted, tmp_path_factory):
    folder = tmp_path_factory.mktemp("isolated")
    saved = named("sklearn").save(fitted[0], folder, "joblib")
    with isolate(folder, saved, trust=Trust.of(TRUST_ALL)) as obj:
        yield obj


def test_methods_give_the_arrays_of_the_object(fitted, isolated):
    obj, frame = fitted
    for method in ("predict", "predict_proba", "decision_function"):
        found, wanted = getattr(isolated, method)(frame), getattr(obj, method)(frame)
        assert found.dtype == wanted.dtype
        np.testing.assert_array_equal(found, wanted)


def test_a_table_is_as_good_as_a_frame(fitted, isolated):
    obj, frame = fitted
    table = Table({name: frame[name].to_numpy() for name in frame})
    np.testing.assert_array_equal(isolated.predict(table), obj.predict(frame))


def test_its_runtime_answers_too(fitted, isolated):
    obj, frame = fitted
    table = Table({name: np.asarray(frame[name], object if name == "colour" else None)
                   for name in frame})  # fmt: skip
    found = isolated.runtime.predict(table).outputs
    np.testing.assert_array_equal(found["label"], obj.predict(frame))


def test_params_and_structure_come_as_plain_values(isolated):
    assert isolated.params()["logisticregression__C"] == 1.0
    assert "logisticregression__C" not in isolated.get_params(deep=False)
    assert any("LogisticRegression" in line for line in isolated.structure())


def test_a_method_that_it_lacks_is_invalid_input(isolated):
    with pytest.raises(InvalidInput) as caught:
        isolated.score_samples([[1.0]])
    assert caught.value.kind == "no-method"


def test_rows_that_it_can_not_take_are_told(isolated):
    with pytest.raises(InvalidInput, match="differ in length"):
        isolated.predict([[1.0], [1.0, 2.0]])
    with pytest.raises(Unavailable) as caught:
        isolated.predict([[1.0]])
    assert caught.value.kind == "model-failed"


def test_it_says_what_and_where_it_is(tmp_path):
    saved = named("python").save(np.mean, tmp_path, "pickle")
    with isolate(tmp_path, saved, trust=Trust.of(TRUST_ALL)) as obj:
        assert repr(obj).startswith("<isolated ")
        assert "process" in repr(obj)
    assert "ended" in repr(obj)
