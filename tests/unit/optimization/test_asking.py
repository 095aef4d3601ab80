"""What `modelyard.optimize` is asked for is looked at before anything begins."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

import modelyard
from modelyard.errors import Conflict, InvalidInput, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.core.yard import Yard

FRAME = pd.DataFrame({"a": [1.0, 2.0], "kind": [0, 1]})


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Any]:
    """A yard with a version of `m`."""
    (tmp_path / "weights.bin").write_bytes(b"one")
    with modelyard.create(tmp_path / "yard", author="ann") as made:
        made.commit("m", tmp_path / "weights.bin")
        yield made


def refused(yard: Any, **asked: Any) -> InvalidInput:
    """The refusal, after which nothing has begun."""
    with pytest.raises(InvalidInput) as caught:
        modelyard.optimize(yard, "m", **asked)
    assert list(yard.optimizations.list()) == []
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize("data", [FRAME, np.zeros((3, 2)), [[1.0, 2.0]], 7])
def test_rows_are_given_as_a_file_or_a_dataset(yard: Yard, data: object) -> None:
    error = refused(yard, data=data, target="kind")
    assert error.kind == "bad-data"
    assert type(data).__name__ in error.message
    assert len(error.message) < 100
    assert "to_parquet" in str(error.hint)


@pytest.mark.parametrize("recipe", [42, ["tune"], {"passes": ["tune"]}])
def test_a_recipe_is_a_name_a_file_or_a_recipe(yard: Yard, recipe: object) -> None:
    error = refused(yard, recipe=recipe)
    assert error.kind == "wrong-recipe"
    assert type(recipe).__name__ in error.message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("recipe", "tune"), ("data", "rows.csv"), ("target", "kind"), ("budget", 60.0),
        ("trials", 3), ("alias", "prod"), ("seed", 0),
    ],
)  # fmt: skip
def test_what_is_gone_on_with_keeps_what_it_began_with(yard: Yard, name: str, value: Any) -> None:
    error = refused(yard, resume=1, **{name: value})
    assert error.kind == "resumed-as-begun"
    assert name in error.message


def test_the_engine_of_what_is_gone_on_with_may_be_another(yard: Yard) -> None:
    with pytest.raises(NotFound, match="no optimization 1"):
        modelyard.optimize(yard, "m", resume=1, engine="local", data=None)


def test_names_and_paths_are_passed_on(yard: Yard) -> None:
    with pytest.raises(NotFound, match="nothing"):
        modelyard.optimize(yard, "m", recipe="nothing", data="rows.csv")
    with pytest.raises(NotFound, match="none"):
        modelyard.optimize(yard, "m", recipe=Path("none.yaml"), data=Path("rows.csv"))


def test_an_alias_that_is_a_branch_is_refused_before_anything_runs(yard: Yard) -> None:
    with pytest.raises(Conflict) as caught:
        modelyard.optimize(yard, "m", alias="main")
    assert caught.value.kind == "ref-exists"
    assert list(yard.optimizations.list()) == []
