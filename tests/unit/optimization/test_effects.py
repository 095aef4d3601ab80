"""What a pass changed: layer by layer, whatever the formats; and which inputs matter."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from modelyard.core.table import Table
from modelyard.frameworks import Saved, framework_of
from modelyard.optimization import effects
from modelyard.optimization.effects import changes_between
from modelyard.optimization.importances import importance_before_after
from modelyard.optimization.state import Model, Rows

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Array = np.ndarray[Any, Any]

SAVED = Saved(framework="torch", serializer="safetensors", class_name="x")
NAMES = {"float32": "F32", "float16": "F16"}


def model(folder: Path, tensors: Mapping[str, Array]) -> Model:
    """A safetensors file."""
    folder.mkdir()
    header, body = {}, b""
    for name, values in tensors.items():
        raw = values.tobytes()
        span = [len(body), len(body) + len(raw)]
        header[name] = {
            "dtype": NAMES[values.dtype.name], "shape": list(values.shape), "data_offsets": span,
        }  # fmt: skip
        body += raw
    text = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + body)
    return Model(folder=folder, saved=SAVED)


def weights(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_a_pruned_layer_tells_how_many_weights_are_zero(tmp_path: Path) -> None:
    kept, pruned = weights(8, 8), weights(30, 40)
    after = np.where(np.abs(pruned) < 0.5, np.float32(0), pruned)
    changed = changes_between(
        model(tmp_path / "a", {"kept": kept, "fc": pruned}),
        model(tmp_path / "b", {"kept": kept, "fc": after}),
    )
    (row,) = changed
    assert (row["layer"], row["what"], row["dtype"]) == ("fc", "changed", "float32")
    assert row["sparsity"] == pytest.approx((after == 0).mean(), abs=1e-6)
    expected = np.linalg.norm(after - pruned) / np.linalg.norm(pruned)
    assert row["change"] == pytest.approx(expected, rel=1e-5)


def test_a_cast_tells_both_dtypes_and_a_resized_layer_both_shapes(tmp_path: Path) -> None:
    first, second = weights(20, 10), weights(20, 5)
    changed = changes_between(
        model(tmp_path / "a", {"cast": first, "cut": first}),
        model(tmp_path / "b", {"cast": first.astype(np.float16), "cut": second}),
    )
    assert [(row["layer"], row["what"]) for row in changed] == [
        ("cut", "resized"), ("cast", "changed"),
    ]  # fmt: skip
    assert (changed[0]["old_shape"], changed[0]["shape"]) == ([20, 10], [20, 5])
    assert (changed[1]["old_dtype"], changed[1]["dtype"]) == ("float32", "float16")
    assert changed[1]["change"] < 1e-3


def test_layers_are_matched_by_shape_where_names_differ(tmp_path: Path) -> None:
    one, two = weights(20, 10), weights(4, 4, 4)
    changed = changes_between(
        model(tmp_path / "a", {"one": one, "two": two, "gone": weights(17, 3)}),
        model(tmp_path / "b", {"eins": one.T.copy(), "zwei": two * 2, "new": weights(99)}),
    )
    told = {row["layer"]: (row["what"], row.get("change")) for row in changed}
    assert told["zwei"] == ("changed", pytest.approx(1.0))
    assert told["new"] == ("added", None)
    assert told["gone"] == ("removed", None)
    assert told["eins"] == ("changed", pytest.approx(0.0)), "the same numbers, turned"


def test_large_layers_are_read_block_by_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = weights(1000, 33)
    other = values + weights(1000, 33, seed=1) * np.float32(0.1)
    sides = model(tmp_path / "a", {"w": values}), model(tmp_path / "b", {"w": other})
    (at_once,) = changes_between(*sides)
    monkeypatch.setattr(effects, "_BLOCK", 1000)
    (by_blocks,) = changes_between(*sides)
    assert by_blocks["change"] == pytest.approx(at_once["change"], rel=1e-6)


def test_files_that_hold_no_tensors_change_nothing(tmp_path: Path) -> None:
    sides = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "notes.txt").write_text(name)
        sides.append(Model(folder=tmp_path / name, saved=SAVED))
    assert changes_between(*sides) == ()


def test_the_trees_of_an_ensemble_are_one_layer(tmp_path: Path) -> None:
    ensemble = pytest.importorskip("sklearn.ensemble")
    x, y = weights(200, 4), (weights(200)[:200] > 0).astype(int)

    def fitted(name: str, trees: int, depth: int) -> Model:
        made = ensemble.RandomForestClassifier(trees, max_depth=depth, random_state=0).fit(x, y)
        (tmp_path / name).mkdir()
        saved = framework_of(made).save(made, tmp_path / name, "skops")
        return Model(folder=tmp_path / name, saved=saved)

    large, small = fitted("a", 6, 3), fitted("b", 4, 3)
    (row,) = changes_between(large, small)
    assert (row["layer"], row["what"]) == ("estimators_ (trees, nodes)", "resized")
    assert (row["old_shape"][0], row["shape"][0]) == (6, 4)
    assert row["old_shape"][1] > row["shape"][1] > 4
    assert changes_between(large, fitted("c", 6, 3)) == ()


@pytest.mark.heavy
@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.filterwarnings("ignore")
def test_int8_of_onnx_is_compared_as_the_numbers_it_stands_for(
    tmp_path: Path, per_channel: bool
) -> None:
    quantization = pytest.importorskip("onnxruntime.quantization")
    import onnx

    before = model(tmp_path / "a", {"w": weights(32, 32), "v": weights(32, 10)})
    (tmp_path / "b").mkdir()
    (tmp_path / "c").mkdir()
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"]),
        helper.make_node("MatMul", ["h", "v"], ["y"]),
    ]  # fmt: skip
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", kind, ["n", 32])],
        [helper.make_tensor_value_info("y", kind, ["n", 10])],
        [onnx.numpy_helper.from_array(weights(32, 32), "w"),
         onnx.numpy_helper.from_array(weights(32, 10), "v")],
    )  # fmt: skip
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(made, tmp_path / "b" / "model.onnx")
    quantization.quantize_dynamic(
        tmp_path / "b" / "model.onnx", tmp_path / "c" / "model.onnx", per_channel=per_channel
    )
    assert changes_between(before, Model(folder=tmp_path / "b", saved=SAVED)) == ()
    changed = changes_between(before, Model(folder=tmp_path / "c", saved=SAVED))
    assert {row["layer"] for row in changed} == {"w", "v"}
    for row in changed:
        assert (row["old_dtype"], row["dtype"]) == ("float32", "int8")
        assert 0 < row["change"] < 0.02


def test_importance_moves_to_the_inputs_that_the_new_model_uses(tmp_path: Path) -> None:
    linear = pytest.importorskip("sklearn.linear_model")
    rng = np.random.default_rng(0)
    columns = {name: rng.normal(size=400) for name in ("a", "b", "c")}
    target = (columns["a"] + columns["b"] > 0).astype(int)
    rows = Rows(Table(columns), target)

    def fitted(name: str, used: list[str]) -> Model:
        made = linear.LogisticRegression().fit(Table(columns).select(used).frame(), target)
        (tmp_path / name).mkdir()
        saved = framework_of(made).save(made, tmp_path / name, "skops")
        return Model(folder=tmp_path / name, saved=saved)

    found = importance_before_after(fitted("x", ["a", "c"]), fitted("y", ["a", "b", "c"]), rows)
    assert found is not None
    told = {row["feature"]: (row["before"], row["after"]) for row in found["features"]}
    assert found["score"] == "accuracy"
    assert told["b"][0] is None
    assert told["b"][1] > 0.2
    assert told["a"][0] > 0.2
    assert found == importance_before_after(
        fitted("x2", ["a", "c"]), fitted("y2", ["a", "b", "c"]), rows
    )
    pictures = Rows(Table({"data": np.zeros((9, 1, 8, 8))}), np.zeros(9, int))
    assert importance_before_after(fitted("p", ["a"]), fitted("q", ["a"]), pictures) is None
