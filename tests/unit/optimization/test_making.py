"""What is made of a model tells its inputs, and shows no row of the data it learned from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from modelyard.core.table import Table
from modelyard.frameworks import framework_of, serializer_of
from modelyard.optimization.making import model_of_object
from modelyard.optimization.state import Model
from modelyard.registry.examples import kept_example

if TYPE_CHECKING:
    from pathlib import Path

SECRET = 1234.5


def source(folder: Path, obj: Any, rows: Table | None, example: Table | None) -> Model:
    folder.mkdir()
    framework = framework_of(obj)
    saved = framework.save(obj, folder, serializer_of(framework, None), rows)
    signature = None if rows is None else framework.signature(obj, rows)
    return Model(
        folder=folder, saved=saved, signature=signature, example=kept_example(example, signature)
    )


@pytest.fixture
def rows() -> Table:
    chance = np.random.default_rng(0)
    return Table({name: chance.normal(SECRET, 0.1, 40) for name in ("age", "income")})


@pytest.fixture
def fitted(rows: Table) -> LogisticRegression:
    return LogisticRegression().fit(rows.matrix(), np.arange(40) % 2)


def made(tmp_path: Path, obj: Any, like: Model, example: Table) -> Model:
    (tmp_path / "made").mkdir()
    return model_of_object(obj, tmp_path / "made", like=like, example=example)


def test_the_example_of_what_it_was_made_from_is_kept(
    tmp_path: Path, rows: Table, fitted: LogisticRegression
) -> None:
    shown = Table({"age": np.array([1.0]), "income": np.array([2.0])})
    like = source(tmp_path / "source", fitted, rows, shown)
    assert made(tmp_path, fitted, like, rows).example == like.example


def test_without_one_the_example_is_rows_of_nothing(
    tmp_path: Path, rows: Table, fitted: LogisticRegression
) -> None:
    like = source(tmp_path / "source", fitted, None, None)
    found = made(tmp_path, fitted, like, rows)
    assert found.signature is not None
    assert [each["name"] for each in found.signature["inputs"]] == ["age", "income"]
    assert found.example is not None
    assert [each["data"] for each in found.example["inputs"]] == [[0.0, 0.0]] * 2


def test_an_example_of_other_inputs_is_not_taken(
    tmp_path: Path, rows: Table, fitted: LogisticRegression
) -> None:
    other = Table({"age": rows.column("age")})
    narrow = LogisticRegression().fit(other.matrix(), np.arange(40) % 2)
    like = source(tmp_path / "source", narrow, other, other.take(slice(0, 2)))
    found = made(tmp_path, fitted, like, rows)
    assert "1234" not in json.dumps(found.example)


def test_what_takes_no_rows_of_nothing_has_no_example(tmp_path: Path) -> None:
    rows = Table({"town": np.array(["secret-a", "secret-b"] * 10, object)})
    obj = make_pipeline(OneHotEncoder(), LogisticRegression())
    obj.fit(rows.column("town").reshape(-1, 1), np.arange(20) % 2)
    like = source(tmp_path / "source", obj, None, None)
    found = made(tmp_path, obj, like, rows)
    assert found.signature is not None
    assert found.example is None
