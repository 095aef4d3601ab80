"""What `cast` must not change, lose or leave unsaid."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.unit.optimization.passes.weights.samples import tensors_in, write_file

from modelyard.errors import Unsupported
from modelyard.frameworks import Saved

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PLAIN = Saved(framework="", serializer="", class_name="")
W = np.arange(16, dtype=np.float32).reshape(4, 4)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty one."""
    place = tmp_path / "files"
    place.mkdir()
    return place


def test_only_tensors_that_get_smaller_change(folder: Path, run: Callable[..., Any]) -> None:
    half = {"a": W.astype("f2"), "b": np.full(4, 1.001, "f2"), "norm": np.ones(4, np.float32)}
    write_file(folder / "model.safetensors", half)
    made = run(folder, dtype="bfloat16")
    found = tensors_in(made.model.folder / "model.safetensors")
    assert {name: dtype for name, (dtype, _) in found.items()} == {
        "a": "float16", "b": "float16", "norm": "bfloat16"
    }  # fmt: skip
    assert (found["b"][1] == half["b"]).all()
    assert made.notes == ("1 of 3 tensors are bfloat16 now",)


def test_a_wide_scalar_does_not_widen_all_others(folder: Path, run: Callable[..., Any]) -> None:
    write_file(folder / "model.safetensors", {"w": W.astype("f2"), "scale": np.array(0.1)})
    found = tensors_in(run(folder, dtype="float32").model.folder / "model.safetensors")
    assert (found["w"][0], found["scale"][0]) == ("float16", "float32")


@pytest.mark.parametrize(
    ("dtype", "value"),
    [("float32", 1e300), ("bfloat16", -1e300), ("float16", 1e300), ("bfloat16", 3.4e38)],
)
def test_a_value_beyond_any_narrower_dtype_is_told(
    dtype: str, value: float, folder: Path, run: Callable[..., Any]
) -> None:
    write_file(folder / "model.safetensors", {"w": np.array([1.0, np.inf, value])})
    made = run(folder, dtype=dtype)
    assert made.model is None
    assert made.why == f"a value of w is beyond what {dtype} can hold"


def test_infinite_values_stay_so(folder: Path, run: Callable[..., Any]) -> None:
    values = np.array([np.inf, -np.inf, np.nan, 3e38])
    write_file(folder / "model.safetensors", {"w": values})
    for dtype in ("float32", "bfloat16"):
        found = tensors_in(run(folder, dtype=dtype).model.folder / "model.safetensors")["w"][1]
        assert np.array_equal(found[:3], values[:3].astype("f4"), equal_nan=True)


def test_equal_weights_are_not_said_to_be_zero(folder: Path, run: Callable[..., Any]) -> None:
    write_file(folder / "model.safetensors", {"w": np.ones((4, 4), np.float32)})
    none = run(folder, dtype="same", sparsity=0.5)
    assert none.model is None
    said = "no weights became zero: more than 50% of them are as small as the smallest"
    assert none.why == said
    assert run(folder, dtype="float16", sparsity=0.5).notes[1] == said


def test_the_share_of_zeros_is_the_one_that_came_about(
    folder: Path, run: Callable[..., Any]
) -> None:
    values = np.array([[1e-3] * 3 + [1.0] * 7], np.float32)
    write_file(folder / "model.safetensors", {"w": values})
    made = run(folder, dtype="same", sparsity=0.5)
    assert (tensors_in(made.model.folder / "model.safetensors")["w"][1] == 0).sum() == 3
    assert made.notes == ("the smallest 30.0% of the weights of 1 tensors are zero",)


def test_weights_beyond_float32_are_pruned_without_a_warning(
    folder: Path, run: Callable[..., Any]
) -> None:
    write_file(folder / "model.safetensors", {"w": np.array([[1e300, 1.0, 2.0, 4.0]])})
    made = run(folder, dtype="same", sparsity=0.25).model
    kept = tensors_in(made.folder / "model.safetensors")["w"][1]
    assert kept.tolist() == [[1e300, 0.0, 2.0, 4.0]]


def test_long_metadata_are_written_whole(folder: Path, run: Callable[..., Any]) -> None:
    long = json.dumps(dict.fromkeys(map(str, range(3000)), "tag"))
    many = {f"key{i}": "x" for i in range(1200)}
    write_file(folder / "model.safetensors", {"w": W}, format="pt", tags=long, **many)
    made = run(folder, dtype="float16").model
    raw = (made.folder / "model.safetensors").read_bytes()
    header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
    assert header["__metadata__"] == {"format": "pt", "tags": long, **many}


def test_arrays_of_texts_dates_records_and_objects_stay_beside_floats(
    folder: Path, run: Callable[..., Any]
) -> None:
    others = {
        "texts": np.array(["a", "bb"]),
        "bytes": np.array([b"a", b"bb"]),
        "dates": np.array(["2020-01-01"], "M8[D]"),
        "records": np.array([(1.5, 2)], [("a", "f4"), ("b", "i4")]),
        "objects": np.array([{1: 2}, None], object),
        "swapped": np.arange(3, dtype=">i4"),
    }
    for write in (np.savez, np.savez_compressed):
        write(folder / "w.npz", w=W, **others)
        made = run(folder, PLAIN, dtype="float16").model
        with np.load(made.folder / "w.npz", allow_pickle=True) as found:
            assert found.files == ["w", *others]
            assert found["w"].dtype == np.float16
            for name, values in others.items():
                assert found[name].dtype == values.dtype
                assert (found[name] == values).all()
        assert made.digest == run(folder, PLAIN, dtype="float16").model.digest


def test_files_in_which_nothing_changes_are_copied(folder: Path, run: Callable[..., Any]) -> None:
    write_file(folder / "a.safetensors", {"w": W})
    write_file(folder / "b.safetensors", {"n": np.arange(3)}, about="me")
    (folder / "group1-shard1of1.bin").write_bytes(bytes(range(256)))
    np.savez(folder / "c.npz", n=np.arange(3))
    made = run(folder, PLAIN, dtype="bfloat16").model
    for name in ("b.safetensors", "group1-shard1of1.bin", "c.npz"):
        assert (made.folder / name).read_bytes() == (folder / name).read_bytes()


def test_a_saved_optimizer_that_is_left_out_is_told(folder: Path, run: Callable[..., Any]) -> None:
    write_file(folder / "model.safetensors", {"w": W})
    write_file(folder / "optimizer.safetensors", {"m": W})
    saved = Saved(framework="torch", serializer="safetensors", class_name="x")
    made = run(folder, saved, dtype="float16")
    assert not (made.model.folder / "optimizer.safetensors").exists()
    assert "the state of its optimizer is left out" in made.notes


def test_an_index_of_something_else_is_copied(folder: Path, run: Callable[..., Any]) -> None:
    write_file(folder / "model.safetensors", {"w": W})
    texts = {"search.index.json": "[1,  2]", "tf_model.h5.index.json": '{"weight_map": {"a": "b"}}'}
    for name, text in texts.items():
        (folder / name).write_text(text)
    made = run(folder, PLAIN, dtype="float16").model
    assert {name: (made.folder / name).read_text() for name in texts} == texts


@pytest.mark.slow
@pytest.mark.heavy
class TestFilesOfTorch:
    @pytest.fixture
    def torch(self) -> Any:
        return pytest.importorskip("torch")

    def test_a_square_and_its_transpose_are_two_tensors(
        self, torch: Any, folder: Path, run: Callable[..., Any]
    ) -> None:
        weight = torch.arange(16.0).reshape(4, 4)
        state = {"a": weight, "turned": weight.t(), "again": weight.t(), "tied": weight}
        torch.save(state, folder / "model.pt")
        made = run(folder, dtype="float16").model
        loaded = made.load()
        assert {name: loaded[name].float().tolist() for name in state} == {
            name: tensor.tolist() for name, tensor in state.items()
        }
        assert len(tensors_in(made.folder / "model.safetensors")) == 2

    def test_a_file_that_holds_more_than_tensors_is_refused(
        self, torch: Any, folder: Path, run: Callable[..., Any]
    ) -> None:
        more = {"model": {"w": torch.ones(4, 4)}, "epoch": 7, "optimizer": {"state": {}, "lr": 0.1}}
        net = torch.nn.Linear(2, 2)
        for content, zipped, told in (
            (more, True, r"\(epoch, optimizer.lr\)"),
            (more, False, r"\(epoch, optimizer.lr\)"),
            (net, True, r"\(torch.nn.modules.linear.Linear\)"),
            (net, False, r"\(an object\)"),
        ):
            torch.save(content, folder / "model.pt", _use_new_zipfile_serialization=zipped)
            with pytest.raises(Unsupported, match=told) as refused:
                run(folder, dtype="float16")
            assert refused.value.kind == "not-improvable"

    @pytest.mark.parametrize("zipped", [True, False])
    def test_state_dicts_hold_nothing_but_tensors(
        self, zipped: bool, torch: Any, folder: Path, run: Callable[..., Any]
    ) -> None:
        net = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.BatchNorm1d(4))
        state = {"net": net.state_dict(), "extra": [torch.nn.Parameter(torch.ones(2))]}
        torch.save(state, folder / "model.pt", _use_new_zipfile_serialization=zipped)
        found = tensors_in(run(folder, dtype="float16").model.folder / "model.safetensors")
        assert {"net.0.weight", "net.1.num_batches_tracked", "extra"} <= set(found)
        assert found["net.0.weight"][0] == "float16"

    def test_what_training_left_in_the_folder_stays_as_it_is(
        self, torch: Any, folder: Path, run: Callable[..., Any]
    ) -> None:
        torch.save({"w": torch.ones(4, 4)}, folder / "pytorch_model.bin")
        torch.save({"state": {0: torch.ones(4, 4)}, "lr": 0.1}, folder / "optimizer.pt")
        torch.save({"last_epoch": 3}, folder / "scheduler.pt")
        torch.save({"cpu": torch.get_rng_state()}, folder / "rng_state.pth")
        made = run(folder, PLAIN, dtype="float16")
        for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth"):
            assert (made.model.folder / name).read_bytes() == (folder / name).read_bytes()
        assert tensors_in(made.model.folder / "pytorch_model.safetensors")["w"][0] == "float16"
        assert not (made.model.folder / "pytorch_model.bin").exists()
        assert made.notes[1:] == ("optimizer.pt stays as it is: it holds more than tensors (lr)",)

    def test_files_that_would_get_the_same_name_are_refused(
        self, torch: Any, folder: Path, run: Callable[..., Any]
    ) -> None:
        torch.save({"w": torch.ones(4, 4)}, folder / "model.bin")
        write_file(folder / "model.safetensors", {"w": W})
        with pytest.raises(Unsupported, match=r"model.bin and model.safetensors would both become"):
            run(folder, PLAIN, dtype="float16")

    def test_a_copy_of_a_safetensors_model_in_a_file_of_torch_stays(
        self, torch: Any, folder: Path, run: Callable[..., Any]
    ) -> None:
        torch.save({"w": torch.ones(4, 4)}, folder / "model.bin")
        write_file(folder / "model.safetensors", {"w": W})
        made = run(folder, dtype="float16")
        assert made.notes[1].startswith("model.bin stays as it is: the model is in")
        assert made.model.load()["w"].dtype == torch.float16

    def test_an_index_names_the_shards_by_their_new_names(
        self, torch: Any, folder: Path, run: Callable[..., Any]
    ) -> None:
        names = {f"w{i}": f"pytorch_model-0000{i}-of-00002.bin" for i in (1, 2)}
        torch.save({"w1": torch.ones(4, 4)}, folder / names["w1"])
        torch.save({"w2": torch.ones(4)}, folder / names["w2"])
        index = {"metadata": {"total_size": 80}, "weight_map": names}
        (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))
        made = run(folder, PLAIN, dtype="float16").model
        told = json.loads((made.folder / "pytorch_model.bin.index.json").read_text())
        assert told["metadata"]["total_size"] == 40
        for name, path in told["weight_map"].items():
            assert path == names[name].replace(".bin", ".safetensors")
            assert name in tensors_in(made.folder / path)

    def test_shards_change_together_or_not_at_all(
        self, torch: Any, folder: Path, run: Callable[..., Any]
    ) -> None:
        index = {"weight_map": {"w": "a.bin", "n": "b.bin"}}
        (folder / "m.index.json").write_text(json.dumps(index))
        torch.save({"w": torch.ones(4, 4)}, folder / "a.bin")
        torch.save({"n": torch.ones(4, dtype=torch.int64)}, folder / "b.bin")
        made = run(folder, PLAIN, dtype="float16").model
        assert tensors_in(made.folder / "b.safetensors")["n"][0] == "int64"
        torch.save({"n": torch.ones(4, dtype=torch.int64), "epoch": 1}, folder / "b.bin")
        with pytest.raises(Unsupported, match=r"b.bin .* \(epoch\)"):
            run(folder, PLAIN, dtype="float16")
