"""What a run that ends in the middle leaves, and how the next goes on with it."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from modelyard.errors import InvalidInput
from modelyard.serving.batch.reading import digest_of
from modelyard.serving.batch.spool import Identity, Spool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WHO = Identity("shop/churn", 1, "c0ffee", "d1ge57", 3)


class Interrupting:
    """A batch in whose midst somebody presses Ctrl-C: its first part is written by then."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table
        self.schema = table.schema

    def combine_chunks(self) -> Interrupting:
        return self

    def to_batches(self) -> Iterator[pa.RecordBatch]:
        yield from self.table.to_batches()
        os.kill(os.getpid(), signal.SIGINT)
        yield from self.table.to_batches()


def table(*values: object) -> pa.Table:
    return pa.table({"score": list(values)})


def written(spool: Spool) -> list[object]:
    with spool.batches() as found:
        return [value for batch in found for value in batch.column(0).to_pylist()]


def test_ctrl_c_amid_a_batch_writes_no_row_twice(tmp_path: Path) -> None:
    target = tmp_path / "o.parquet"
    with Spool.open(target, WHO, resume=False) as spool:
        spool.add(table(1, 2, 3), 3)
        with pytest.raises(KeyboardInterrupt):
            spool.add(Interrupting(table(4, 5, 6)), 3)
    with Spool.open(target, WHO, resume=True) as spool:
        assert spool.rows == 3
        spool.add(table(4, 5, 6), 3)
        assert written(spool) == [1, 2, 3, 4, 5, 6]


def test_who_begins_anew_leaves_no_word_of_what_was(tmp_path: Path) -> None:
    target = tmp_path / "o.parquet"
    with Spool.open(target, WHO, resume=False) as spool:
        spool.add(table(1, 2, 3), 3)
    with Spool.open(target, WHO, resume=False) as spool:
        assert not (tmp_path / "o.parquet.progress").exists()
        assert spool.rows == 0
    with Spool.open(target, WHO, resume=True) as spool:
        assert spool.rows == 0


def test_a_file_that_was_changed_in_its_midst_is_another(tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_bytes(b"1" * (5 << 20))
    before = digest_of(source)
    with source.open("r+b") as file:
        file.seek(2 << 20)
        file.write(b"2")
    assert digest_of(source) != before


def test_types_that_change_are_refused_and_gaps_are_not(tmp_path: Path) -> None:
    with Spool.open(tmp_path / "o.parquet", WHO, resume=False) as spool:
        spool.add(pa.table({"score": [1.0], "label": ["a"]}), 1)
        spool.add(pa.table({"score": [2], "label": pa.nulls(1)}), 1)
        for odd in ({"score": ["3"], "label": ["a"]}, {"score": [3.0], "label": [7]},
                    {"score": [(1 << 53) + 1], "label": ["a"]}, {"label": ["a"]},
                    {"score": [3.0], "label": [["a"]]}):  # fmt: skip
            with pytest.raises(InvalidInput) as caught:
                spool.add(pa.table(odd), 1)
            assert caught.value.kind == "bad-outputs"
        assert written(spool) == [1.0, 2.0]
    with Spool.open(tmp_path / "o.parquet", WHO, resume=False) as spool:
        spool.add(table(7), 1)
        with pytest.raises(InvalidInput, match="row 1 on: 'score' is of another type"):
            spool.add(table("007"), 1)
