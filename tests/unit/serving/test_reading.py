"""Rows of files as models get them, and columns that go past the model as they are written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.unit.serving.shapes import Kinds, kinds, made

from modelyard.runtimes.tensors import TensorSpec as Spec
from modelyard.serving.batch.reading import read_batches
from modelyard.serving.feeding import plan_of

if TYPE_CHECKING:
    from pathlib import Path

    from modelyard.serving.interface import Served


@pytest.fixture(scope="module")
def models() -> Kinds:
    return kinds()


def read(one: Served, path: Path, keep: tuple[str, ...] = (), start: int = 0) -> tuple[Any, Any]:
    """Inputs of the first batch, and what is kept of it."""
    batch = next(read_batches(path, plan_of(one), 1000, start=start, keep=keep))
    kept = None if batch.kept is None else batch.kept.to_pydict()
    return {name: array.tolist() for name, array in batch.feeds()[0].items()}, kept


@pytest.mark.parametrize("name", ["in.csv", "in.parquet", "in.arrows"])
def test_a_column_that_is_kept_stays_in_its_place_of_the_matrix(
    models: Kinds, tmp_path: Path, name: str
) -> None:
    table = pa.table({"a": [1, 4], "b": [2, 5], "c": [3, 6]})
    path = tmp_path / name
    if name == "in.csv":
        path.write_text("a,b,c\n1,2,3\n4,5,6\n")
    elif name == "in.parquet":
        pq.write_table(table, path)
    else:
        with pa.ipc.new_stream(path, table.schema) as writer:
            writer.write_table(table)
    feeds, kept = read(models.matrix, path, ("c", "a"))
    assert feeds == {"x": [[1, 2, 3], [4, 5, 6]]}
    assert [[int(value) for value in kept[each]] for each in ("c", "a")] == [[3, 6], [1, 4]]


def test_csv_is_kept_as_it_is_written(models: Kinds, tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text('id,age,city,n\n007,1.50,NA,1\nnull,,"NA",2\n,NaN,Rom,3\n')
    feeds, kept = read(models.table, path, ("id", "city", "age", "n"))
    assert feeds["city"] == [None, "NA", "Rom"]
    assert feeds["n"] == [1, 2, 3]
    assert kept == {
        "id": ["007", "null", ""], "city": ["NA", "NA", "Rom"], "age": ["1.50", "", "NaN"],
        "n": ["1", "2", "3"],
    }  # fmt: skip


def test_csv_of_many_blocks_keeps_rows_together(models: Kinds, tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    lines = (f'"line\n{at:07} {"x" * (at % 90)}",{at},{at + 1},{at + 2}' for at in range(40_000))
    path.write_text("\n".join(["id,a,b,c", *lines]))
    assert path.stat().st_size > 2 << 20
    place = 0
    for batch in read_batches(path, plan_of(models.matrix), 999, keep=("id",)):
        numbers = batch.feeds()[0]["x"][:, 0].astype(int).tolist()
        assert numbers == [int(text[5:12]) for text in batch.kept.column("id").to_pylist()]
        place += batch.rows
    assert place == 40_000


def test_columns_of_dictionaries_are_kept_as_their_values(models: Kinds, tmp_path: Path) -> None:
    path = tmp_path / "in.parquet"
    land = pa.array(["DE", "FR"]).dictionary_encode()
    table = pa.table({"land": land, "a": [1, 4], "b": [2, 5], "c": [3, 6]})
    pq.write_table(table, path)
    batch = next(read_batches(path, plan_of(models.matrix), 10, keep=("land",)))
    assert batch.kept.schema.field("land").type == pa.string()
    assert batch.kept.column("land").to_pylist() == ["DE", "FR"]


def test_json_lines_are_kept_whatever_the_types_of_later_ones(
    models: Kinds, tmp_path: Path
) -> None:
    path = tmp_path / "in.jsonl"
    rows = [{"x": [1, 2, 3], "id": value} for value in (None, 7, "007", [1])]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    batches = list(read_batches(path, plan_of(models.matrix), 1, keep=("id",)))
    assert {batch.kept.schema.field("id").type for batch in batches} == {pa.string()}
    assert [batch.kept.column("id")[0].as_py() for batch in batches] == [
        None, "7", '"007"', "[1]",
    ]  # fmt: skip


@pytest.mark.parametrize(("text", "wanted"), [
    ("1.5,2,3\n4,5,6\n", [[1.5, 2, 3], [4, 5, 6]]),
    ("0,1,2\n4,5,6\n", [[4, 5, 6]]),
    ("1,,3\n4,5,6\n", [[1, None, 3], [4, 5, 6]]),
    ("a,b,c\n4,5,6\n", [[4, 5, 6]]),
])  # fmt: skip
def test_csv_without_names_loses_no_row(
    models: Kinds, tmp_path: Path, text: str, wanted: list[list[float | None]]
) -> None:
    path = tmp_path / "in.csv"
    path.write_text(text)
    for start in range(len(wanted)):
        feeds, _ = read(models.matrix, path, start=start)
        assert [[None if v != v else v for v in row] for row in feeds["x"]] == wanted[start:]


def test_csv_without_names_goes_by_the_order_of_the_inputs(tmp_path: Path) -> None:
    pair = made([Spec("u", "float64", (-1,)), Spec("v", "float64", (-1,))], [], columns=True)
    path = tmp_path / "in.csv"
    path.write_text("1,2\n3,4\n")
    assert read(pair, path)[0] == {"u": [1, 3], "v": [2, 4]}
