"""gc and rebuild: what they take, what they must never mix up, and who may be there."""

import numpy as np
import pytest

from modelyard.errors import Conflict
from modelyard.registry import create, open_yard
from modelyard.testing.models import write_safetensors


@pytest.fixture
def folder(tmp_path):
    yard = create(tmp_path / "yard", author="ann")
    yard.close()
    (tmp_path / "yard" / "yard.toml").write_text(
        "version = 1\n[gc]\nkeep_deleted_days = 0\ngrace_minutes = 0\n"
    )
    return tmp_path / "yard"


@pytest.fixture
def yard(folder):
    yard = open_yard(folder)
    yield yard
    assert yard.verify().ok
    yard.close()


def write(path, seed, size=400_000):
    path.write_bytes(np.random.default_rng(seed).bytes(size))
    return path


def test_what_nothing_needs_is_given_back(yard, tmp_path):
    yard.commit("gone", write(tmp_path / "a.bin", 1, 900_000))
    yard.commit("kept", write(tmp_path / "b.bin", 2))
    yard.delete_model("gone")
    before = yard.stats().stored
    yard.gc()
    after = yard.gc()
    assert after.chunks == 0
    assert yard.stats().stored < before - 890_000
    assert yard.open("kept", None, "b.bin").read() == (tmp_path / "b.bin").read_bytes()


def test_new_content_is_never_taken_for_what_gc_took(yard, tmp_path):
    for seed in range(6):
        source = write(tmp_path / "m.bin", seed, 300_000)
        yard.commit(f"m{seed}", source)
        assert yard.open(f"m{seed}", 1, "m.bin").read() == source.read_bytes()
        yard.delete_model(f"m{seed}")
        yard.gc()


def test_a_forgotten_model_does_not_come_back_into_a_new_one(yard, tmp_path):
    yard.commit("m", write(tmp_path / "a.bin", 1))
    yard.alias("m", "prod", 1)
    yard.delete_model("m")
    yard.gc()
    yard.commit("m", write(tmp_path / "b.bin", 2))
    commits = [v.commit for v in yard.log("m")]
    yard.verify(rebuild=True)
    assert [v.commit for v in yard.log("m")] == commits
    assert {ref.name for ref in yard.refs("m")} == {"main"}
    assert [m.name for m in yard.models()] == ["m"]


def test_a_dry_run_changes_nothing_and_adds_up(yard, tmp_path):
    yard.commit("m", write(tmp_path / "a.bin", 1))
    yard.delete_model("m")
    report = yard.gc(dry_run=True)
    assert report.dry_run
    assert report.freed >= 400_000
    assert yard.gc(dry_run=True) == report


def test_a_rebuild_wants_to_be_alone(yard, folder):
    other = open_yard(folder)
    with pytest.raises(Conflict) as caught:
        yard.verify(rebuild=True)
    assert caught.value.kind == "yard-in-use"
    other.close()
    assert yard.verify(rebuild=True).rebuilt


def test_a_rebuild_finds_bases_in_sealed_packs(yard, tmp_path, monkeypatch):
    monkeypatch.setattr("modelyard.store.growing.PACK_LIMIT", 1 << 20)
    weights = np.random.default_rng(0).standard_normal(1_000_000).astype("float32")
    write_safetensors(tmp_path / "m.safetensors", {"w": weights})
    yard.commit("m", tmp_path / "m.safetensors")
    monkeypatch.undo()
    write_safetensors(tmp_path / "m.safetensors", {"w": weights * np.float32(1.0001)})
    done = yard.commit("m", tmp_path / "m.safetensors")
    assert done.new_bytes < 0.6 * done.size
    report = yard.verify(rebuild=True)
    assert report.ok
    assert (yard.tensor("m", 1, "w") == weights).all()
