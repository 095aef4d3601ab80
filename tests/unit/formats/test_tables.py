"""Data files as tables: what their columns become, and what is refused."""

from __future__ import annotations

import gzip
import io
import zipfile
from contextlib import suppress
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.errors import InvalidInput, NotFound
from modelyard.formats.tables import read_table
from modelyard.formats.tables.text import read_plainly


def write(folder, name, content):
    place = folder / name
    place.write_bytes(content.encode() if isinstance(content, str) else content)
    return place


def kinds(table):
    return {name: column.dtype.str[1:] for name, column in table.columns.items()}


def refused(place, **given):
    with pytest.raises(InvalidInput) as caught:
        read_table(place, **given)
    assert caught.value.kind == "bad-data"
    return caught.value


CSV = 'n,x,word,day\n1,0.5,red,2026-01-01\n2,,"NA",2026-01-02\n3,1.5,NA,2026-01-03\n'


# -- text ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("head", ["", "\ufeff"])
def test_csv_gives_columns_of_numbers_text_and_times(tmp_path, head, ending):
    table = read_table(write(tmp_path, "a.csv", head + CSV.replace("\n", ending)))
    assert kinds(table) == {"n": "i8", "x": "f8", "word": "O", "day": "M8[D]"}
    np.testing.assert_array_equal(table.column("x"), [0.5, np.nan, 1.5])
    assert table.column("word").tolist() == ["red", "NA", None]


@pytest.mark.parametrize(
    ("name", "mark"), [("a.tsv", "\t"), ("a.csv", ";"), ("a.txt", ","), ("a.tab", "\t")]
)
def test_the_separator_is_found(tmp_path, name, mark):
    table = read_table(write(tmp_path, name, f"a{mark}b\n1{mark}2\n"))
    assert {n: c.tolist() for n, c in table.columns.items()} == {"a": [1], "b": [2]}


def test_packed_csv_is_unpacked(tmp_path):
    place = write(tmp_path, "a.csv.gz", gzip.compress(CSV.encode()))
    assert read_table(place).names == ("n", "x", "word", "day")


def test_whole_numbers_with_gaps_are_floats(tmp_path):
    table = read_table(write(tmp_path, "a.csv", "a,b\n1,x\n,y\n"))
    np.testing.assert_array_equal(table.column("a"), [1.0, np.nan])


def test_a_line_break_inside_of_quotes_ends_no_row(tmp_path):
    place = write(tmp_path, "a.csv", 'a,b\n"one\ntwo",1\n"three",2\n')
    assert read_table(place, limit=1).column("a").tolist() == ["one\ntwo"]
    assert len(read_table(place)) == 2


def test_a_head_without_rows_is_an_empty_table(tmp_path):
    assert len(read_table(write(tmp_path, "a.csv", "a,b\n"))) == 0


def test_json_lines_give_columns(tmp_path):
    lines = '{"a": 1, "v": [1, 2], "s": "x"}\n{"a": null, "v": [3, 4], "s": null}\n'
    table = read_table(write(tmp_path, "a.jsonl", lines))
    np.testing.assert_array_equal(table.column("a"), [1, np.nan])
    assert table.column("v").tolist() == [[1, 2], [3, 4]]
    assert table.column("s").tolist() == ["x", None]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a,b\n1,2\n3\n", "line 3"),
        ("a,b\n1,2\n3,4,5\n", "line 3"),
        ("a,a\n1,2\n", "same name: 'a'"),
        (b"a,b\n\xe9,1\n", "not UTF-8"),
        (b"\xe9\n1\n", "not UTF-8"),
        ("a,b\n1,2\n".encode("utf-16"), "not UTF-8"),
        (b"a\0b\n1\n", "no text"),
        ("", "is empty"),
    ],
)
def test_csv_is_refused_with_a_reason(tmp_path, text, told):
    assert told in str(refused(write(tmp_path, "a.csv", text)))


def test_text_in_latin1_comes_with_the_command_that_converts_it(tmp_path):
    assert "iconv -f latin1" in refused(write(tmp_path, "a.csv", b"a\n\xe9\n")).hint


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"a": 1}\n{"a": "x"}\n', "row 1"),
        ('{"a": {"b": 1}}\n', "struct"),
        ('[{"a": 1}]', "one JSON list"),
        ('{"a": [1]}\n{"a": [1, 2]}\n', "differ in length"),
        ('{"a": 1, "a": 2}\n', "twice"),
    ],
)
def test_json_is_refused_with_a_reason(tmp_path, text, told):
    assert told in str(refused(write(tmp_path, "a.jsonl", text)))


words = st.text(st.characters(codec="utf-8", exclude_characters='\0\r\n",;\t'), max_size=8)


@given(
    rows=st.lists(
        st.tuples(
            st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), words.map("w{}".format)
        ),
        min_size=1, max_size=20,
    )
)  # fmt: skip
def test_both_readers_of_csv_agree(tmp_path, rows):
    lines = [f"{n},{x!r},{text}" for n, x, text in rows]
    place = write(tmp_path, "a.csv", "\n".join(["n,x,text", *lines, ""]))
    quick, plain = read_table(place), read_plainly(place, None, None, 1 << 30, ",")
    for name in quick.names:
        assert quick.column(name).dtype == plain.column(name).dtype
        np.testing.assert_array_equal(quick.column(name), plain.column(name))


@pytest.mark.parametrize("text", ["a,b\n1\n", "a,a\n1,2\n", "", 'a\n"x\n'])
def test_the_plain_reader_refuses_as_well(tmp_path, text):
    with pytest.raises(InvalidInput, match=r"line|same name|no columns"):
        read_plainly(write(tmp_path, "a.csv", text), None, None, 1 << 30, ",")


# -- Arrow and Parquet ---------------------------------------------------------------------------


def many_types():
    zone = timezone(timedelta(hours=2))
    return pa.table({
        "byte": pa.array([1, -2], pa.int8()),
        "gap": pa.array([1, None], pa.int32()),
        "huge": pa.array([1, 2**64 - 1], pa.uint64()),
        "half": pa.array([1.5, 2.5], pa.float16()),
        "single": pa.array([1.5, 2.5], pa.float32()),
        "flag": pa.array([True, False]),
        "flag?": pa.array([True, None]),
        "word": pa.array(["a", None]),
        "view": pa.array(["a", None], pa.string_view()),
        "colour": pa.array(["red", None]).dictionary_encode(),
        "price": pa.array([Decimal("1.25"), None], pa.decimal128(9, 2)),
        "when": pa.array([datetime(2026, 1, 1, 2, tzinfo=zone), None]),
        "day": pa.array([date(2026, 1, 1), None]),
        "hour": pa.array([time(1, 0, 0), None], pa.time32("s")),
        "vector": pa.array([[1.0, 2.0], [3.0, 4.0]], pa.list_(pa.float32(), 2)),
        "picture": pa.array([[[1, 2], [3, 4]], [[5, 6], [7, 8]]]),
        "nothing": pa.nulls(2),
    })  # fmt: skip


def many_values(table):
    assert kinds(table) == {
        "byte": "i8", "gap": "f8", "huge": "f8", "half": "f4", "single": "f4", "flag": "b1",
        "flag?": "f8", "word": "O", "view": "O", "colour": "O", "price": "f8",
        "when": "M8[us]", "day": "M8[D]", "hour": "f8", "vector": "f4", "picture": "i8",
        "nothing": "f8",
    }  # fmt: skip
    assert table.column("colour").tolist() == ["red", None]
    assert table.column("price")[0] == 1.25
    assert table.column("when")[0] == np.datetime64("2026-01-01T00:00:00")
    assert np.isnat(table.column("day")[1])
    assert table.column("hour")[0] == 3600
    assert table.column("vector").shape == (2, 2)
    assert table.column("picture").tolist() == [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]


def test_arrow_types_become_the_few_of_a_table(tmp_path):
    pa.feather.write_feather(many_types(), tmp_path / "a.arrow", compression="uncompressed")
    many_values(read_table(tmp_path / "a.arrow"))


def test_streams_of_arrow_are_read_too(tmp_path):
    data = many_types()
    with pa.OSFile(str(tmp_path / "a.bin"), "wb") as file, pa.ipc.new_stream(
        file, data.schema
    ) as out:  # fmt: skip
        out.write_table(data)
    many_values(read_table(tmp_path / "a.bin"))


def test_parquet_is_read_by_columns_and_rows(tmp_path):
    place = tmp_path / "a.data"
    data = pa.table({"a": range(1000), "b": [str(i) for i in range(1000)], "c": [0.5] * 1000})
    pa.parquet.write_table(data, place, row_group_size=100)
    table = read_table(place, columns=["c", "a"], limit=150)
    assert table.names == ("c", "a")
    assert table.column("a").tolist() == list(range(150))
    assert len(read_table(place)) == 1000
    assert len(read_table(place, limit=0)) == 0


def test_floats_without_gaps_are_not_copied(tmp_path):
    values = np.arange(1000.0)
    pa.feather.write_feather(pa.table({"a": values}), tmp_path / "a", compression="uncompressed")
    column = read_table(tmp_path / "a").column("a")
    assert not column.flags.owndata
    np.testing.assert_array_equal(column, values)


@pytest.mark.parametrize("values", [[{"a": 1}], [b"\0\xff"], [[1], [1, 2]]])
def test_columns_that_are_no_plain_values_are_refused(tmp_path, values):
    pa.parquet.write_table(pa.table({"strange": values}), tmp_path / "a.parquet")
    assert "strange" in str(refused(tmp_path / "a.parquet"))


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow", "a.npz", "a.csv"])
def test_missing_columns_are_told_with_those_that_are_there(tmp_path, name):
    saved(tmp_path)
    with pytest.raises(InvalidInput) as caught:
        read_table(tmp_path / name, columns=["a", "nope"])
    assert caught.value.kind == "no-column"
    assert "a, b" in caught.value.hint


# -- NPZ and NPY ---------------------------------------------------------------------------------


def test_arrays_of_an_npz_are_columns(tmp_path):
    np.savez_compressed(
        tmp_path / "a.npz", x=np.zeros((3, 2, 2), np.uint8), y=np.array(["a", "b", "c"]),
        n=np.array([1, 2, 3], np.int16), big=np.array([1, 2, 3], ">f8"),
    )  # fmt: skip
    table = read_table(tmp_path / "a.npz")
    assert kinds(table) == {"x": "u1", "y": "O", "n": "i8", "big": "f8"}
    assert table.column("big").tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("array", "names"),
    [
        (np.zeros((4, 2)), ("x0", "x1")),
        (np.zeros((4, 2, 2)), ("data",)),
        (np.zeros(4), ("x0",)),
        (np.zeros(4, [("a", "f4"), ("b", "i8")]), ("a", "b")),
    ],
)
def test_an_npy_is_a_matrix_or_one_column(tmp_path, array, names):
    np.save(tmp_path / "a.npy", array)
    assert read_table(tmp_path / "a.npy", limit=3).names == names


def test_arrays_of_objects_are_refused_and_nothing_of_them_runs(tmp_path):
    class Fires:
        def __reduce__(self):
            return (open, (str(tmp_path / "fired"), "w"))

    np.save(tmp_path / "a.npy", np.array([Fires()], object), allow_pickle=True)
    np.savez(tmp_path / "a.npz", a=np.array([Fires()], object))
    for name in ("a.npy", "a.npz"):
        assert "pickle" in str(refused(tmp_path / name))
    assert not (tmp_path / "fired").exists()


def test_a_single_value_is_no_column(tmp_path):
    np.savez(tmp_path / "a.npz", a=np.float64(3))
    assert "'a'" in str(refused(tmp_path / "a.npz"))


# -- what is no data, or too much of it ----------------------------------------------------------


def saved(folder):
    data = pa.table({"a": [1, 2, 3], "b": ["x", "y", None]})
    pa.parquet.write_table(data, folder / "a.parquet")
    pa.feather.write_feather(data, folder / "a.arrow")
    np.savez(folder / "a.npz", a=np.arange(3), b=np.array(["x", "y", "z"]))
    write(folder, "a.csv", "a,b\n1,x\n2,y\n")


def test_a_missing_file_is_not_found(tmp_path):
    with pytest.raises(NotFound) as caught:
        read_table(tmp_path / "none.csv")
    assert caught.value.kind == "no-data"


def test_a_folder_and_a_picture_are_no_data(tmp_path):
    refused(tmp_path)
    refused(write(tmp_path, "a.png", b"\x89PNG...."))


def test_the_header_of_an_npz_is_believed_before_its_bytes_are_read(tmp_path):
    head = b"{'descr': '<f8', 'fortran_order': False, 'shape': (900000000000,), }"
    head = head.ljust(117) + b"\n"
    member = b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as file:
        file.writestr("a.npy", member)
    refused(tmp_path / "a.npz")


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow", "a.npz", "a.csv", "a.csv.gz"])
def test_data_larger_than_its_memory_is_refused(tmp_path, name):
    values = np.zeros(100_000)
    pa.parquet.write_table(pa.table({"a": values}), tmp_path / "a.parquet")
    pa.feather.write_feather(pa.table({"a": values}), tmp_path / "a.arrow", compression="lz4")
    np.savez_compressed(tmp_path / "a.npz", a=values)
    write(tmp_path, "a.csv", "a\n" + "0.0\n" * 100_000)
    write(tmp_path, "a.csv.gz", gzip.compress(b"a\n" + b"0.0\n" * 100_000))
    assert "memory" in str(refused(tmp_path / name, memory=100_000))


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    folder = tmp_path_factory.mktemp("good")
    saved(folder)
    return {place.name: place.read_bytes() for place in folder.iterdir()}


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow", "a.npz", "a.csv"])
@given(data=st.data())
def test_damage_is_refused_or_read_and_never_anything_else(tmp_path, good, name, data):
    content = bytearray(good[name])
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = (
        content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content
    )
    try:
        table = read_table(write(tmp_path, name, bytes(cut)), memory=10_000_000)
    except InvalidInput:
        return
    assert len(table) >= 0


def test_a_csv_of_a_stream_without_end_is_refused_at_the_limit(tmp_path):
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb") as file:
        for _ in range(100):
            file.write(b"0\n" * 500_000)
    assert "memory" in str(
        refused(write(tmp_path, "a.csv.gz", packed.getvalue()), memory=5_000_000)
    )


# -- small files that would be large -------------------------------------------------------------

LONG = "x" * 100_000


def repeated():
    """Text that a file holds once: as a dictionary, as views of one buffer, in lists."""
    once = pa.array([LONG])
    return {
        "dictionary": pa.DictionaryArray.from_arrays(pa.array([0, None] * 2500), once),
        "large": pa.DictionaryArray.from_arrays(pa.array([0] * 5000), once.cast("large_string")),
        "view": pa.array([LONG] * 5000).cast(pa.string_view()),
        "lists": pa.FixedSizeListArray.from_arrays(
            pa.DictionaryArray.from_arrays(pa.array([0] * 5000), once), 2
        ),
        "bytes": pa.DictionaryArray.from_arrays(pa.array([0] * 5000), once.cast("binary")),
    }


@pytest.mark.parametrize("kind", ["dictionary", "large", "lists", "bytes"])
@pytest.mark.parametrize("limit", [None, 4000])
def test_one_long_text_in_many_rows_is_refused_before_it_is_written_out(tmp_path, kind, limit):
    table = pa.table({"a": repeated()[kind]})
    with pa.OSFile(str(tmp_path / "a.arrow"), "wb") as file, pa.ipc.new_file(
        file, table.schema
    ) as writer:  # fmt: skip
        writer.write(table)
    before = pa.default_memory_pool().max_memory()
    assert "memory" in str(refused(tmp_path / "a.arrow", memory=20_000_000, limit=limit))
    assert pa.default_memory_pool().max_memory() - before < 20_000_000


def test_views_of_one_buffer_are_measured_row_by_row(tmp_path):
    once = pa.array([LONG]).cast(pa.string_view())
    views = pa.Array.from_buffers(
        pa.string_view(), 5000,
        [None, pa.py_buffer(once.buffers()[1].to_pybytes()[:16] * 5000), *once.buffers()[2:]],
    )  # fmt: skip
    table = pa.table({"a": views})
    with pa.OSFile(str(tmp_path / "a.arrow"), "wb") as file, pa.ipc.new_file(
        file, table.schema
    ) as writer:  # fmt: skip
        writer.write(table)
    assert "memory" in str(refused(tmp_path / "a.arrow", memory=20_000_000))


@pytest.mark.parametrize("limit", [None, 4000])
@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.binary(), pa.list_(pa.string()), pa.binary(50_000)]
)
def test_one_long_text_in_a_parquet_file_is_refused_before_it_is_written_out(tmp_path, kind, limit):
    value = LONG[:50_000] if "string" in str(kind) else LONG[:50_000].encode()
    value = [value] if "list" in str(kind) else value
    place = tmp_path / "a.parquet"
    with pa.parquet.ParquetWriter(place, pa.schema({"a": kind}), compression="zstd") as writer:
        for _ in range(2):
            writer.write_table(pa.table({"a": pa.array([value] * 2000, kind)}))
    assert place.stat().st_size < 20_000
    before = pa.default_memory_pool().max_memory()
    assert "memory" in str(refused(place, memory=20_000_000, limit=limit))
    assert pa.default_memory_pool().max_memory() - before < 20_000_000


@pytest.mark.parametrize("encoding", ["DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY", "PLAIN"])
def test_text_in_every_encoding_is_read_and_bounded(tmp_path, encoding):
    place = tmp_path / "a.parquet"
    values = [LONG[:10_000] + str(n) for n in range(5000)]
    options = {"use_dictionary": False, "column_encoding": {"a": encoding}, "compression": "zstd"}
    pa.parquet.write_table(pa.table({"a": values}), place, **options)
    for limit in (None, 20):
        assert read_table(place, limit=limit, memory=1 << 30).column("a").tolist() == values[:limit]
    before = pa.default_memory_pool().max_memory()
    assert "memory" in str(refused(place, memory=10_000_000))
    assert pa.default_memory_pool().max_memory() == before


def test_text_of_dictionaries_comes_with_its_gaps(tmp_path):
    values = ["red", None, "green", "", "red"]
    table = pa.table({
        "plain": values, "dictionary": pa.array(values).dictionary_encode(),
        "lists": pa.array([[value, "x"] for value in values]),
        "empty": pa.array([None] * 5, pa.dictionary("int8", "string")),
    })  # fmt: skip
    pa.parquet.write_table(table, tmp_path / "a.parquet", row_group_size=2)
    pa.feather.write_feather(table, tmp_path / "a.arrow", compression="uncompressed")
    for name in ("a.parquet", "a.arrow"):
        for limit in (None, 3):
            found = read_table(tmp_path / name, limit=limit)
            assert found.column("plain").tolist() == values[:limit]
            assert found.column("dictionary").tolist() == values[:limit]
            assert found.column("lists").tolist() == [[value, "x"] for value in values[:limit]]
            assert found.column("empty").tolist() == [None] * (limit or 5)


@given(data=st.data())
def test_a_mutated_stream_is_read_or_refused(tmp_path, data):
    table = pa.table({
        "a": ["red", None, "green"] * 20, "b": pa.array(["x", "y", None] * 20).dictionary_encode(),
        "c": range(60),
    })  # fmt: skip
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    content = bytearray(sink.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(4, len(content) - 1))] = data.draw(st.integers(0, 255))
    with suppress(InvalidInput):
        read_table(write(tmp_path, "a.arrow", bytes(content)), memory=10_000_000)


@pytest.mark.parametrize("codec", ["lz4", "zstd"])
@pytest.mark.parametrize("made", [pa.ipc.new_file, pa.ipc.new_stream], ids=["file", "stream"])
@pytest.mark.parametrize("kind", ["numbers", "dictionary"])
def test_packed_batches_are_refused_by_what_their_headers_tell(tmp_path, made, codec, kind):
    zeros = pa.array(np.zeros(3_000_000))
    words = pa.array(["x" * 24_000_000, "y"]).dictionary_encode()
    small = pa.record_batch({"a": pa.array([0.0]) if kind == "numbers" else words[1:]})
    large = pa.record_batch({"a": zeros if kind == "numbers" else words})
    options = pa.ipc.IpcWriteOptions(compression=codec)
    place = tmp_path / "a.arrow"
    with pa.OSFile(str(place), "wb") as file, made(file, large.schema, options=options) as writer:
        writer.write(small)
        writer.write(large)
    assert place.stat().st_size < 2_000_000
    before = pa.default_memory_pool().max_memory()
    assert "memory" in str(refused(place, memory=20_000_000))
    assert pa.default_memory_pool().max_memory() == before
    assert len(read_table(place, memory=200_000_000)) == len(small) + len(large)
    if kind == "numbers":
        assert read_table(place, memory=20_000_000, limit=1).column("a").tolist() == [0.0]
