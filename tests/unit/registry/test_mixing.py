"""Mixing streamed from the store: the same bits as in memory, or nothing at all."""

from __future__ import annotations

import json
from threading import Lock

import numpy as np
import pytest

from modelyard.core.mixing import Mix, Room, mix_whole
from modelyard.errors import Conflict, Corrupt
from modelyard.registry import create, mixing_stream, open_yard
from modelyard.registry.mixing_stream import Mixer
from modelyard.testing.models import read_tree, safetensors_bytes, to_bfloat16, write_tree

METHODS = {
    "average": {}, "weighted": {"weights": [1, 3]}, "slerp": {}, "task-arithmetic": {"scale": 0.5},
    "ties": {"density": 0.3}, "dare": {"seed": 5},
}  # fmt: skip


@pytest.fixture
def yard(tmp_path):
    with create(tmp_path / "yard") as made:
        yield made


def network(seed, dtype="float32"):
    """Small tensors, one of many chunks, and some that are tiny: in all 6 MB of float32."""
    start, steps = np.random.default_rng(0), np.random.default_rng(seed)
    shapes = {"wide": (1100, 1000), "norm": (7,), "one": (), "deep": (400, 1000), "none": (0, 3)}
    shapes |= {f"tiny{i}": (5,) for i in range(40)}
    made = {}
    for name, shape in shapes.items():
        values = start.standard_normal(shape) + seed * 0.01 * steps.standard_normal(shape)
        values = np.asarray(values, "f4")
        made[name] = to_bfloat16(values) if dtype == "bfloat16" else values.astype(dtype)
    return made


def commit(yard, tmp_path, files, **rest):
    folder = tmp_path / f"files-{len(list(tmp_path.iterdir()))}"
    return yard.commit("m", write_tree(folder, files), **rest)


def three(yard, tmp_path, dtype="float32"):
    sides = [network(seed, dtype) for seed in (0, 1, 2)]
    for seed, tensors in enumerate(sides):
        files = {"model.safetensors": safetensors_bytes(tensors)}
        commit(yard, tmp_path, files, branch=f"b{seed}", parent=1 if seed else None)
    return sides


def read(yard, tmp_path, revision):
    dest = tmp_path / f"out-{len(list(tmp_path.iterdir()))}"
    yard.checkout("m", revision, dest)
    return read_tree(dest)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("piece", [None, 1 << 20])
def test_streaming_gives_what_memory_gives(yard, tmp_path, monkeypatch, method, dtype, piece):
    if piece is not None:  # tensors larger than a piece are read in several rounds
        monkeypatch.setattr(mixing_stream, "_LARGEST", piece)
        monkeypatch.setattr(mixing_stream, "_LARGEST_SURVEYED", piece)
    base, *sides = three(yard, tmp_path, dtype)
    done = yard.mix("m", [2, 3], method=method, into="new", **METHODS[method])
    mix = Mix.parse(method, 2, **METHODS[method])
    expected = {}
    for name, values in sides[0].items():
        data = [side[name].tobytes() for side in (*sides, base)]
        raw = [np.frombuffer(content, np.uint8) for content in data]
        under = raw[2] if mix.needs_base else None
        made = mix_whole(mix, name, dtype, raw[:2], under, Room())
        expected[name] = made.view(values.dtype).reshape(values.shape)
    assert read(yard, tmp_path, "new")["model.safetensors"] == safetensors_bytes(expected)
    assert done.tensors == len(expected)
    assert yard.verify().ok


def test_tensors_in_another_order_and_other_files_are_found(yard, tmp_path):
    first, second = network(1), network(2)
    names = sorted(second)
    commit(yard, tmp_path, {"model.safetensors": safetensors_bytes(first)})
    shards = {
        "x.safetensors": safetensors_bytes({n: second[n] for n in reversed(names[:9])}),
        "y/z.safetensors": safetensors_bytes({n: second[n] for n in names[9:]}),
    }
    commit(yard, tmp_path, shards, branch="b")
    yard.mix("m", ["main", "b"], method="average")
    mean = {name: (first[name] + second[name]) / np.float32(2) for name in first}
    for name, values in mean.items():
        assert np.allclose(yard.tensor("m", "main", name), values, rtol=1e-6), name


def test_a_failure_in_a_thread_ends_all_and_leaves_nothing(yard, tmp_path, monkeypatch):
    three(yard, tmp_path)
    real, calls = Mixer.bytes_of, []

    def failing(self, stretches, room):
        calls.append(1)
        if len(calls) == 3:
            raise Corrupt("bad-chunk", "damaged")
        return real(self, stretches, room)

    monkeypatch.setattr(mixing_stream, "_LARGEST", 1 << 20)
    monkeypatch.setattr(Mixer, "bytes_of", failing)
    with pytest.raises(Corrupt):
        yard.mix("m", [2, 3], method="average")
    monkeypatch.undo()
    assert [v.number for v in yard.log("m")] == [3, 2, 1]
    assert {p.name for p in (tmp_path / "yard").iterdir()} >= {"yard.toml", "store"}
    assert yard.verify().ok
    assert yard.mix("m", [2, 3], method="average").number == 4


def test_a_branch_that_moved_meanwhile_is_a_conflict(yard, tmp_path, monkeypatch):
    three(yard, tmp_path)
    with open_yard(tmp_path / "yard") as other:
        first = Lock()  # progress is told by every thread that mixes

        def move(progress):
            if first.acquire(blocking=False):
                commit(other, tmp_path, {"a.txt": b"a"}, branch="b1")

        with pytest.raises(Conflict) as caught:
            yard.mix("m", ["b1", "b2"], method="average", progress=move)
    assert caught.value.kind == "branch-moved"
    assert yard.resolve("m", "b1").number == 4


def test_progress_goes_to_the_end(yard, tmp_path):
    three(yard, tmp_path)
    told = []
    yard.mix("m", [2, 3], method="average", progress=told.append)
    assert {report.phase for report in told} == {"mix"}
    assert told[-1].done == told[-1].total


def test_a_mixture_is_rebuilt_from_the_store(yard, tmp_path):
    three(yard, tmp_path)
    yard.mix("m", [2, 3], method="average", into="new")
    before = read(yard, tmp_path, "new")
    assert yard.verify(rebuild=True).ok
    assert read(yard, tmp_path, "new") == before
    assert yard.resolve("m", "new").parents == (2, 3)


@pytest.mark.slow
@pytest.mark.heavy
def test_torch_files_become_safetensors(yard, tmp_path):
    import torch

    for seed, branch in ((1, "main"), (2, "b")):
        torch.manual_seed(seed)
        layer = torch.nn.Sequential(torch.nn.Linear(300, 400), torch.nn.BatchNorm1d(400))
        state = layer.state_dict() | {"1.num_batches_tracked": torch.tensor(seed)}
        (tmp_path / branch).mkdir()
        torch.save(state, tmp_path / branch / "pytorch_model-1-of-1.bin")
        index = {"weight_map": dict.fromkeys(state, "pytorch_model-1-of-1.bin")}
        (tmp_path / branch / "pytorch_model.bin.index.json").write_text(json.dumps(index))
        yard.commit("m", tmp_path / branch, branch=branch)
    done = yard.mix("m", ["main", "b"], method="average")
    assert any("became model.safetensors" in warning for warning in done.warnings)
    files = read(yard, tmp_path, "main")
    assert set(files) == {"model.safetensors", "model.safetensors.index.json"}
    names = json.loads(files["model.safetensors.index.json"])["weight_map"]
    assert set(names.values()) == {"model.safetensors"}
    (tmp_path / "made.safetensors").write_bytes(files["model.safetensors"])
    from safetensors.torch import load_file

    made = load_file(tmp_path / "made.safetensors")
    both = [
        torch.load(tmp_path / b / "pytorch_model-1-of-1.bin", weights_only=True)
        for b in ("main", "b")
    ]
    assert made.keys() == both[0].keys()
    assert torch.allclose(made["0.weight"], (both[0]["0.weight"] + both[1]["0.weight"]) / 2)
    assert made["1.num_batches_tracked"] == 1
    assert yard.resolve("m", "main").formats == ("safetensors",)
    assert yard.verify().ok
