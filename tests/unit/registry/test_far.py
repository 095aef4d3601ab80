"""A yard whose store is far away asks it seldom."""

import numpy as np
import pytest

from modelyard.registry import create
from modelyard.store.interface import Facts
from modelyard.store.memory import MemoryBackend
from modelyard.store.reader import Reader
from modelyard.testing.models import safetensors_bytes


class Counting(MemoryBackend):
    def __init__(self):
        super().__init__()
        self.facts = Facts(max_object=None, is_local=False, max_parallel=8)
        self.gets = []
        self.puts = []

    def get(self, key, start=0, end=None):
        self.gets.append(key)
        return super().get(key, start, end)

    def put(self, key, data):
        self.puts.append((key, len(data)))
        super().put(key, data)

    def reset(self):
        self.gets.clear()
        self.puts.clear()

    def close(self):
        pass


@pytest.fixture
def yard(tmp_path):
    yard = create(tmp_path / "yard")
    yard.house.backend.close()
    yard.house.backend = Counting()
    yard.house.reader = Reader(yard.house.backend, yard.house.index)
    yield yard
    yard.close()


def test_many_small_files_are_checked_out_by_few_requests(yard, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    contents = {
        f"{i:03}.bin": np.random.default_rng(i).bytes(5_000 + 3_000 * i) for i in range(150)
    }
    for name, content in contents.items():
        (source / name).write_bytes(content)
    store = yard.house.backend
    yard.commit("m", source)
    assert len([key for key, _ in store.puts if key.startswith("packs/")]) <= 2
    store.reset()
    yard.checkout("m", 1, tmp_path / "out")
    assert {p.name: p.read_bytes() for p in (tmp_path / "out").glob("*.bin")} == contents
    assert len(store.gets) <= 8


def test_deltas_fetch_their_bases_together(yard, tmp_path):
    rng = np.random.default_rng(0)
    weights = (rng.standard_normal(6 << 20) * 0.02).astype("f4")
    path = tmp_path / "m.safetensors"
    path.write_bytes(safetensors_bytes({"w": weights}))
    yard.commit("m", path)
    store = yard.house.backend
    store.reset()
    moved = weights + (rng.standard_normal(weights.shape) * 1e-5).astype("f4")
    path.write_bytes(safetensors_bytes({"w": moved}))
    done = yard.commit("m", path)
    assert done.new_bytes < weights.nbytes * 0.6
    assert len(store.gets) < 24  # as many as there are, one by one; who is first differs
    store.reset()
    yard.checkout("m", 2, tmp_path / "out")
    assert (tmp_path / "out/m.safetensors").read_bytes() == path.read_bytes()
    assert len(store.gets) <= 20


def test_a_small_commit_puts_once(yard, tmp_path):
    for number in range(3):
        (tmp_path / "a.bin").write_bytes(np.random.default_rng(number).bytes(200_000))
        yard.house.backend.reset()
        yard.commit("m", tmp_path / "a.bin")
        assert len([key for key, _ in yard.house.backend.puts if "packs/" in key]) == 1


def test_what_was_stored_before_is_not_put_again(yard, tmp_path):
    content = np.random.default_rng(0).bytes(20 << 20)
    (tmp_path / "a.bin").write_bytes(content)
    yard.commit("m", tmp_path / "a.bin")
    yard.house.backend.reset()
    changed = np.random.default_rng(1).bytes(2 << 20) + content[2 << 20 :]
    (tmp_path / "a.bin").write_bytes(changed)
    done = yard.commit("m", tmp_path / "a.bin")
    sent = sum(size for _, size in yard.house.backend.puts)
    assert sent <= 0.12 * len(content)
    assert done.new_bytes <= sent
    assert len(yard.house.backend.puts) == 2
