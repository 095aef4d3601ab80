"""Diff: what changed, tensor by tensor, with the same numbers that numpy gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.errors import InvalidInput, NotFound
from modelyard.testing.models import (
    Array,
    float32_of,
    layers,
    safetensors_bytes,
    to_bfloat16,
    write_npz,
)
from modelyard.testing.strategies import edited, few, models
from modelyard.testing.yard.case import Desk, YardCase, refused

if TYPE_CHECKING:
    from modelyard.core.diff import TensorChange
    from modelyard.core.yard import Yard

__all__ = ["DiffTests"]


class DiffTests(YardCase):
    def test_a_version_does_not_differ_from_itself(self, yard: Yard, desk: Desk) -> None:
        desk.commit_tensors(layers(1))
        diff = yard.diff("m@1", "m")
        assert not diff
        assert (diff.tensors_total, diff.tensors_changed) == (6, 0)
        assert str(diff) == "no difference"

    @pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
    def test_statistics_equal_numpy(self, yard: Yard, desk: Desk, dtype: str) -> None:
        old = layers(1, width=300, dtype=dtype)
        moved = layers(2, width=300, dtype=dtype)
        new = {**old, "layer1.weight": moved["layer1.weight"], "layer2.bias": moved["layer2.bias"]}
        desk.commit_tensors(old)
        desk.commit_tensors(new)
        diff = yard.diff("m@1", "m@2")
        assert (diff.tensors_total, diff.tensors_changed) == (6, 2)
        assert {t.name for t in diff.tensors} == {"layer1.weight", "layer2.bias"}
        for change in diff.tensors:
            self._agree(change, old[change.name], new[change.name])
        sizes = [t.relative_change or 0.0 for t in diff.tensors]
        assert sizes == sorted(sizes, reverse=True)

    def _agree(self, change: TensorChange, old: Array, new: Array) -> None:
        before = float32_of(old).astype(np.float64)
        after = float32_of(new).astype(np.float64)
        norm = np.linalg.norm(before)
        assert change.change == "changed"
        assert change.shape == new.shape
        assert change.relative_change == pytest.approx(
            np.linalg.norm(after - before) / norm, rel=1e-4
        )
        assert change.max_abs == pytest.approx(np.abs(after - before).max(), rel=1e-4)
        cosine = (before.ravel() @ after.ravel()) / norm / np.linalg.norm(after)
        assert change.cosine == pytest.approx(cosine, abs=1e-4)

    def test_integers_and_booleans_are_compared_too(self, yard: Yard, desk: Desk) -> None:
        old = {"ids": np.arange(10, dtype="int64"), "mask": np.array([True, False, True])}
        new = {"ids": np.arange(10, dtype="int64") * 2, "mask": np.array([True, True, True])}
        desk.commit_tensors(old)
        desk.commit_tensors(new)
        changes = {t.name: t for t in yard.diff("m@1", "m@2").tensors}
        assert changes["ids"].max_abs == 9.0
        assert changes["mask"].change == "changed"

    def test_added_and_removed_tensors_come_first(self, yard: Yard, desk: Desk) -> None:
        old, new = layers(1), layers(1)
        del new["layer0.bias"]
        new["extra"] = np.ones(3, "float32")
        new["layer1.bias"] = new["layer1.bias"] * 2
        desk.commit_tensors(old)
        desk.commit_tensors(new)
        diff = yard.diff("m@1", "m@2")
        assert {(t.name, t.change) for t in diff.tensors[:2]} == {
            ("extra", "added"), ("layer0.bias", "removed"),
        }  # fmt: skip
        assert [(t.name, t.change) for t in diff.tensors[2:]] == [("layer1.bias", "changed")]

    def test_a_reshaped_tensor_shows_both_shapes(self, yard: Yard, desk: Desk) -> None:
        desk.commit_tensors({"w": np.arange(12.0), "v": np.ones(2)})
        desk.commit_tensors({"w": np.arange(12.0).reshape(3, 4), "v": np.ones(2)})
        (change,) = yard.diff("m@1", "m@2").tensors
        assert (change.name, change.change) == ("w", "changed")
        assert (change.old_shape, change.shape) == ((12,), (3, 4))

    def test_a_retyped_tensor_shows_both_dtypes(self, yard: Yard, desk: Desk) -> None:
        values = np.linspace(-1, 1, 1000, dtype="float32")
        desk.commit_tensors({"w": values, "v": np.ones(2)})
        desk.commit_tensors({"w": to_bfloat16(values), "v": np.ones(2)})
        (change,) = yard.diff("m@1", "m@2").tensors
        assert (change.old_dtype, change.dtype) == ("float32", "bfloat16")
        assert change.relative_change == pytest.approx(0.0, abs=0.01)
        assert change.old_shape is None

    def test_a_renamed_tensor_is_no_loss_and_no_gain(self, yard: Yard, desk: Desk) -> None:
        old = layers(1)
        new = {name.replace("layer1", "block1"): values for name, values in old.items()}
        desk.commit_tensors(old)
        desk.commit_tensors(new)
        diff = yard.diff("m@1", "m@2")
        assert {t.change for t in diff.tensors} <= {"renamed", "added", "removed"}
        assert {t.name for t in diff.tensors if t.change != "removed"} == {
            "block1.weight", "block1.bias",
        }  # fmt: skip

    def test_infinite_and_missing_values_spoil_nothing(self, yard: Yard, desk: Desk) -> None:
        desk.commit_tensors({"w": np.array([1.0, np.inf, np.nan]), "z": np.zeros(3)})
        desk.commit_tensors({"w": np.array([2.0, np.inf, np.nan]), "z": np.ones(3)})
        changes = {t.name: t for t in yard.diff("m@1", "m@2").tensors}
        assert set(changes) == {"w", "z"}
        assert changes["z"].max_abs == 1.0

    def test_files_params_metrics_and_card_are_compared(self, yard: Yard, desk: Desk) -> None:
        desk.commit(
            {"a.txt": b"1", "gone.txt": b"unique content", "old.bin": b"moves along" * 9},
            params={"C": 1, "kernel": "rbf"}, metrics={"accuracy": 0.5},
        )  # fmt: skip
        desk.commit(
            {"a.txt": b"22", "new.bin": b"moves along" * 9, "README.md": b"# card"},
            params={"C": 2, "kernel": "rbf"}, metrics={"accuracy": 0.75, "f1": 0.5},
        )  # fmt: skip
        diff = yard.diff("m@1", "m@2")
        files = {f.path: f for f in diff.files}
        assert (files["a.txt"].change, files["a.txt"].old_size, files["a.txt"].new_size) == (
            "changed", 1, 2,
        )  # fmt: skip
        assert files["gone.txt"].change == "removed"
        assert files["README.md"].change == "added"
        assert (files["new.bin"].change, files["new.bin"].old_path) == ("renamed", "old.bin")
        assert ".modelyard/manifest.json" not in files
        assert [(p.name, p.old, p.new) for p in diff.params] == [("C", 1, 2)]
        assert {(m.name, m.old, m.new) for m in diff.metrics} == {
            ("accuracy", 0.5, 0.75), ("f1", None, 0.5),
        }  # fmt: skip
        assert diff.card_changed
        assert diff

    def test_two_models_and_two_formats_are_compared(self, yard: Yard, desk: Desk) -> None:
        tensors = layers(1)
        desk.commit_tensors(tensors, "a")
        yard.commit("b", write_npz(desk.folder() / "model.npz", tensors))
        diff = yard.diff("a", "b")
        assert diff.tensors_changed == 0
        assert {f.change for f in diff.files} == {"added", "removed"}

    def test_a_limit_cuts_the_list_and_not_the_count(self, yard: Yard, desk: Desk) -> None:
        desk.commit_tensors(layers(1))
        desk.commit_tensors(layers(2))
        diff = yard.diff("m@1", "m@2", limit=2)
        assert (len(diff.tensors), diff.tensors_changed) == (2, 6)
        full = yard.diff("m@1", "m@2")
        assert diff.tensors == full.tensors[:2]

    def test_a_diff_of_what_is_not_there_is_refused(self, yard: Yard, desk: Desk) -> None:
        desk.commit(b"1")
        for text in ("m@2", "nobody", "nobody@1"):
            with refused(NotFound):
                yard.diff("m@1", text)
        for text in ("", "m@", "@1", "a/b/c"):
            with refused(InvalidInput):
                yard.diff(text, "m@1")

    @few(20)
    @given(data=st.data())
    def test_there_and_back_see_the_same_names(
        self, yard: Yard, desk: Desk, data: st.DataObject
    ) -> None:
        old = data.draw(models(largest=12))
        new = data.draw(edited(old))
        a = desk.commit({"m.safetensors": safetensors_bytes(old)}, "a").number
        b = desk.commit({"m.safetensors": safetensors_bytes(new)}, "b").number
        there, back = yard.diff(f"a@{a}", f"b@{b}"), yard.diff(f"b@{b}", f"a@{a}")
        assert there.tensors_total == len(new)
        assert back.tensors_total == len(old)
        named = {t.name for t in there.tensors}
        assert named >= {n for n in new if n not in old}
        assert {t.name for t in there.tensors if t.change == "changed"} == {
            t.name for t in back.tensors if t.change == "changed"
        }
        assert bool(there) == bool(back)
