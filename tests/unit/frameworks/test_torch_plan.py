"""Plans on tensors: what comes back is what went in, in memory and in files alike."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelyard.errors import InvalidInput
from modelyard.formats import inspect, read_tensor
from modelyard.frameworks import FolderFiles
from modelyard.frameworks.torch.plan import apply, rewrite
from modelyard.frameworks.torch.tensorfile import Lazy, write

if TYPE_CHECKING:
    from pathlib import Path

DTYPES = ("float32", "float16", "float64", "int64", "int8", "uint8", "bool")
NAMES = st.lists(
    st.text("ab01_", min_size=1, max_size=3), min_size=1, max_size=3
).map(".".join)  # fmt: skip


@st.composite
def tensors(draw: Any) -> dict[str, np.ndarray]:
    """A few tensors, none of whose names is a folder of another's."""
    names = draw(st.lists(NAMES, min_size=1, max_size=6, unique=True))
    names = [n for n in names if not any(o != n and o.startswith(f"{n}.") for o in names)]
    found = {}
    for name in names:
        dtype = draw(st.sampled_from(DTYPES))
        shape = draw(st.lists(st.integers(0, 4), max_size=3))
        seed = draw(st.integers(0, 99))
        values = np.random.default_rng(seed).integers(0, 2 if dtype == "bool" else 99, shape)
        found[name] = np.asarray(values).astype(dtype)
    return found


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return one.keys() == other.keys() and all(
        one[name].dtype == other[name].dtype
        and one[name].shape == other[name].shape
        and np.array_equal(one[name], other[name])
        for name in one
    )


def write_folder(folder: Path, content: dict[str, np.ndarray], **other: str) -> FolderFiles:
    folder.mkdir(parents=True)
    lazies = {
        name: Lazy(array.dtype.name, array.shape, array.nbytes, lambda array=array: array)
        for name, array in content.items()
    }
    write(folder / "model.safetensors", lazies, {"format": "pt"})
    for name, text in other.items():
        (folder / f"{name}.json").write_text(text)
    return FolderFiles(folder)


def read_folder(folder: Path) -> dict[str, np.ndarray]:
    found = {}
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            seen = inspect(file, path.name)
            found.update({i.name: read_tensor(file, path.name, seen, i) for i in seen.tensors})
    return found


@given(tensors())
def test_renaming_back_is_where_it_began(before: dict[str, np.ndarray]) -> None:
    there = {name: f"moved.{place}.{name}" for place, name in enumerate(before)}
    back = {new: old for old, new in there.items()}
    moved, _ = apply(before, [{"rename": there}])
    assert moved.keys() == set(there.values())
    after, _ = apply(moved, [{"rename": back}])
    assert list(after) == list(before)
    assert same(before, after)


@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=3), st.integers(0, 2), st.integers(1, 3),
    st.sampled_from(DTYPES),
)  # fmt: skip
def test_what_is_split_joins_again(shape: list[int], axis: int, parts: int, dtype: str) -> None:
    axis %= len(shape)
    shape[axis] *= parts
    before = {"w": np.arange(np.prod(shape)).reshape(shape).astype(dtype), "x": np.ones(2)}
    names = [f"part{i}" for i in range(parts)]
    split, _ = apply(before, {"split": {"w": {"into": names, "axis": axis}}})
    assert [split[name].shape[axis] for name in names] == [shape[axis] // parts] * parts
    after, _ = apply(split, {"join": {"w": {"from": names, "axis": axis}}})
    assert same(before, after)


@given(tensors(), st.integers(1, 100))
@settings(max_examples=25)
def test_shards_go_together_again(
    tmp_path_factory: pytest.TempPathFactory, before: dict[str, np.ndarray], size: int
) -> None:
    folder = tmp_path_factory.mktemp("shards")
    files = write_folder(folder / "one", before)
    rewrite(files, [{"shard": {"max_size": size}}], folder / "many")
    index = json.loads((folder / "many" / "model.safetensors.index.json").read_text())
    assert index["weight_map"].keys() == before.keys()
    assert same(before, read_folder(folder / "many"))
    rewrite(FolderFiles(folder / "many"), [{"unshard": True}], folder / "again")
    first, last = folder / "one" / "model.safetensors", folder / "again" / "model.safetensors"
    assert same(before, read_folder(folder / "again"))
    assert first.stat().st_size == last.stat().st_size


@given(tensors(), st.integers(0, 5))
@settings(max_examples=25)
def test_files_and_memory_agree(
    tmp_path_factory: pytest.TempPathFactory, before: dict[str, np.ndarray], seed: int
) -> None:
    folder = tmp_path_factory.mktemp("both")
    first = next(iter(before))
    plan = [
        {"add": {"new.w": {"shape": [4, 2], "dtype": "float32", "normal": [0, 1, seed]}}},
        {"split": {"new.w": {"into": ["new.a", "new.b"], "axis": 0}}},
        {"reshape": {"new.a": [-1]}},
        {"cast": {"new": "float16"}},
        {"rename": {first: "renamed"}},
    ]
    rewrite(write_folder(folder / "in", before), plan, folder / "out")
    assert same(apply(before, plan)[0], read_folder(folder / "out"))


def test_a_star_stands_for_one_part_and_a_name_for_all_below() -> None:
    one = np.ones(1)
    before = {"layers.0.attn.weight": one, "layers.1.attn.bias": one, "layers.1.mlp.w": one}
    after, sentences = apply(before, [{"rename": {"layers.*.attn": "h.*.attn"}}])
    assert list(after) == ["h.0.attn.weight", "h.1.attn.bias", "layers.1.mlp.w"]
    assert sentences == ("renamed 2 tensors",)
    assert list(apply(after, {"drop": ["h"]})[0]) == ["layers.1.mlp.w"]


def test_two_names_can_be_swapped() -> None:
    after, _ = apply({"a": np.zeros(1), "b": np.ones(1)}, {"rename": {"a": "b", "b": "a"}})
    assert (after["a"][0], after["b"][0]) == (1, 0)


def test_untouched_tensors_are_the_very_objects() -> None:
    before = {"a": np.zeros(3), "b": np.ones(3)}
    after, _ = apply(before, {"rename": {"a": "c"}})
    assert after["c"] is before["a"]
    assert after["b"] is before["b"]


def test_what_is_added_has_its_values() -> None:
    plan = {
        "add": {
            "fill": {"shape": [2], "dtype": "int8", "fill": -3},
            "normal": {"shape": [20_000], "dtype": "float64", "normal": [5.0, 2.0, 1]},
        }
    }
    after, _ = apply({"a": np.zeros(1)}, plan)
    assert after["fill"].tolist() == [-3, -3]
    assert abs(after["normal"].mean() - 5) < 0.1
    assert abs(after["normal"].std() - 2) < 0.1
    assert np.array_equal(after["normal"], apply({"a": np.zeros(1)}, plan)[0]["normal"])


def test_bfloat16_rounds_as_torch_does_and_keeps_its_bits(tmp_path: Path) -> None:
    values = np.array([1.0, 1.00390625, 1.01171875, 3.0e38, np.nan, -np.inf], np.float32)
    plan = [{"cast": {"*": "bfloat16"}}, {"rename": {"w": "v"}}]
    rewrite(write_folder(tmp_path / "in", {"w": values}), plan, tmp_path / "out")
    raw = (tmp_path / "out" / "model.safetensors").read_bytes()[-12:]
    assert np.frombuffer(raw, "<u2").tolist() == [
        0x3F80, 0x3F80, 0x3F82, 0x7F62, 0x7FC0, 0xFF80
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        ({"rename": {"nothing": "b"}}, "no tensor is named nothing"),
        ({"rename": {"a": "b"}}, "two tensors would be named b"),
        ({"rename": {"a*": "b"}}, "the same stars"),
        ({"drop": ["nothing.*"]}, "no tensor is named"),
        ({"drop": "a"}, "list of names"),
        ({"add": {"a": {"shape": [1], "dtype": "float32"}}}, "a is there already, float32 [2, 3]"),
        ({"add": {"c": {"shape": [1], "dtype": "complex"}}}, "no dtype"),
        ({"add": {"c": {"shape": [-1], "dtype": "float32"}}}, "is no shape"),
        ({"add": {"c": {"shape": [1 << 40], "dtype": "float32"}}}, "too many"),
        ({"add": {"c": {"shape": [1], "dtype": "uint8", "fill": 256}}}, "does not fit uint8"),
        ({"add": {"c": {"shape": [1], "dtype": "int8", "fill": 0.5}}}, "no int8"),
        ({"add": {"c": {"shape": [1], "dtype": "int8", "normal": [0, 1, 2]}}}, "float dtype"),
        ({"reshape": {"a": [4, 2]}}, "float32 [2, 3] does not become [4, 2]"),
        ({"reshape": {"a": [-1, -1]}}, "is no shape"),
        ({"split": {"a": {"into": ["c", "d"], "axis": 1}}}, "no 2 equal parts"),
        ({"split": {"a": {"into": ["c", "d"], "axis": 2}}}, "no axis"),
        ({"split": {"a": {"into": ["b", "d"]}}}, "b is there already"),
        ({"split": {"a": {"into": ["c", "c"]}}}, "given twice"),
        ({"join": {"c": {"from": ["a", "b"]}}}, "b is int64 [3], but a is float32 [2, 3]"),
        ({"cast": {"a": "int8"}}, "float32 does not become int8"),
        ({"cast": {"a": "float7"}}, "no dtype"),
        ({"shard": {"max_size": "1MB"}}, "about files"),
        ({"shuffle": ["a"]}, "no step is named 'shuffle'"),
        ([], "a plan is a list"),
        (["rename"], "a step is one word"),
        ("rename", "a plan is a list"),
    ],
)
def test_a_plan_that_cannot_be_done_names_the_tensor(plan: Any, said: str) -> None:
    before = {"a": np.zeros((2, 3), np.float32), "b": np.zeros(3, np.int64)}
    with pytest.raises(InvalidInput) as caught:
        apply(before, plan)
    assert caught.value.kind == "bad-structure"
    assert said in caught.value.message
    assert caught.value.hint


def test_files_beside_the_weights_are_copied(tmp_path: Path) -> None:
    before = {"a": np.zeros((2, 3), np.float32)}
    files = write_folder(
        tmp_path / "in", before, model='{"kind": "module", "tree": {}}', optimizer="{}", other="1"
    )
    rewrite(files, {"cast": {"a": "float16"}}, tmp_path / "cast")
    assert (tmp_path / "cast" / "model.json").read_text() == '{"kind": "module", "tree": {}}'
    said = rewrite(files, {"reshape": {"a": [6]}}, tmp_path / "reshaped")
    assert json.loads((tmp_path / "reshaped" / "model.json").read_text()) == {"kind": "state"}
    assert (tmp_path / "reshaped" / "other.json").read_text() == "1"
    assert not (tmp_path / "reshaped" / "optimizer.json").exists()
    assert any("optimizer.json stayed behind" in sentence for sentence in said)


def test_an_index_that_names_no_shard_is_refused(tmp_path: Path) -> None:
    files = write_folder(tmp_path / "in", {"a": np.zeros(1)})
    index = {"weight_map": {"a": "../../secret.safetensors"}}
    (tmp_path / "in" / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(InvalidInput, match="no shard"):
        rewrite(files, {"unshard": True}, tmp_path / "out")


def test_a_rewrite_holds_one_tensor_at_a_time(tmp_path: Path) -> None:
    import tracemalloc

    megabyte = np.zeros(1 << 18, np.float32)
    files = write_folder(tmp_path / "in", {f"w{i}": megabyte for i in range(24)})
    tracemalloc.start()
    rewrite(files, [{"rename": {"w0": "v"}}, {"shard": {"max_size": "4MB"}}], tmp_path / "out")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(list((tmp_path / "out").glob("*.safetensors"))) == 8
    assert peak < 4 << 20
