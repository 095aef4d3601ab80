"""Tensors of two versions side by side: read together as each alone, and compared one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

import modelyard
from modelyard.core.decoding import converted
from modelyard.core.wire import encode
from modelyard.errors import NotFound
from modelyard.registry.compare import Compared, compared
from modelyard.registry.files import contents
from modelyard.registry.tensor_difference import difference_of
from modelyard.registry.tensor_pairs import match, tensors_of
from modelyard.testing.models import to_bfloat16, write_safetensors

if TYPE_CHECKING:
    from pathlib import Path

    from modelyard.registry.house import House
    from modelyard.registry.local import LocalYard
    from modelyard.testing.models import Tensors


@pytest.fixture
def yard(tmp_path: Path) -> LocalYard:
    return modelyard.open(tmp_path / "yard", author="ann")  # type: ignore[return-value]


def commit(yard: LocalYard, folder: Path, tensors: Tensors, card: str = "") -> None:
    folder.mkdir(exist_ok=True)
    write_safetensors(folder / "m.safetensors", tensors)
    (folder / "README.md").write_text(card)
    yard.commit("net", folder, message="next")


def _large(seed: int, move: float = 0.0, dtype: str = "float32") -> np.ndarray:
    values = np.random.default_rng(0).normal(0, 0.05, (900, 1000)).astype(np.float32)
    values += np.random.default_rng(seed).normal(0, 1, values.shape).astype(np.float32) * move
    return to_bfloat16(values) if dtype == "bfloat16" else values.astype(dtype)


def _pairs(house: House, a: int, b: int):
    sides = [tensors_of(house, contents(house, "net", number)) for number in (a, b)]
    return match(*sides)[0]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16", "float64"])
@pytest.mark.parametrize(("a", "b"), [(1, 2), (2, 1), (2, 3), (1, 3), (3, 3)])
def test_two_versions_are_read_together_as_each_alone(yard, tmp_path, dtype, a, b):
    for seed, move in ((1, 0.0), (2, 0.0005), (3, 0.0005)):
        commit(yard, tmp_path / "net", {"w": _large(seed, move, dtype)})
    ((old, new),) = _pairs(yard.house, a, b)
    size = (old.info.end or 0) - (old.info.start or 0)
    for skip in (0, 1000):
        rooms = [np.zeros(size - skip, np.uint8) for _ in range(2)]
        starts = [(t.info.start or 0) + skip for t in (old, new)]
        old.reader.read_beside(starts[0], rooms[0], new.reader, starts[1], rooms[1])
        for tensor, start, room in zip((old, new), starts, rooms, strict=True):
            assert np.array_equal(room, tensor.reader.read(start, tensor.info.end))


def test_a_comparison_tells_all_tensors_and_the_lines_of_the_card(yard, tmp_path):
    same = np.ones((4, 4), np.float32)
    commit(yard, tmp_path / "net", {"a": same, "b": same, "c": same}, "# Net\n\nold\n")
    commit(yard, tmp_path / "net", {"a": same, "b": same * 2, "d": same * 3}, "# Net\n\nnew\n")
    found = compared(yard.house, "net@1", "net@2", None, lambda _: None)
    assert [t.name for t in found.tensors] == ["a"]
    told = {(t.name, t.change) for t in found.diff.tensors}
    assert told == {("b", "changed"), ("c", "removed"), ("d", "added")}
    lines = [(line.change, line.text) for line in found.card]
    assert lines == [
        ("same", "# Net"), ("same", ""), ("removed", "old"), ("added", "new"),
    ]  # fmt: skip
    assert found.commits == tuple(yard.resolve("net", number).commit for number in (1, 2))


def test_one_tensor_is_told_by_its_values_and_by_where_they_moved(yard, tmp_path):
    before = np.ones((48, 48), np.float32)
    after = before.copy()
    after[:2, :2] += 1.0
    commit(yard, tmp_path / "net", {"w": before})
    commit(yard, tmp_path / "net", {"w": after})
    found = difference_of(yard.house, "net@1", "net@2", "w")
    assert found.max_abs == 1.0
    assert found.relative_change == pytest.approx(2 / 48)
    assert found.bins is not None
    assert sum(found.bins.old) == sum(found.bins.new) == 48 * 48
    assert found.blocks[0][0] == pytest.approx(1.0)
    assert sum(value or 0.0 for row in found.blocks for value in row) == pytest.approx(1.0)
    assert (found.elements, found.looked_at) == (48 * 48, 48 * 48)


def test_a_tensor_of_one_side_has_no_difference(yard, tmp_path):
    commit(yard, tmp_path / "net", {"old": np.zeros(3, np.float32)})
    commit(yard, tmp_path / "net", {"new": np.full(3, np.nan, np.float32)})
    gone = difference_of(yard.house, "net@1", "net@2", "old")
    assert (gone.new, gone.difference, gone.blocks) == (None, None, ())
    assert gone.old_values is not None
    assert gone.old_values.zeros == 3
    come = difference_of(yard.house, "net@1", "net@2", "new")
    assert (come.old, come.new_values, come.bins) == (None, None, None)
    with pytest.raises(NotFound):
        difference_of(yard.house, "net@1", "net@2", "none")


def test_tensors_of_another_shape_have_values_and_no_difference(yard, tmp_path):
    commit(yard, tmp_path / "net", {"w": np.zeros((3, 2), np.float32)})
    commit(yard, tmp_path / "net", {"w": np.ones((4, 2), np.int32)})
    found = difference_of(yard.house, "net@1", "net@2", "w")
    assert (found.relative_change, found.difference, found.blocks) == (None, None, ())
    assert found.bins is not None
    assert (sum(found.bins.old), sum(found.bins.new)) == (6, 8)


@pytest.mark.parametrize(
    "values", [np.float32(3.0), np.zeros((0, 4), np.float32), np.full((2,), np.inf, np.float32)]
)
def test_odd_tensors_are_looked_at_too(yard, tmp_path, values):
    commit(yard, tmp_path / "net", {"w": np.asarray(values), "v": np.ones(2, np.float32)})
    commit(yard, tmp_path / "net", {"w": np.asarray(values) + 1, "v": np.zeros(2, np.float32)})
    assert difference_of(yard.house, "net@1", "net@2", "w").new is not None


def test_a_comparison_is_the_same_after_it_was_kept_as_json(yard, tmp_path):
    commit(yard, tmp_path / "net", {"a": np.ones(4, np.float32), "b": np.ones(2, np.float32)}, "x")
    commit(yard, tmp_path / "net", {"a": np.ones(4, np.float32), "c": np.ones(2, np.float64)}, "y")
    found = compared(yard.house, "net@1", "net@2", None, lambda _: None)
    assert converted(msgspec.json.decode(encode(found)), Compared) == found
