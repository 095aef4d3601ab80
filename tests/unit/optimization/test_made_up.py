"""Rows for models that come without data: as many as fit, and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from modelyard.errors import InvalidInput
from modelyard.frameworks import Saved
from modelyard.optimization.made_up import write_made_up_rows
from modelyard.optimization.state import Model

if TYPE_CHECKING:
    from pathlib import Path


def model(folder: Path, **shapes: tuple[int, ...]) -> Model:
    inputs: list[dict[str, Any]] = [
        {"name": name, "dtype": "float32", "shape": list(shape)} for name, shape in shapes.items()
    ]
    saved = Saved(framework="onnx", serializer="onnx", class_name="onnx.ModelProto")
    return Model(folder=folder, saved=saved, signature={"inputs": inputs})


@pytest.mark.slow
def test_all_inputs_have_as_many_rows_as_fit_in_all(tmp_path: Path) -> None:
    path = tmp_path / "rows.npz"
    write_made_up_rows(model(tmp_path, a=(-1, 1_000_000), b=(-1, 4)), path, seed=0)
    with np.load(path) as found:
        assert found["a"].shape == (49, 1_000_000)
        assert found["b"].shape == (49, 4)


@pytest.mark.parametrize("shapes", [
    {"a": (-1, 3_000_000)}, {"a": (-1, 1_500_000), "b": (-1, 1_500_000)},
    {"a": (-1, 2**40, 2**40)},
], ids=["large", "large-together", "beyond-int64"])  # fmt: skip
def test_rows_that_would_fill_the_memory_are_refused(
    tmp_path: Path, shapes: dict[str, tuple[int, ...]]
) -> None:
    with pytest.raises(InvalidInput) as caught:
        write_made_up_rows(model(tmp_path, **shapes), tmp_path / "rows.npz", seed=0)
    assert caught.value.kind == "needs-data"
    assert not (tmp_path / "rows.npz").exists()
