"""Files of a version that name each other: kept, cut and warned of alike here and on a server."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
from tests.server.running import running

from modelyard.client.remote import RemoteYard
from modelyard.registry import create

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running(tmp_path_factory.mktemp("together") / "yard") as one:
        yield one


@pytest.fixture(params=["here", "far"])
def yard(request, tmp_path):
    if request.param == "here":
        with create(tmp_path / "yard") as opened:
            yield opened
        return
    server = request.getfixturevalue("server")
    around = {"HOME": str(tmp_path), "YARD_CACHE_SIZE": "0"}
    with RemoteYard.at(server.url, token=server.token, environment=around) as opened:
        yield opened


@pytest.fixture
def model():
    return f"m{os.urandom(4).hex()}"


def told(yard, model):
    findings = yard.show(model).findings
    return sorted((f.kind, f.severity, f.message, f.where) for f in findings)


def test_shards_that_are_missing_or_elsewhere_are_findings_of_the_version(yard, model, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    shards = {
        "weight_map": {"a": "one.bin", "b": "two.bin", "c": "../three.bin", "d": "w/four.bin"}
    }
    (source / "model.safetensors.index.json").write_text(json.dumps(shards))
    (source / "one.bin").write_bytes(b"\0" * 10)
    (source / "v").mkdir()
    (source / "v/four.bin").write_bytes(b"\0")
    (source / "w").symlink_to("v")

    done = yard.commit(model, source)

    where = "model.safetensors.index.json"
    assert told(yard, model) == [
        ("shard-index", "danger", "../three.bin leaves the folder", where),
        ("shard-index", "danger", "w/four.bin goes through a symbolic link", where),
        ("shard-index", "warning", "two.bin is not among the files", where),
    ]
    assert sorted(done.warnings) == [
        f"{where}: ../three.bin leaves the folder",
        f"{where}: w/four.bin goes through a symbolic link",
    ]


def test_a_savedmodel_that_lost_its_values_says_so(yard, model, tmp_path):
    (tmp_path / "source/variables").mkdir(parents=True)
    (tmp_path / "source/saved_model.pb").write_bytes(b"\x08\x01\x12\x02\x12\x00")
    (tmp_path / "source/variables/variables.index").write_bytes(b"\0")

    yard.commit(model, tmp_path / "source")

    assert "savedmodel-variables" in {f.kind for f in yard.show(model).findings}


def with_external_data(folder, seed=0):
    """An ONNX model of a few nodes, whose weights of 8 MiB lie in a file beside it."""
    onnx = pytest.importorskip("onnx")
    rng = np.random.default_rng(seed)
    weights = {
        name: rng.standard_normal((1024, 1024), dtype=np.float32) for name in ("first", "second")
    }
    graph = onnx.helper.make_graph(
        [
            onnx.helper.make_node("MatMul", ["x", "first"], ["h"]),
            onnx.helper.make_node("MatMul", ["h", "second"], ["y"]),
        ],
        "g",
        [onnx.helper.make_tensor_value_info("x", 1, [1, 1024])],
        [onnx.helper.make_tensor_value_info("y", 1, [1, 1024])],
        [onnx.numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    folder.mkdir(exist_ok=True)
    onnx.save_model(
        onnx.helper.make_model(graph), str(folder / "m.onnx"), save_as_external_data=True,
        location="m.data",
    )  # fmt: skip
    return weights


def test_weights_beside_an_onnx_model_are_cut_at_its_tensors_and_come_back(yard, model, tmp_path):
    source = tmp_path / "source"
    weights = with_external_data(source)

    yard.commit(model, source)

    yard.checkout(model, None, tmp_path / "out")
    for name in ("m.onnx", "m.data"):
        assert (tmp_path / "out" / name).read_bytes() == (source / name).read_bytes()
    assert {t.name for t in yard.show(model).tensors} >= set(weights)
    assert ("external-data", "info") in {(f.kind, f.severity) for f in yard.show(model).findings}
    assert not [f for f in yard.show(model).findings if f.severity != "info"]


def test_one_changed_tensor_beside_an_onnx_model_costs_no_more_than_itself(yard, model, tmp_path):
    source = tmp_path / "source"
    with_external_data(source)
    yard.commit(model, source)
    with (source / "m.data").open("r+b") as file:
        file.seek(4 << 20)
        file.write(np.random.default_rng(9).standard_normal(1 << 20, dtype=np.float32).tobytes())

    done = yard.commit(model, source)

    assert 1 << 20 < done.new_bytes < 4_500_000


def test_missing_weights_beside_an_onnx_model_are_a_finding(yard, model, tmp_path):
    with_external_data(tmp_path / "source")
    (tmp_path / "source/m.data").unlink()

    yard.commit(model, tmp_path / "source")

    assert ("external-data", "warning", "m.data is not among the files", "m.onnx") in told(
        yard, model
    )
