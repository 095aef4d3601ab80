"""No row is on two sides, equal rows stay together, classes are even; whatever the rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelyard.core.table import Table
from modelyard.optimization.splitting import split, task_of
from modelyard.optimization.state import Rows

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


@pytest.mark.parametrize(
    ("target", "task"),
    [
        (None, "other"),
        (np.array(["a", "b"], object), "classification"),
        (np.array([0, 1, 1]), "classification"),
        (np.array([0.5, 1.5]), "regression"),
        (np.arange(100), "regression"),
        (np.array([True, False]), "classification"),
    ],
)
def test_the_target_tells_the_task(target: np.ndarray | None, task: str) -> None:
    assert task_of(target) == task
