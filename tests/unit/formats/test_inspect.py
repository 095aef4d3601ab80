"""Detection, budgets, and formats that are built by hand here."""

from __future__ import annotations

import io
import json
import pickle
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from format_builders import (
    gguf,
    litert,
    npy,
    npz,
    onnx,
    onnx_node,
    onnx_simple,
    onnx_tensor,
    pb,
    safetensors_of,
    zipped,
)

from modelyard.errors import InvalidInput
from modelyard.formats import Budget, Inspection, inspect, inspect_folder, read_tensor


def opened(data: bytes, path: str, **options: object) -> Inspection:
    return inspect(io.BytesIO(data), path, **options)


def kinds(found: Inspection) -> list[str]:
    return [finding.kind for finding in found.findings]


@pytest.mark.parametrize("path", ["README.md", "a.bin", "config.json", "x.safetensors"])
def test_empty_file_is_text(path):
    found = opened(b"", path)

    assert (found.format, found.findings) == ("text", ())


@pytest.mark.parametrize(
    ("data", "path", "format_"),
    [
        (b"# hello\n", "README.md", "text"),
        ("模型".encode(), "README.md", "text"),
        (("a" * 4095 + "模").encode(), "long.txt", "text"),
        (b"\x00\x01\x02\xff", "data.bin", "unknown"),
        (b"cat\ndog\nsome words.\n", "words.txt", "text"),
        (b'{"a": 1}', "config.json", "text"),
        (b"tree\nhouse\n", "words.txt", "text"),
        (b"<html>", "page.html", "text"),
        (zipped({"a.txt": b"x"}), "a.zip", "zip"),
        (b"\x1f\x8b\x08\x00garbage", "data.csv.gz", "unknown"),
        (safetensors_of({"a": np.zeros(2, "<f4")}), "renamed.bin", "safetensors"),
        (npz({"a": np.zeros(2)}), "renamed", "npz"),
        (onnx_simple(), "m.onnx", "onnx"),
        (gguf([("w", [4], 0, 0)], bytes(16)), "m.gguf", "gguf"),
        (litert(), "m.tflite", "litert"),
        (b"<?xml version='1.0'?><PMML version='4.4'/>", "m.pmml", "pmml"),
        (pb(1, 1) + pb(2, b""), "saved_model.pb", "savedmodel"),
        (pickle.dumps([1]), "a", "pickle"),
        (pickle.dumps(np.zeros(2), 0), "old.pkl", "pickle"),
    ],
)
def test_format_is_told_by_content(data, path, format_):
    assert opened(data, path).format == format_


def test_name_that_contradicts_the_content_is_a_finding():
    found = opened(npz({"a": np.zeros(2)}), "weights.safetensors")

    assert found.format == "npz"
    assert kinds(found) == ["misnamed"]


def test_text_named_like_a_model_is_a_finding_not_an_error():
    assert kinds(opened(b"hello", "m.gguf")) == ["misnamed"]


def test_without_scan_there_are_no_findings_and_small_pickles_are_not_walked():
    small = opened(pickle.dumps({"w": np.arange(3.0)}, 5), "m.pkl", scan=False)
    large = opened(pickle.dumps({"w": np.arange(40_000.0)}, 5), "m.pkl", scan=False)

    assert (small.format, small.findings, small.tensors) == ("pickle", (), ())
    assert large.findings == ()
    assert [tensor.name for tensor in large.tensors] == ["w"]


def test_allowed_names_are_info_and_others_danger():
    found = opened(pickle.dumps([np.float32(1), Path("x"), Path("y")]), "m.pkl")

    severities = {finding.message.split()[-1]: finding.severity for finding in found.findings}
    assert severities["numpy.dtype"] == "info"
    assert severities["pathlib.PosixPath"] == "danger"
    assert len(found.findings) == len(severities)


@pytest.mark.parametrize("protocol", range(6))
def test_arrays_of_every_protocol_are_found(protocol):
    data = {"a": np.arange(6.0).reshape(2, 3), "b": [np.arange(3, dtype="i2")]}

    found = opened(pickle.dumps(data, protocol), "m.pkl")

    assert [(t.name, t.dtype, t.shape) for t in found.tensors] == [
        ("a", "float64", (2, 3)),
        ("b", "int16", (3,)),
    ]
    assert (found.tensors[0].start is not None) == (protocol >= 3)


def test_large_arrays_are_skipped_not_read():
    class Counting(io.BytesIO):
        seen = 0

        def read(self, size=-1):
            data = super().read(size)
            Counting.seen += len(data)
            return data

    raw = pickle.dumps({"w": np.zeros(4 << 20), "v": np.ones(1 << 20)}, 5)

    found = inspect(Counting(raw), "m.pkl")

    assert len(found.tensors) == 2
    assert Counting.seen < 2_000_000


def test_budget_of_a_scan_ends_in_a_finding():
    ticks = iter(range(10_000))

    found = opened(
        b"\x80\x04" + b"N0" * 200_000 + b"N.",
        "m.pkl",
        budget=Budget(seconds=2, clock=lambda: next(ticks)),
    )

    assert "scan-incomplete" in kinds(found)


def test_budget_of_a_header_ends_in_a_refusal():
    ticks = iter(range(10_000))
    model = onnx(b"".join(pb(1, onnx_node("Add")) for _ in range(2000)))

    with pytest.raises(InvalidInput):
        opened(model, "m.onnx", budget=Budget(seconds=2, clock=lambda: next(ticks)))


def test_onnx_constants_and_subgraphs_hold_tensors():
    inner = pb(5, onnx_tensor("deep", [2], np.ones(2, "<f4").tobytes()))
    constant = pb(5, pb(1, "value") + pb(5, onnx_tensor("", [1], np.ones(1, "<f4").tobytes())))
    branch = pb(5, pb(1, "then") + pb(6, inner))
    model = onnx(
        pb(1, onnx_node("Constant", attributes=constant, output="c"))
        + pb(1, onnx_node("If", attributes=branch))
    )

    found = opened(model, "m.onnx")

    assert [tensor.name for tensor in found.tensors] == ["c", "deep"]


def test_packed_floats_of_onnx_have_a_range():
    raw = np.arange(4, dtype="<f4").tobytes()
    model = onnx(pb(5, onnx_tensor("w", [4], raw, field=4)))
    found = opened(model, "m.onnx")

    value = read_tensor(io.BytesIO(model), "m.onnx", found, found.tensors[0])

    np.testing.assert_array_equal(value, np.arange(4))


def test_litert_tensors_and_signature():
    data = litert()
    found = opened(data, "m.tflite")

    value = read_tensor(io.BytesIO(data), "m.tflite", found, found.tensors[0])

    np.testing.assert_array_equal(value, np.arange(6.0).reshape(2, 3))
    assert found.metadata["signature"]["inputs"][0]["shape"] == [2, 3]


def test_pmml_fields_are_the_signature():
    text = (
        "<PMML version='4.4'><DataDictionary><DataField name='x' dataType='double'/>"
        "</DataDictionary><TreeModel functionName='regression'/></PMML>"
    )

    found = opened(text.encode(), "m.pmml")

    assert found.metadata["model"] == "TreeModel"
    assert found.metadata["signature"]["inputs"][0]["name"] == "x"


def test_empty_tensor_is_read_as_empty():
    data = npy(np.zeros((0, 3), "<f4"))
    found = opened(data, "a.npy")

    value = read_tensor(io.BytesIO(data), "a.npy", found, found.tensors[0])

    assert value.shape == (0, 3)


def test_npy_of_one_array_is_named_after_the_file():
    array = np.asfortranarray(np.arange(6, dtype="<f4").reshape(2, 3))
    data = npy(array)
    found = opened(data, "sub/weights.npy")

    assert found.tensors[0].name == "weights"
    value = read_tensor(io.BytesIO(data), "sub/weights.npy", found, found.tensors[0])
    np.testing.assert_array_equal(value, array)


def test_refusal_names_the_file_and_what_to_do():
    with pytest.raises(InvalidInput, match=r"sub/m\.safetensors: ") as caught:
        opened(b"\xff" * 20, "sub/m.safetensors")

    assert caught.value.kind == "bad-safetensors"
    assert caught.value.hint


def test_shard_index_must_stay_inside_and_be_complete(tmp_path: Path):
    index = {"weight_map": {"a": "one.safetensors", "b": "../two.safetensors", "c": "/x"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))

    found = inspect_folder(tmp_path, ["model.safetensors.index.json"])

    assert sorted((item.severity, item.message) for item in found) == [
        ("danger", "../two.safetensors leaves the folder"),
        ("danger", "/x leaves the folder"),
        ("warning", "one.safetensors is not among the files"),
    ]


def test_reference_through_a_symbolic_link_is_dangerous(tmp_path: Path):
    (tmp_path / "w").symlink_to("/etc")
    index = {"weight_map": {"a": "w/passwd"}}
    (tmp_path / "m.index.json").write_text(json.dumps(index))

    found = inspect_folder(tmp_path, ["m.index.json", "w/passwd"])

    assert [item.severity for item in found] == ["danger"]


def test_savedmodel_index_without_values_is_a_loss(tmp_path: Path):
    paths = ["m/saved_model.pb", "m/variables/variables.index"]

    assert [item.kind for item in inspect_folder(tmp_path, paths)] == ["savedmodel-variables"]


def test_importing_formats_is_cheap():
    code = textwrap.dedent("""
        import sys
        import modelyard.formats
        heavy = {"numpy", "zipfile", "json", "h5py", "xml", "zstandard", "lzma"}
        print(sorted(heavy & set(sys.modules)))
    """)
    source = str(Path(__file__).parents[3] / "src")
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": source},
    )

    assert done.stdout.strip() == "[]"
