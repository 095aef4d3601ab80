"""No row is on two sides, equal rows stay together, classes are even; whatever the rows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelyard.core.table import Table
from modelyard.errors import InvalidInput
from modelyard.frameworks import framework_of, serializer_of
from modelyard.optimization.engines.interface import Place, Task
from modelyard.optimization.splitting import columns_of, once, read_rows, split
from modelyard.optimization.state import Model, Rows
from modelyard.optimization.trialing import parts_of

if TYPE_CHECKING:
    from pathlib import Path

SHARES = st.floats(0.1, 0.5)


@st.composite
def rows(draw: st.DrawFn) -> Rows:
    """Some with many equal ones; numbers or texts; a target of few classes, many numbers, none."""
    count = draw(st.integers(20, 300))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    distinct = draw(st.sampled_from([3, count // 3 + 1, 10 * count]))
    columns = {
        "number": rng.integers(0, distinct, count).astype(np.float64),
        "text": np.array([f"t{i}" for i in rng.integers(0, 2, count)], object),
    }
    kind = draw(st.sampled_from(["classes", "words", "numbers", "none"]))
    target = {
        "classes": rng.integers(0, 3, count),
        "words": np.array([f"w{i}" for i in rng.integers(0, 2, count)], object),
        "numbers": rng.normal(size=count), "none": None,
    }[kind]  # fmt: skip
    columns["id"] = np.arange(count)
    with_id = draw(st.booleans())
    return Rows(Table(columns if with_id else {n: columns[n] for n in ("number", "text")}), target)


def contents(part: Rows) -> set[tuple[object, ...]]:
    return set(zip(*(column.tolist() for column in part.inputs.columns.values()), strict=True))


@given(rows(), SHARES, SHARES, st.integers(0, 2**32 - 1))
@settings(max_examples=150, deadline=None)
def test_every_row_is_in_one_part_and_equal_rows_in_the_same(
    given_rows: Rows, holdout: float, valid: float, seed: int
) -> None:
    parts = split(given_rows, holdout=holdout, valid=valid, seed=seed)
    sides = [parts.train, parts.valid, parts.holdout]
    assert sum(map(len, sides)) == len(given_rows)
    known = [contents(side) for side in sides]
    assert not known[0] & known[1] | known[0] & known[2] | known[1] & known[2]
    assert set().union(*known) == contents(given_rows)


@given(rows(), SHARES, SHARES, st.integers(0, 2**32 - 1))
@settings(max_examples=50, deadline=None)
def test_the_same_rows_and_seed_give_the_same_parts(
    given_rows: Rows, holdout: float, valid: float, seed: int
) -> None:
    one, other = (split(given_rows, holdout=holdout, valid=valid, seed=seed) for _ in range(2))
    for name in ("train", "valid", "holdout"):
        left, right = getattr(one, name), getattr(other, name)
        for column in left.inputs.names:
            assert (left.inputs.column(column) == right.inputs.column(column)).all()


@given(st.integers(100, 1000), st.integers(2, 5), SHARES, SHARES, st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_shares_are_as_asked_for_in_every_class(
    count: int, classes: int, holdout: float, valid: float, seed: int
) -> None:
    target = np.arange(count) % classes
    parts = split(
        Rows(Table({"id": np.arange(count)}), target), holdout=holdout, valid=valid, seed=seed
    )
    for label in range(classes):
        own = int((target == label).sum())
        assert parts.holdout.target is not None
        assert parts.valid.target is not None
        assert abs(int((parts.holdout.target == label).sum()) - own * holdout) <= 1
        assert abs(int((parts.valid.target == label).sum()) - own * (1 - holdout) * valid) <= 2


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_chance_does_not_depend_on_the_order_of_other_seeds(seed: int) -> None:
    given_rows = Rows(Table({"id": np.arange(200)}), None)
    one = split(given_rows, holdout=0.3, valid=0.2, seed=seed)
    other = split(given_rows, holdout=0.3, valid=0.2, seed=(seed + 1) % 2**32)
    assert contents(one.holdout) != contents(other.holdout)


def _with_ids(copies: int = 3) -> Rows:
    """Each row several times, under an id of its own."""
    rng = np.random.default_rng(0)
    values = np.repeat(rng.normal(size=100), copies)
    order = rng.permutation(len(values))
    inputs = Table({"a": values[order], "id": np.arange(len(values))})
    return Rows(inputs, (values[order] > 0).astype(int))


def _values(rows: Rows) -> set[float]:
    return set(rows.inputs.column("a").tolist())


def _tree(rows: Rows, folder: Path) -> Model:
    """Fitted with the column `a` by its name, and kept without a signature."""
    from sklearn.tree import DecisionTreeClassifier

    folder.mkdir()
    frame = rows.inputs.select(["a"]).frame()
    tree = DecisionTreeClassifier(random_state=0).fit(frame, rows.target)
    framework = framework_of(tree)
    saved = framework.save(tree, folder, serializer_of(framework, None))
    return Model(folder=folder, saved=saved)


def test_copies_that_an_id_tells_apart_stay_together() -> None:
    given_rows = _with_ids()
    parts = split(given_rows, holdout=0.3, valid=0.2, seed=0, columns=("a",))
    train, valid, holdout = map(_values, (parts.train, parts.valid, parts.holdout))
    assert not train & valid | train & holdout | valid & holdout
    assert abs(len(parts.holdout) - 90) <= 3


def test_the_signature_tells_which_columns_a_model_takes(tmp_path: Path) -> None:
    given_rows = _with_ids()
    tree = _tree(given_rows, tmp_path / "tree")
    named = replace(tree, signature={"inputs": [{"name": "a", "dtype": "float64", "shape": [-1]}]})
    assert columns_of(named, given_rows.inputs) == ("a",)
    other = replace(tree, signature={"inputs": [{"name": "input", "shape": [-1, 1]}]})
    assert columns_of(other, given_rows.inputs) == ()
    assert columns_of(other, given_rows.inputs, may_load=True) == ("a",)
    assert columns_of(tree, given_rows.inputs.without("a"), may_load=True) == ()


def test_a_task_is_split_by_what_its_model_takes(tmp_path: Path) -> None:
    given_rows = _with_ids()
    assert given_rows.target is not None
    a, each = (given_rows.inputs.column(name) for name in ("a", "id"))
    np.savez(tmp_path / "rows.npz", a=a, id=each, y=given_rows.target)
    source = Place.of(_tree(given_rows, tmp_path / "tree"))
    parts = parts_of(Task(
        kind="trial", trial=0, source=source, out=str(tmp_path), made=str(tmp_path),
        data=str(tmp_path / "rows.npz"), target="y", task="classification",
    ))  # fmt: skip
    assert parts is not None
    train, valid, holdout = map(_values, (parts.train, parts.valid, parts.holdout))
    assert not train & valid | train & holdout | valid & holdout


def test_of_equal_rows_one_is_left() -> None:
    left = once(_with_ids(), ("a",))
    assert len(left) == 100
    assert len(_values(left)) == 100
    assert len(once(_with_ids())) == 300


@pytest.mark.slow
def test_a_small_file_of_very_many_rows_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, x=np.zeros(130_000_000, np.int64), y=np.zeros(20, np.int8))
    assert path.stat().st_size < 2_000_000
    with pytest.raises(InvalidInput) as caught:
        read_rows(path, "y")
    assert caught.value.kind == "bad-data"
    assert "may take 1.0" in str(caught.value)
