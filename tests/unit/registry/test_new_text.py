"""Text that git holds itself is new as well, when it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from modelyard.registry import create

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Any]:
    with create(tmp_path / "yard") as made:
        yield made


def table(path: Path, rows: int) -> Path:
    values = np.random.default_rng(0).normal(size=(rows, 5))
    path.write_text("".join(",".join(f"{each:.4f}" for each in row) + "\n" for row in values))
    return path


def test_a_first_small_dataset_is_new(yard: Any, tmp_path: Path) -> None:
    path = table(tmp_path / "rows.csv", 1000)
    done = yard.commit("data/rows", path, kind="dataset")
    assert done.size / 4 < done.new_bytes <= done.size
    assert yard.resolve("data/rows").new_bytes == done.new_bytes


def test_of_a_file_that_grew_only_the_end_is_new(yard: Any, tmp_path: Path) -> None:
    first = yard.commit("data/rows", table(tmp_path / "rows.csv", 1000), kind="dataset")
    second = yard.commit("data/rows", table(tmp_path / "rows.csv", 1020), kind="dataset")
    assert 0 < second.new_bytes < first.new_bytes / 5


def test_a_file_that_was_there_is_not_new(yard: Any, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    table(folder / "rows.csv", 500)
    yard.commit("data/rows", folder, kind="dataset")
    (folder / "copy.csv").write_bytes((folder / "rows.csv").read_bytes())
    (folder / "notes.txt").write_text("two of them")
    done = yard.commit("data/rows", folder, kind="dataset")
    assert 0 < done.new_bytes < 50
