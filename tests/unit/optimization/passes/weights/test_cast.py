"""Weights of files in fewer bits, piece by piece."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.unit.optimization.passes.weights.samples import tensors_in, write_file

from modelyard.core.tensor import TensorInfo
from modelyard.errors import InvalidInput, Unsupported
from modelyard.formats import inspect
from modelyard.formats.safetensors_writer import write_head
from modelyard.frameworks import Saved
from modelyard.optimization.passes import pass_named
from modelyard.optimization.passes.weights.streams import Change, limit_of, sources_of
from modelyard.optimization.state import Model, Subject

if TYPE_CHECKING:
    from collections.abc import Callable

CAST = pass_named("cast")


@pytest.fixture
def arrays() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {
        "a.weight": rng.normal(size=(50, 40)).astype(np.float32),
        "a.bias": rng.normal(size=50).astype(np.float32),
        "wide": rng.normal(size=(3, 3)),
        "count": np.arange(4),
    }


@pytest.mark.parametrize(("dtype", "error"), [("float16", 2e-3), ("bfloat16", 2e-2)])
def test_floats_take_half_the_bytes_and_all_else_is_as_it_was(
    dtype: str, error: float, tmp_path: Path, arrays: dict[str, Any], run: Callable[..., Any]
) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    write_file(folder / "model.safetensors", arrays, format="pt", about="me")
    (folder / "README.md").write_text("read me")
    made = run(folder, dtype=dtype).model
    found = tensors_in(made.folder / "model.safetensors")
    assert found["count"][0] == "int64"
    assert {found[name][0] for name in ("a.weight", "a.bias", "wide")} == {dtype}
    for name, values in arrays.items():
        assert np.abs(found[name][1] - values).max() <= error * np.abs(values).max()
    assert (made.folder / "README.md").read_text() == "read me"
    with (made.folder / "model.safetensors").open("rb") as file:
        assert inspect(file, "model.safetensors").metadata["metadata"]["about"] == "me"
    again = run(folder, dtype=dtype).model
    assert again.digest == made.digest


def test_a_value_beyond_float16_is_told_and_nothing_is_made(
    tmp_path: Path, run: Callable[..., Any]
) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    values = np.array([[1.0, 1e6]], np.float32)
    write_file(folder / "model.safetensors", {"w": values})
    made = run(folder, dtype="float16")
    assert made.model is None
    assert made.why == "a value of w is beyond what float16 can hold"
    kept = run(folder, dtype="bfloat16").model
    assert tensors_in(kept.folder / "model.safetensors")["w"][1][0, 1] == pytest.approx(1e6, 0.01)


def test_the_smallest_weights_of_all_become_zero(
    tmp_path: Path, arrays: dict[str, Any], run: Callable[..., Any]
) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    large = {**arrays, "large": 10 * np.ones((50, 40), np.float32)}
    write_file(folder / "model.safetensors", large)
    made = run(folder, dtype="same", sparsity=0.4).model
    found = tensors_in(made.folder / "model.safetensors")
    assert (found["large"][1] == 10).all()
    assert (found["a.bias"][1] == arrays["a.bias"]).all()
    weight, was = found["a.weight"][1], arrays["a.weight"]
    share = (weight == 0).sum() / (2 * weight.size)
    assert 0.38 <= share <= 0.4
    assert np.abs(was[weight == 0]).max() <= np.abs(was[weight != 0]).min()
    assert (weight[weight != 0] == was[weight != 0]).all()


def test_shards_stay_shards_and_their_index_tells_the_new_size(
    tmp_path: Path, arrays: dict[str, Any], run: Callable[..., Any]
) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    names = ["m-00001-of-00002.safetensors", "m-00002-of-00002.safetensors"]
    write_file(folder / names[0], {"a": arrays["a.weight"]})
    write_file(folder / names[1], {"b": arrays["a.bias"]})
    index = {"metadata": {"total_size": 8200}, "weight_map": {"a": names[0], "b": names[1]}}
    (folder / "m.safetensors.index.json").write_text(json.dumps(index))
    made = run(folder, Saved(framework="torch", serializer="safetensors", class_name="x")).model
    told = json.loads((made.folder / "m.safetensors.index.json").read_text())
    assert told["metadata"]["total_size"] == 4100
    assert told["weight_map"] == index["weight_map"]
    assert tensors_in(made.folder / names[1])["b"][0] == "bfloat16"


def test_npz_files_stay_npz_with_columns_where_they_were(
    tmp_path: Path, arrays: dict[str, Any], run: Callable[..., Any]
) -> None:
    saved = Saved(framework="numpy", serializer="npz", class_name="dict")
    for write in (np.savez, np.savez_compressed):
        folder = tmp_path / write.__name__
        folder.mkdir()
        write(folder / "w.npz", a=np.asfortranarray(arrays["a.weight"]), n=arrays["count"])
        made = run(folder, saved, dtype="float16").model
        with np.load(made.folder / "w.npz") as found:
            assert found["a"].dtype == np.float16
            assert np.allclose(found["a"], arrays["a.weight"], atol=2e-3)
            assert (found["n"] == arrays["count"]).all()
    with pytest.raises(Unsupported, match="bfloat16"):
        run(folder, saved, dtype="bfloat16")


def test_options_and_models_that_cannot_be_are_refused(
    tmp_path: Path, arrays: dict[str, Any], run: Callable[..., Any]
) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    write_file(folder / "model.safetensors", {"n": arrays["count"]})
    assert "no more bits" in run(folder).why
    for params in ({"dtype": "int3"}, {"sparsity": 1.0}, {"sparsity": "half"}):
        with pytest.raises(InvalidInput) as caught:
            run(folder, **params)
        assert caught.value.kind == "bad-pass-option"
    (folder / "model.safetensors").rename(folder / "model.txt")
    with pytest.raises(Unsupported) as refused:
        run(folder, Saved(framework="torch", serializer="safetensors", class_name="x"))
    assert refused.value.kind == "not-improvable"
    subject = Subject(framework="onnx", serializer="onnx", class_name="x", size=1)
    assert "quantize" in (CAST.why_not(subject) or "")


def test_the_limit_is_the_same_however_weights_are_cut_into_pieces(
    tmp_path: Path, arrays: dict[str, Any]
) -> None:
    whole, parts = tmp_path / "whole.safetensors", tmp_path / "parts.safetensors"
    weight = arrays["a.weight"]
    write_file(whole, {"w": weight})
    write_file(parts, {f"w{i}": weight[i : i + 5] for i in range(0, 50, 5)})
    for sparsity in (0.1, 0.5, 0.9):
        assert limit_of(sources_of(whole)[0], sparsity) == limit_of(sources_of(parts)[0], sparsity)
    assert Change(None).dtype_of(sources_of(whole)[0][0].info) == "float32"


@pytest.mark.slow
@pytest.mark.heavy
def test_modules_and_files_of_torch_load_again_in_fewer_bits(
    tmp_path: Path, run: Callable[..., Any]
) -> None:
    torch = pytest.importorskip("torch")
    from torch import nn

    from modelyard.frameworks import named

    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(144, 64))
    pictures = torch.randn(5, 1, 8, 8)
    pair = (net, torch.optim.Adam(net.parameters()))
    for serializer in ("safetensors", "torch"):
        folder = tmp_path / serializer
        folder.mkdir()
        saved = named("torch").save(pair, folder, serializer)
        made = run(folder, saved, dtype="float16").model
        again = made.load()
        assert again[0].weight.dtype == torch.float16
        said = again.eval()(pictures.half()).float()
        assert torch.allclose(said, net.eval()(pictures), atol=5e-3)
        assert made.size < 0.6 * Model(folder=folder, saved=saved).size
    state = tmp_path / "state"
    state.mkdir()
    weight = torch.randn(20, 30)
    torch.save({"model": {"w": weight, "tied": weight, "turned": weight.T}}, state / "m.pt")
    made = run(state).model
    loaded = made.load()
    assert torch.allclose(loaded["model.turned"].float(), weight.T, atol=2e-2)
    assert torch.equal(loaded["model.tied"], loaded["model.w"])
    assert made.size < 3000


# The peak is read from /proc: `ru_maxrss` begins with what the parent had when it forked.
_CHILD = """
import re, sys
from pathlib import Path
from modelyard.frameworks import Saved
from modelyard.optimization.passes.weights.cast import PASS
from modelyard.optimization.state import Model, Work
folder, scratch = map(Path, sys.argv[1:])
saved = Saved(framework="torch", serializer="safetensors", class_name="builtins.dict")
model = Model(folder=folder, saved=saved)
work = Work(task="other", train=None, valid=None, source=model, scratch=scratch, seed=1)
made = PASS.run(model, {"dtype": "bfloat16"}, work)
peak = re.search(r"VmHWM:\\s+([0-9]+) kB", Path("/proc/self/status").read_text())
print(made.model.size, int(peak[1]) // 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells the peak")
def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    folder, scratch = tmp_path / "files", tmp_path / "scratch"
    folder.mkdir()
    scratch.mkdir()
    infos = [TensorInfo("huge", "float32", (1 << 14, 1 << 15)), TensorInfo("b", "float32", (9,))]
    head, placed = write_head(infos)
    with (folder / "model.safetensors").open("wb") as file:  # zeros that take no room on the disk
        file.write(head)
        file.truncate(max(info.end or 0 for info in placed))
    command = [sys.executable, "-c", _CHILD, str(folder), str(scratch)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=500)
    size, memory = map(int, done.stdout.split())
    assert size == pytest.approx((1 << 30) + len(head), abs=200)
    assert memory < 400
    (scratch / "model" / "model.safetensors").unlink()
