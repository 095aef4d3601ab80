"""What a commit takes over from its parent, warns of, and does not read again."""

import os
import pickle

import numpy as np
import pytest

from modelyard.errors import NotFound
from modelyard.registry import create
from modelyard.testing.models import write_safetensors


@pytest.fixture
def yard(tmp_path):
    yard = create(tmp_path / "yard", author="ann")
    yield yard
    assert yard.verify().ok
    yard.close()


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    tensors = {"w": np.random.default_rng(0).standard_normal((300, 100)).astype("float32")}
    write_safetensors(folder / "model.safetensors", tensors)
    return folder


def test_metrics_stay_when_only_the_card_changed(yard, model):
    yard.commit("m", model, metrics={"acc": 0.9}, params={"C": 1})
    (model / "README.md").write_text("# About\nA card.\n")
    yard.commit("m", model)
    assert yard.resolve("m").metrics == {"acc": 0.9}
    assert yard.show("m").params == {"C": 1}


def test_metrics_go_when_weights_changed(yard, model):
    yard.commit("m", model, metrics={"acc": 0.9})
    write_safetensors(model / "model.safetensors", {"w": np.ones((300, 100), "float32")})
    yard.commit("m", model)
    assert yard.resolve("m").metrics == {}


def test_new_metrics_of_old_weights_make_a_version(yard, model):
    yard.commit("m", model, metrics={"acc": 0.9})
    assert yard.commit("m", model, metrics={"acc": 0.91}).number == 2
    assert not yard.commit("m", model).created


def test_a_file_that_looks_untouched_is_not_read(yard, model, monkeypatch):
    place = model / "model.safetensors"
    earlier = place.stat().st_mtime_ns - 10**10
    os.utime(place, ns=(earlier, earlier))
    yard.commit("m", model)

    def reading(*args):
        raise AssertionError("it was read")

    monkeypatch.setattr("os.preadv", reading)
    assert not yard.commit("m", model).created


def test_a_file_that_was_touched_is_read_once(yard, model, monkeypatch):
    place = model / "model.safetensors"
    yard.commit("m", model)
    earlier = place.stat().st_mtime_ns - 10**10
    os.utime(place, ns=(earlier, earlier))
    assert not yard.commit("m", model).created

    def reading(*args):
        raise AssertionError("it was read")

    monkeypatch.setattr("os.preadv", reading)
    assert not yard.commit("m", model).created


def test_a_file_written_just_now_is_read_again(yard, model):
    yard.commit("m", model)
    place = model / "model.safetensors"
    seen = place.stat()
    content = bytearray(place.read_bytes())
    content[-1] ^= 1
    place.write_bytes(content)
    os.utime(place, ns=(seen.st_mtime_ns, seen.st_mtime_ns))
    assert yard.commit("m", model).created


class Evil:
    def __reduce__(self):
        return os.system, ("true",)


def test_a_pickle_that_would_run_something_is_stored_and_warned_of(yard, tmp_path):
    (tmp_path / "m.pkl").write_bytes(pickle.dumps({"model": Evil(), "pad": b"\xff" * 100}))
    done = yard.commit("m", tmp_path / "m.pkl")
    assert any("system" in warning for warning in done.warnings)
    assert [f.severity for f in yard.show("m").findings].count("danger") >= 1


def test_a_missing_source_is_named(yard, tmp_path):
    with pytest.raises(NotFound, match="nowhere"):
        yard.commit("m", tmp_path / "nowhere")
    assert not list(yard.models())


def test_a_version_of_files_that_are_there_already_is_of_the_same_framework(yard, tmp_path):
    from onnx import TensorProto, helper

    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n"])
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [value], [
        helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n"])])  # fmt: skip
    folder = tmp_path / "graph"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(helper.make_model(graph).SerializeToString())
    yard.commit("m", folder)
    (folder / "README.md").write_text("# About\nA card.\n")
    yard.commit("m", folder)
    yard.commit("other", folder)
    assert [yard.resolve("m").framework, yard.resolve("other").framework] == ["onnx", "onnx"]
    assert yard.resolve("m").number == 2
