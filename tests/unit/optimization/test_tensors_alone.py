"""Tensors without a module: improved, and compared by samples of their values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import modelyard
from modelyard.core.tensor import TensorInfo
from modelyard.formats.safetensors_writer import write_head
from modelyard.frameworks import Saved
from modelyard.optimization.measuring import answers, quality
from modelyard.optimization.passes import pass_named
from modelyard.optimization.running import optimize
from modelyard.optimization.state import Model, Rows, Work
from modelyard.optimization.tensors_alone import is_tensors_alone, places

if TYPE_CHECKING:
    from pathlib import Path

RECIPE = """
objective: [size min]
constraints: [cosine>=0.999]
passes: [{cast: {dtype: [bfloat16, float16]}}]
budget: {trials: 2}
"""


@pytest.fixture
def tensors(tmp_path: Path) -> Model:
    folder = tmp_path / "tensors"
    folder.mkdir()
    rng = np.random.default_rng(0)
    values = {
        "w": rng.normal(size=(80, 70)).astype(np.float32), "b": np.arange(3, dtype=np.float32),
        "n": np.arange(4),
    }  # fmt: skip
    head, placed = write_head([TensorInfo(n, v.dtype.name, v.shape) for n, v in values.items()])
    content = head + b"".join(values[info.name].tobytes() for info in placed)
    (folder / "model.safetensors").write_bytes(content)
    saved = Saved(framework="torch", serializer="safetensors", class_name="builtins.dict")
    return Model(folder=folder, saved=saved)


def cast(model: Model, scratch: Path, **params: object) -> Model:
    scratch.mkdir()
    work = Work(task="other", train=None, valid=None, source=model, scratch=scratch, seed=1)
    made = pass_named("cast").run(model, params, work).model
    assert made is not None
    return made


def test_samples_are_of_the_same_places_whatever_the_dtype(tensors: Model, tmp_path: Path) -> None:
    assert is_tensors_alone(tensors)
    before = answers(tensors, places()).outputs["values"]
    half = cast(tensors, tmp_path / "half", dtype="bfloat16")
    after = answers(half, places()).outputs["values"]
    assert before.shape == after.shape == (96, 1024)
    assert np.allclose(before, after, rtol=1e-2)
    assert not np.array_equal(before, after)


def test_the_cosine_tells_how_much_was_left_out(tensors: Model, tmp_path: Path) -> None:
    rows = Rows(places())
    few, most = (
        cast(tensors, tmp_path / str(share), dtype="same", sparsity=share) for share in (0.2, 0.9)
    )
    assert quality(tensors, rows, task="other", source=tensors) == pytest.approx(1)
    assert quality(few, rows, task="other", source=tensors) > 0.99
    assert quality(most, rows, task="other", source=tensors) < 0.9


@pytest.mark.slow
def test_a_file_of_tensors_is_improved_without_any_data(
    tensors: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with modelyard.create(tmp_path / "yard", author="ann") as yard:
        yard.commit("lm", tensors.folder, message="tensors")
        found = optimize(yard, "lm", recipe=RECIPE)
        assert found.state == "done"
        assert len(found.published) == 1
        [edge] = yard.show("lm", found.published[0]).lineage
        assert edge.kind == "quantized-from"
