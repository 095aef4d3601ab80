"""The rows that a commit keeps, to try a version before it is served."""

from __future__ import annotations

import numpy as np
import pytest

import modelyard
from modelyard.core.manifest import Manifest
from modelyard.registry.examples import kept_example
from modelyard.registry.saving import stored
from modelyard.runtimes.examples import example_of, put_example
from modelyard.runtimes.tensors import TensorSpec

MATRIX = np.random.default_rng(1).random((40, 3)).astype(np.float32)


def again(example, specs, folder):
    """What a server finds beside the files."""
    told = Manifest.decode(Manifest(example=example).encode()).example
    assert put_example(folder, told)
    return example_of(folder, None, specs)


def test_sixteen_rows_come_back_bit_for_bit(tmp_path):
    signature = {"inputs": [{"name": "x", "dtype": "float32", "shape": [-1, 3]}]}
    kept = kept_example(MATRIX, signature)
    found = again(kept, [TensorSpec("x", "float32", (-1, 3))], tmp_path)
    np.testing.assert_array_equal(found["x"], MATRIX[:16])
    assert found["x"].dtype == np.float32


def test_columns_of_a_frame_are_kept_with_gaps(tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"age": [20.5, None], "city": ["Ulm", None]})
    kept = kept_example(frame, None)
    specs = [TensorSpec("age", "float64", (-1,)), TensorSpec("city", "string", (-1,))]
    found = again(kept, specs, tmp_path)
    assert found["age"][0] == 20.5
    assert np.isnan(found["age"][1])
    assert found["city"].tolist() == ["Ulm", ""]


def test_columns_fill_the_matrix_of_a_graph(tmp_path):
    kept = kept_example({"a": [1.0, 2.0], "b": [3, 4]}, None)
    found = again(kept, [TensorSpec("X", "float32", (-1, 2))], tmp_path)
    assert found["X"].tolist() == [[1, 3], [2, 4]]


def test_wide_rows_are_fewer_and_too_wide_ones_none():
    assert kept_example(np.ones((16, 1000)), None)["inputs"][0]["shape"] == [2, 1000]
    assert kept_example(np.ones((1, 100_000)), None) is None
    assert kept_example(None, None) is None
    assert kept_example(object(), None) is None


def test_rows_that_do_not_fit_are_made_anew(tmp_path):
    kept = kept_example(MATRIX, None)
    found = again(kept, [TensorSpec("x", "int64", (-1, 5))], tmp_path)
    assert found["x"].shape == (2, 5)


def test_a_commit_keeps_its_example(tmp_path):
    pytest.importorskip("sklearn")
    from sklearn.linear_model import LinearRegression

    fitted = LinearRegression().fit(MATRIX, MATRIX[:, 0])
    with modelyard.open(tmp_path / "yard") as yard:
        yard.commit("line", fitted, example=MATRIX)
        with stored(yard.desk, "line", None) as version:
            assert version.manifest.example["inputs"][0]["shape"] == [16, 3]
            assert version.manifest.example["inputs"][0]["name"] == "input"
