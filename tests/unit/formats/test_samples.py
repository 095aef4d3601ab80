"""Files of the real libraries: what is found in them, and that values read back right."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from modelyard.errors import Unsupported
from modelyard.formats import Inspection, external_tensors, inspect, inspect_folder, read_tensor

if TYPE_CHECKING:
    from modelyard.core.tensor import TensorInfo

SAMPLES = Path(__file__).parent / "samples"


def opened(name: str) -> Inspection:
    with (SAMPLES / name).open("rb") as file:
        return inspect(file, name)


def tensor(found: Inspection, name: str) -> TensorInfo:
    return next(item for item in found.tensors if item.name == name)


def values(name: str, tensor_name: str) -> np.ndarray:
    found = opened(name)
    with (SAMPLES / name).open("rb") as file:
        return read_tensor(file, name, found, tensor(found, tensor_name))


def dangers(found: Inspection) -> set[str]:
    return {item.kind for item in found.findings if item.severity == "danger"}


@pytest.mark.parametrize(
    ("name", "format_", "framework", "count"),
    [
        ("pipe.pkl", "pickle", "sklearn", 7),
        ("pipe.joblib", "joblib", "sklearn", 7),
        ("pipe_z.joblib", "joblib", "sklearn", 7),
        ("obj.joblib", "joblib", None, 1),
        ("t.pt", "torch", "torch", 12),
        ("t_old.pt", "torch", "torch", 11),
        ("script.pt", "torch", "torch", 4),
        ("t.safetensors", "safetensors", "torch", 12),
        ("a.npz", "npz", None, 4),
        ("az.npz", "npz", None, 1),
        ("m.onnx", "onnx", "onnx", 3),
        ("x.ubj", "xgboost", "xgboost", 128),
        ("l.txt", "lightgbm", "lightgbm", 0),
        ("g.gguf", "gguf", "gguf", 3),
        ("a.h5", "hdf5", "keras", 3),
        ("new.h5", "hdf5", None, 2),
        ("m.keras", "keras", "keras", 3),
        ("s.skops", "skops", "sklearn", 4),
    ],
)
def test_format_framework_and_tensors_are_told(name, format_, framework, count):
    found = opened(name)

    assert (found.format, found.framework, len(found.tensors)) == (format_, framework, count)


@pytest.mark.parametrize(
    "name", ["pipe.pkl", "pipe.joblib", "pipe_z.joblib", "t.pt", "t_old.pt", "script.pt", "s.skops"]
)
def test_honest_files_raise_no_alarm(name):
    assert not dangers(opened(name))


def test_same_tensors_of_torch_and_safetensors_have_the_same_bytes():
    for name in ("0.weight", "2.bias", "bf", "slice", "scalar", "b", "tied"):
        raw = {}
        for path in ("t.pt", "t_old.pt", "t.safetensors"):
            info = tensor(opened(path), name)
            raw[path] = (SAMPLES / path).read_bytes()[info.start : info.end]
        assert len(set(raw.values())) == 1, name


def test_a_transposed_view_is_read_in_column_order():
    info = tensor(opened("t.pt"), "view")

    assert (info.shape, info.order) == ((6, 4), "F")
    np.testing.assert_array_equal(values("t.pt", "view"), values("t.safetensors", "view"))


def test_a_strided_view_has_no_range():
    assert tensor(opened("t.pt"), "strided").start is None
    with pytest.raises(Unsupported):
        values("t.pt", "strided")


def test_small_floats_are_read_as_float32():
    assert values("t.safetensors", "bf").dtype == np.float32
    assert values("t.safetensors", "f8").dtype == np.float32
    np.testing.assert_array_equal(values("t.pt", "f8"), values("t.safetensors", "f8"))


@pytest.mark.parametrize("name", ["pipe.pkl", "pipe.joblib"])
def test_sklearn_arrays_are_named_by_path(name):
    mean = values(name, "steps.0.1.mean_")

    assert mean.shape == (13,)
    assert 12 < mean[0] < 14  # alcohol of wines
    assert tensor(opened(name), "steps.1.1.coef_").shape == (3, 13)


def test_pickle_and_joblib_hold_the_same_values():
    for name in ("steps.1.1.coef_", "steps.0.1.scale_"):
        np.testing.assert_array_equal(values("pipe.pkl", name), values("pipe.joblib", name))


def test_packed_joblib_tells_its_compression_and_no_ranges():
    found = opened("pipe_z.joblib")

    assert found.metadata["compression"] == "zlib"
    assert all(item.start is None for item in found.tensors)


@pytest.mark.parametrize(("path", "name"), [("a.npz", "x"), ("az.npz", "x"), ("a.npz", "f")])
def test_numpy_arrays_read_back(path, name):
    np.testing.assert_array_equal(values(path, name), np.arange(6.0).reshape(2, 3))


def test_big_endian_array_has_no_range_but_can_be_read():
    assert tensor(opened("a.npz"), "b").start is None
    np.testing.assert_array_equal(values("a.npz", "b"), [1, 2])


def test_onnx_tells_signature_opset_and_weights():
    found = opened("m.onnx")

    assert found.metadata["opset"] == 18
    assert found.metadata["signature"]["inputs"] == [
        {"name": "x", "dtype": "float32", "shape": ["N", 3]}
    ]
    np.testing.assert_array_equal(values("m.onnx", "w"), np.arange(6.0).reshape(3, 2))
    np.testing.assert_array_equal(values("m.onnx", "b"), [1, 2])
    assert [item.kind for item in found.findings] == ["custom-op"]


def test_external_weights_of_onnx_are_placed_in_their_file():
    placed = external_tensors(opened("ext.onnx"))["ext.data"][0]

    raw = (SAMPLES / "ext.data").read_bytes()[placed.start : placed.end]
    np.testing.assert_array_equal(np.frombuffer(raw, "<f4"), np.arange(6.0))


def test_folder_check_finds_the_external_file():
    assert inspect_folder(SAMPLES, ["ext.onnx", "ext.data"]) == ()
    assert inspect_folder(SAMPLES, ["ext.onnx"])[0].kind == "external-data"


def test_hdf5_datasets_read_back_also_packed_ones():
    np.testing.assert_array_equal(values("a.h5", "g/x"), np.arange(6.0).reshape(2, 3))
    np.testing.assert_array_equal(values("a.h5", "b"), [True, False])
    np.testing.assert_array_equal(values("new.h5", "y"), np.arange(3))
    np.testing.assert_array_equal(values("m.keras", "g/x"), np.arange(6.0).reshape(2, 3))


def test_many_links_of_a_hdf5_group_are_found_in_its_heap():
    found = opened("dense.h5")

    assert [item.name for item in found.tensors] == [f"vars/v{index}" for index in range(30)]
    np.testing.assert_array_equal(values("dense.h5", "vars/v29"), [29, 30, 31])


@pytest.mark.parametrize("name", ["a.h5", "m.keras"])
def test_packed_hdf5_dataset_is_read_by_h5py(name):
    pytest.importorskip("h5py")

    np.testing.assert_array_equal(values(name, "c"), np.arange(100))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.h5", "lambda-layer"),
        ("ext.h5", "external-link"),
        ("exts.h5", "external-storage"),
        ("virt.h5", "virtual-dataset"),
    ],
)
def test_code_and_ways_out_are_named(name, kind):
    assert kind in dangers(opened(name))


def test_gguf_sides_are_in_numpy_order():
    found = opened("g.gguf")

    assert found.metadata["architecture"] == "llama"
    assert tensor(found, "q").dtype == "ggml.q4_0"
    np.testing.assert_array_equal(values("g.gguf", "w"), np.arange(64.0).reshape(2, 32))


def test_xgboost_arrays_of_the_other_byte_order_can_be_read():
    name = "learner.gradient_booster.model.trees.0.base_weights"

    assert values("x.ubj", name).shape == (7,)
    assert opened("x.ubj").metadata["objective"] == "multi:softprob"


def test_lightgbm_head_is_read():
    assert opened("l.txt").metadata["features"] == 13


def test_skops_arrays_are_named_by_path():
    np.testing.assert_array_equal(values("s.skops", "mean_"), [2, 3])
