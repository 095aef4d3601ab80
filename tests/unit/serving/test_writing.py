"""Answers in files: every value as it was, in every format."""

from __future__ import annotations

import csv
import gzip
import json
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modelyard.errors import InvalidInput
from modelyard.serving.batch.reading import format_of
from modelyard.serving.batch.writing import write_output

if TYPE_CHECKING:
    from pathlib import Path


def write(target: Path, *tables: pa.Table, as_json: tuple[str, ...] = ()) -> Path:
    batches = [batch for table in tables for batch in table.to_batches()]
    reader = pa.RecordBatchReader.from_batches(tables[0].schema, batches)
    write_output(target, format_of(target), reader, None, as_json)
    return target


@pytest.mark.parametrize("name", ["o.csv.gz", "o.tsv.gz", "o.jsonl.gz"])
def test_what_ends_in_gz_is_packed_and_the_same_each_time(tmp_path: Path, name: str) -> None:
    table = pa.table({"n": [1, 2], "m": [3, 4]})
    place = write(tmp_path / name, table)
    first = {"o.csv.gz": b'"n","m"\n', "o.tsv.gz": b'"n"\t"m"\n', "o.jsonl.gz": b'{"n":1,"m":3}\n'}
    assert gzip.decompress(place.read_bytes()).startswith(first[name])
    assert write(tmp_path / f"more.{name}", table).read_bytes() == place.read_bytes()


@pytest.mark.parametrize("name", ["o.parquet.gz", "o.arrow.gz"])
def test_formats_that_pack_themselves_are_not_packed_again(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        format_of(tmp_path / name)
    assert caught.value.kind == "bad-format"


def test_bytes_are_text_or_else_base64(tmp_path: Path) -> None:
    table = pa.table({"said": [b"ab", "é".encode(), b"\xff\x00", None]})
    lines = write(tmp_path / "o.jsonl", table).read_text().splitlines()
    assert [json.loads(line)["said"] for line in lines] == ["ab", "é", {"b64": "/wA="}, None]
    rows = list(csv.reader(write(tmp_path / "o.csv", table).read_text().splitlines()))
    assert rows[1:] == [["ab"], ["é"], ['{"b64":"/wA="}'], []]


def test_what_was_kept_of_json_lines_is_what_it_was(tmp_path: Path) -> None:
    values = [None, 7, "007", 1.5, True, ["a", 1], {"x": 'say "hi"'}, ""]
    texts = [None if value is None else json.dumps(value) for value in values]
    tables = [pa.table({"id": pa.array([text], pa.string())}) for text in texts]
    lines = write(tmp_path / "o.jsonl", *tables, as_json=("id",)).read_text().splitlines()
    assert [json.loads(line)["id"] for line in lines] == values
    found = pq.read_table(write(tmp_path / "o.parquet", *tables, as_json=("id",)))
    assert found.column("id").to_pylist() == [
        None, "7", "007", "1.5", "true", '["a", 1]', '{"x": "say \\"hi\\""}', "",
    ]  # fmt: skip


def test_csv_says_lists_of_any_length_as_json_does(tmp_path: Path) -> None:
    pairs = pa.array([[1, 2], [3, 4], None], pa.list_(pa.int64(), 2))
    table = pa.table({"tags": [["a"], [], None], "pair": pairs})
    rows = list(csv.reader(write(tmp_path / "o.csv", table).read_text().splitlines()))
    assert rows == [
        ["tags", "pair_0", "pair_1"], ['["a"]', "1", "2"], ["[]", "3", "4"], ["", "", ""],
    ]  # fmt: skip
