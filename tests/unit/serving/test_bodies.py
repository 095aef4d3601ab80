"""What people send to /predict and /invocations, and what they get."""

from __future__ import annotations

import io
import json
import math
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.serving.shapes import Kinds, kinds, made

from modelyard.errors import InvalidInput, ModelyardError
from modelyard.runtimes.tensors import TensorSpec as Spec
from modelyard.serving.bodies import ARROW, CSV, JSON, read_body, wished, write_body

if TYPE_CHECKING:
    from modelyard.serving.interface import Served

ROW = {"age": 20.5, "city": "Köln", "n": 3}
LINES = "application/x-ndjson"


@pytest.fixture(scope="module")
def models() -> Kinds:
    return kinds()


def read(one: Served, body: object, content_type: str | None = JSON, kind: str = "predict"):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_body(kind, content_type, content, one)


def refused(one: Served, body: object, content_type: str | None = JSON, kind: str = "predict"):
    with pytest.raises(InvalidInput) as caught:
        read(one, body, content_type, kind)
    return caught.value


@pytest.mark.parametrize("body", [
    {"rows": [[1, 2.5, None], [4, 5, 6]]},
    [[1, 2.5, None], [4, 5, 6]],
    {"records": [{"x": [1, 2.5, None]}, {"x": [4, 5, 6]}]},
    {"records": [{"a": 1, "b": 2.5, "c": None}, {"b": 5, "c": 6, "a": 4}]},
    {"columns": {"x": [[1, 2.5, None], [4, 5, 6]]}},
    {"columns": {"a": [1, 4], "b": [2.5, 5], "c": [None, 6]}},
    {"inputs": {"x": [[1, 2.5, None], [4, 5, 6]]}},
])  # fmt: skip
def test_a_matrix_comes_in_all_the_ways_that_rows_are_written(models: Kinds, body: object) -> None:
    feeds, rows = read(models.matrix, body)
    assert rows == 2
    assert feeds["x"].dtype == np.float32
    np.testing.assert_array_equal(feeds["x"], np.array([[1, 2.5, math.nan], [4, 5, 6]], np.float32))


@pytest.mark.parametrize("body", [
    ROW,
    [ROW],
    {"records": [ROW]},
    {"records": [ROW | {"more": "than it takes"}]},
    {"rows": [[20.5, "Köln", 3, True]]},
    {"columns": {"age": [20.5], "city": ["Köln"], "n": [3]}},
])  # fmt: skip
def test_columns_are_taken_by_name_with_their_types(models: Kinds, body: object) -> None:
    feeds, rows = read(models.table, body)
    assert rows == 1
    assert {name: array.dtype.kind for name, array in feeds.items() if name != "vip"} == {
        "age": "f", "city": "O", "n": "i",
    }  # fmt: skip
    assert [feeds["age"][0], feeds["city"][0], feeds["n"][0]] == [20.5, "Köln", 3]
    assert all(array.shape == (1,) for array in feeds.values())


def test_many_records_are_as_many_one_by_one(models: Kinds) -> None:
    records = [ROW | {"age": at / 7, "n": at, "vip": at % 2 == 0} for at in range(50)]
    together, rows = read(models.table, {"records": records})
    assert rows == 50
    for at, record in enumerate(records):
        alone, _ = read(models.table, record)
        assert all(together[name][at] == alone[name][0] for name in alone)


def test_text_that_is_missing_is_none_in_a_column_and_refused_in_a_tensor(models: Kinds) -> None:
    feeds, _ = read(models.table, ROW | {"city": None, "age": None})
    assert feeds["city"][0] is None
    assert math.isnan(feeds["age"][0])
    assert refused(models.texts, [None]).kind == "bad-inputs"


def test_a_model_of_text_takes_texts_as_rows(models: Kinds) -> None:
    feeds, rows = read(models.texts, ["fine", "weather"])
    assert (rows, feeds["text"].tolist()) == (2, ["fine", "weather"])
    feeds, _ = read(models.texts, {"text": "fine"})
    assert feeds["text"].tolist() == ["fine"]


def test_whole_tensors_come_by_name(models: Kinds) -> None:
    feeds, rows = read(models.whole, {"inputs": {"sound": [[0.5, 1]], "rate": 16000}})
    assert rows == 1
    assert feeds["sound"].shape == (1, 2)
    assert feeds["rate"].shape == ()
    assert read(models.whole, {"sound": [[0.5]], "rate": [8000]})[0]["rate"].shape == ()


def test_several_inputs_make_rows_together(models: Kinds) -> None:
    feeds, rows = read(
        models.several, [{"ids": [1, 2], "mask": [1, 1]}, {"ids": [3, 4], "mask": [1, 0]}]
    )
    assert (rows, feeds["ids"].shape, feeds["mask"].tolist()) == (2, (2, 2), [[1, 1], [1, 0]])


def test_a_column_may_have_a_side_of_one() -> None:
    one = made([Spec("x", "float32", (-1, 1)), Spec("y", "float32", (-1, 1))], [])
    assert read(one, {"x": 1, "y": [2]})[0]["x"].shape == (1, 1)


def test_the_name_of_an_input_wins_over_the_name_of_an_envelope() -> None:
    one = made([Spec("rows", "float32", (-1,))], [], columns=True)
    assert read(one, {"rows": 4})[0]["rows"].tolist() == [4]


@pytest.mark.parametrize(("body", "kind", "said"), [
    (b"{", "bad-request", "no JSON"),
    (b'{"rows": [[1,2,3]]} more', "bad-request", "no JSON"),
    (b"\xff\xfe", "bad-request", "no JSON"),
    (b"[" * 5000, "bad-request", "no JSON"),
    (b"1", "bad-inputs", "an object or a list"),
    ({"rows": []}, "no-rows", "no rows"),
    ({"rows": [[1, 2]]}, "bad-inputs", "has 3 values, and was given 2"),
    ({"rows": [[1, 2, 3], [1, 2]]}, "bad-inputs", "differ in length"),
    ({"rows": [[1, 2, "3"]]}, "bad-inputs", "takes float32, and was given '3'"),
    ({"rows": [[1, 2, {}]]}, "bad-inputs", "given an object"),
    ({"rows": [1, 2, 3]}, "bad-inputs", "has 3 values"),
    ({"records": [{"a": 1, "b": 2}]}, "bad-inputs", "has 3 values"),
    ({"records": [{"a": 1, "b": 2, "c": 3}, {"a": 1}]}, "no-column", "record 1 lacks 'b'"),
    ({"records": [1]}, "bad-inputs", "records are objects"),
    ({"columns": {"x": 3}}, "bad-inputs", "list of its values"),
    ({"columns": {"a": [1], "b": [1, 2], "c": [1]}}, "bad-inputs", "differ in length"),
    ({"inputs": {"y": [[1, 2, 3]]}}, "no-column", "lacks 'x'"),
])  # fmt: skip
def test_what_a_matrix_can_not_take_is_said(
    models: Kinds, body: object, kind: str, said: str
) -> None:
    error = refused(models.matrix, body)
    assert error.kind == kind
    assert said in error.message


@pytest.mark.parametrize(("change", "kind", "said"), [
    ({"age": "old"}, "bad-inputs", "'age' takes float64, and was given 'old'"),
    ({"n": 2.5}, "bad-inputs", "'n' takes int64, and was given 2.5"),
    ({"n": None}, "bad-inputs", "given null"),
    ({"n": 2**63}, "bad-inputs", "too large"),
    ({"n": 1e300}, "bad-inputs", "'n' takes int64"),
    ({"city": 5}, "bad-inputs", "'city' takes string, and was given 5"),
    ({"vip": 2}, "bad-inputs", "'vip' takes bool"),
])  # fmt: skip
def test_values_of_other_types_are_not_changed_silently(
    models: Kinds, change: dict[str, object], kind: str, said: str
) -> None:
    error = refused(models.table, ROW | change)
    assert error.kind == kind
    assert said in error.message


def test_a_column_that_is_missing_is_named_with_those_that_are_taken(models: Kinds) -> None:
    error = refused(models.table, {"age": 1})
    assert error.kind == "no-column"
    assert "'city', 'n'" in error.message
    assert "age, city, n, vip" in str(error.hint)


def test_a_whole_number_may_be_written_with_a_point(models: Kinds) -> None:
    assert read(models.table, ROW | {"n": 3.0})[0]["n"].tolist() == [3]


def test_bytes_are_text_or_base64() -> None:
    one = made([Spec("picture", "bytes", (-1,))], [])
    feeds, _ = read(one, [{"b64": "AAH/"}, "text"])
    assert feeds["picture"].tolist() == [b"\x00\x01\xff", b"text"]
    assert "b64" in refused(one, [{"b64": "*"}]).message


@pytest.mark.parametrize(
    "given", ["", None, "application/x-www-form-urlencoded", "text/JSON; charset=utf-8"]
)
def test_json_is_json_whatever_curl_says(models: Kinds, given: str | None) -> None:
    assert read(models.table, ROW, given)[1] == 1


def test_other_types_of_bodies_are_refused(models: Kinds) -> None:
    error = refused(models.matrix, b"x", "image/png")
    assert error.kind == "wrong-media-type"
    assert refused(models.matrix, b"x", ARROW, "invocations").kind == "wrong-media-type"


@pytest.mark.parametrize("text", [
    "age,city,n\n20.5,007,3\n,NA,4\n",
    "\ufeffn;city;age\r\n3;007;20.5\r\n\r\n4;;\r\n",
    'age\tcity\tn\tmore\n20.5\t"007"\t3\tx\nnan\t\t4\tx',
])  # fmt: skip
def test_csv_has_the_types_that_the_model_takes(models: Kinds, text: str) -> None:
    feeds, rows = read(models.table, text.encode(), "text/csv; charset=utf-8")
    assert rows == 2
    assert feeds["city"].tolist() == ["007", None]
    assert feeds["n"].tolist() == [3, 4]
    assert feeds["age"][0] == 20.5
    assert math.isnan(feeds["age"][1])


@pytest.mark.parametrize("text", [b"1,2,3\n4,5,6\n", b"a,b,c\n1,2,3\n4,5,6"])
def test_csv_of_a_matrix_needs_no_head(models: Kinds, text: bytes) -> None:
    feeds, rows = read(models.matrix, text, CSV)
    assert (rows, feeds["x"].tolist()) == (2, [[1, 2, 3], [4, 5, 6]])


@pytest.mark.parametrize(("text", "said"), [
    (b"a,b,c\n", "no rows"),
    (b"", "no rows"),
    (b"a,b,c\n1,2\n", "has 2 values, and not 3"),
    (b"a,a,c\n1,2,3\n", "two columns 'a'"),
    (b"a,b,c\n1,x,3\n", "given 'x'"),
    (b"a,b\n1,2\n", "has 3 values, and was given 2"),
    (b'a,b,c\n1,2,"3\n', "line"),
    ("a,b,c\n1,2,ü".encode("latin-1"), "not UTF-8"),
])  # fmt: skip
def test_csv_that_is_damaged_is_refused(models: Kinds, text: bytes, said: str) -> None:
    assert said in refused(models.matrix, text, CSV).message


def test_json_lines_are_records(models: Kinds) -> None:
    text = "\n".join(json.dumps(ROW | {"n": at}) for at in range(3)) + "\n\n"
    feeds, rows = read(models.table, text.encode(), LINES)
    assert (rows, feeds["n"].tolist()) == (3, [0, 1, 2])


@pytest.mark.parametrize("is_file", [False, True])
def test_arrow_comes_as_stream_or_file(models: Kinds, is_file: bool) -> None:
    arrow = pytest.importorskip("pyarrow")
    table = arrow.table({"n": [1, 2], "city": ["a", None], "age": [1.5, None], "id": ["x", "y"]})
    sink = io.BytesIO()
    with (arrow.ipc.new_file if is_file else arrow.ipc.new_stream)(sink, table.schema) as writer:
        writer.write_table(table)
    feeds, rows = read(models.table, sink.getvalue(), ARROW)
    assert (rows, feeds["n"].tolist(), feeds["city"].tolist()) == (2, [1, 2], ["a", None])
    for cut in (1, 40, len(sink.getvalue()) // 2):
        with pytest.raises(ModelyardError):
            read(models.table, sink.getvalue()[:cut], ARROW)


@pytest.mark.parametrize("body", [
    {"dataframe_split": {"columns": ["n", "city", "age"], "index": [0], "data": [[3, "a", 1.5]]}},
    {"dataframe_records": [{"n": 3, "city": "a", "age": 1.5}]},
    {"instances": [{"n": 3, "city": "a", "age": 1.5}]},
    {"inputs": {"n": [3], "city": ["a"], "age": [1.5]}},
])  # fmt: skip
def test_mlflow_s_shapes_are_taken(models: Kinds, body: object) -> None:
    feeds, rows = read(models.table, body, kind="invocations")
    assert rows == 1
    assert {name: array.tolist() for name, array in feeds.items()} == {
        "n": [3], "city": ["a"], "age": [1.5],
    }  # fmt: skip


@pytest.mark.parametrize("body", [
    {"dataframe_split": {"data": [[1, 2, 3]]}},
    {"dataframe_split": {"columns": [0, 1, 2], "data": [[1, 2, 3]]}},
    {"instances": [[1, 2, 3]]},
    {"inputs": [[1, 2, 3]]},
    {"inputs": {"x": [[1, 2, 3]]}, "params": {}},
])  # fmt: skip
def test_mlflow_s_matrices_are_taken(models: Kinds, body: object) -> None:
    assert read(models.matrix, body, kind="invocations")[0]["x"].tolist() == [[1, 2, 3]]


@pytest.mark.parametrize("body", [
    [[1, 2, 3]], {}, {"rows": [[1, 2, 3]]}, {"inputs": [[1, 2, 3]], "instances": [[1, 2, 3]]},
    {"instances": {"x": 1}}, {"dataframe_split": [1]}, {"inputs": 3},
    {"dataframe_split": {"columns": ["a"], "data": [[1, 2, 3]]}},
    {"inputs": [[1, 2, 3]], "params": {"top": 3}},
])  # fmt: skip
def test_what_mlflow_would_refuse_is_refused(models: Kinds, body: object) -> None:
    assert refused(models.matrix, body, kind="invocations").kind in ("bad-request", "bad-inputs")


def answer(one: Served, accept: str | None = None, kind: str = "predict", **outputs: object):
    arrays = {name: np.asarray(value) for name, value in outputs.items()}
    return write_body(kind, accept, one, arrays, len(next(iter(arrays.values()))))


def test_an_answer_has_a_record_for_each_row(models: Kinds) -> None:
    labels = np.array(["yes", "no"], object)
    body, kind = answer(
        models.table, label=labels, probability=np.array([[0.1, 0.9], [1, 0]], "f4")
    )
    assert kind == JSON
    assert json.loads(body) == {
        "model": "m", "version": 1,
        "predictions": [
            {"label": "yes", "probability": [0.1, 0.9]}, {"label": "no", "probability": [1, 0]},
        ],
    }  # fmt: skip
    models.table.classes = ("no", "yes")
    try:
        assert json.loads(answer(models.table, probability=np.ones((1, 2)))[0])["classes"] == [
            "no",
            "yes",
        ]
        assert "classes" not in json.loads(answer(models.table, label=labels)[0])
    finally:
        models.table.classes = None


def test_numbers_are_as_short_as_their_type(models: Kinds) -> None:
    body, _ = answer(
        models.matrix, y=np.array([0.1], "f4"), z=np.array([0.1]), n=np.array([math.nan])
    )
    assert b'{"y":0.1,"z":0.1,"n":null}' in body


def test_arrays_of_any_kind_are_written(models: Kinds) -> None:
    values = {
        "turned": np.arange(6.0).reshape(2, 3).T, "big": np.array([1, 2, 3], ">i4"),
        "half": np.array([1, 2, 3], "f2"), "raw": np.array([b"a", b"\xff", b""], object),
        "day": np.array(["2026-01-31"] * 3, "M8[D]"), "word": np.array(["a", "b", "c"]),
    }  # fmt: skip
    rows = json.loads(answer(models.matrix, **values)[0])["predictions"]
    assert rows[0]["turned"] == [0, 3]
    assert rows[2]["big"] == 3
    assert rows[0]["raw"] == "a"
    assert rows[1]["word"] == "b"


def test_a_model_without_rows_answers_with_its_outputs(models: Kinds) -> None:
    body, _ = answer(models.whole, CSV, speech=np.array([[0.5]], "f4"))
    assert json.loads(body)["outputs"] == {"speech": [[0.5]]}


def test_csv_and_arrow_are_answered_where_they_are_asked_for(models: Kinds) -> None:
    outputs = {
        "label": np.array(["a,b", "c"], object),
        "probability": np.array([[0.1, 1], [0, 2]], "f4"),
    }
    body, kind = answer(models.matrix, "text/csv, */*", **outputs)
    assert kind == "text/csv; charset=utf-8"
    assert body == b'label,probability_0,probability_1\n"a,b",0.1,1.0\nc,0.0,2.0\n'
    arrow = pytest.importorskip("pyarrow")
    body, kind = answer(models.matrix, ARROW, **outputs)
    assert kind == ARROW
    with arrow.ipc.open_stream(body) as reader:
        found = reader.read_all().to_pydict()
    assert found["label"] == ["a,b", "c"]
    np.testing.assert_array_equal(found["probability"], outputs["probability"])


def test_csv_is_answered_by_csv_unless_the_client_wishes_otherwise() -> None:
    assert wished("*/*", "text/csv; header=present") == CSV
    assert wished(None, ARROW) == ARROW
    assert wished("*/*", JSON) == "*/*"
    assert wished(JSON, CSV) == JSON


def test_mlflow_gets_labels_alone_and_other_outputs_as_they_are(models: Kinds) -> None:
    labels = np.array(["a"], object)
    assert answer(models.table, None, "invocations", label=labels, probability=np.ones((1, 2)))[
        0
    ] == (b'{"predictions":["a"]}')
    assert (
        answer(models.table, CSV, "invocations", y=np.array([[1, 2]]))[0]
        == b'{"predictions":[[1,2]]}'
    )
    two = answer(models.table, None, "invocations", y=np.array([1]), z=np.array([2]))[0]
    assert json.loads(two) == {"predictions": {"y": [1], "z": [2]}}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["rows", "records", "columns", "inputs", "x", "age", "city", "n", "data",
                         "instances", "dataframe_split", "text", "ids", "mask"]),
        inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(VALUES, st.sampled_from(["matrix", "table", "several", "whole", "texts"]),
       st.sampled_from(["predict", "invocations"]))  # fmt: skip
def test_any_json_gives_tensors_or_a_sentence(body: object, which: str, kind: str) -> None:
    one: Served = getattr(kinds(), which)
    try:
        feeds, rows = read(one, body, kind=kind)
    except InvalidInput:
        return
    assert rows >= 0
    assert all(isinstance(array, np.ndarray) for array in feeds.values())


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=80) | st.text(alphabet='a,1.;"\n\t-enx', max_size=60).map(str.encode),
       st.sampled_from([JSON, CSV, LINES, ARROW]))  # fmt: skip
def test_any_bytes_give_tensors_or_a_sentence(body: bytes, kind: str) -> None:
    for one in (kinds().matrix, kinds().table):
        with suppress(InvalidInput):
            read(one, body, kind)


@pytest.mark.parametrize(("text", "wanted"), [
    ("0,1,2\n1.5,2,3\n", [[1.5, 2, 3]]),  # pandas: DataFrame(X).to_csv(index=False)
    ("1,,3\n4,5,6\n", [[1, math.nan, 3], [4, 5, 6]]),
    ("NA,nan,3\n", [[math.nan, math.nan, 3]]),
    ("0,1,3\n", [[0, 1, 3]]),
    ("a,b,c\n1,2,3\n", [[1, 2, 3]]),
])  # fmt: skip
def test_the_first_line_of_csv_is_a_row_only_if_it_is_one(
    models: Kinds, text: str, wanted: object
) -> None:
    feeds, _ = read(models.matrix, text.encode(), CSV)
    np.testing.assert_array_equal(feeds["x"], np.array(wanted, np.float32))


def test_numbers_are_names_where_the_model_says_so_and_else_must_be_clear() -> None:
    years = made([Spec("2019", "float64", (-1,)), Spec("0", "float64", (-1,))], [], columns=True)
    feeds, rows = read(years, b"0,2019\n1,2\n", CSV)
    assert (rows, feeds["2019"].tolist(), feeds["0"].tolist()) == (1, [2], [1])
    pair = made([Spec("x", "float32", (-1, 2))], [])
    assert "names, or values" in refused(pair, b"0,1\n1,0\n", CSV).message
    assert read(pair, b"0.0,1\n1,0\n", CSV)[1] == 2
    assert read(pair, b"a,b\n0,1\n", CSV)[1] == 1


def test_what_is_optional_is_looked_for_in_every_record() -> None:
    inputs = [Spec("a", "float64", (-1,)), Spec("o", "float64", (-1,), optional=True)]
    table, several = made(inputs, [], columns=True), made(inputs, [])
    for one in (table, several):
        feeds, _ = read(one, [{"a": 1}, {"a": 2, "o": 9}])
        np.testing.assert_array_equal(feeds["o"], [math.nan, 9])
        feeds, _ = read(one, [{"a": 1, "o": 9}, {"a": 2}])
        np.testing.assert_array_equal(feeds["o"], [9, math.nan])
        assert set(read(one, [{"a": 1}, {"a": 2}])[0]) == {"a"}


def test_what_is_optional_and_can_not_be_missing_in_some_is_refused(models: Kinds) -> None:
    said = refused(models.table, [ROW, ROW | {"vip": True}]).message
    assert "'vip' takes bool, and was given null" in said
    assert "record 1 lacks 'n'" in refused(models.table, [ROW, {"age": 1, "city": "x"}]).message


@pytest.mark.parametrize("number", [1e300, -1e39, 10**40])
def test_a_number_that_float32_can_not_say_is_refused(models: Kinds, number: float) -> None:
    assert "too large for float32" in refused(models.matrix, [[1, 2, number]]).message
    text = f"1,2,{number}\n".encode()
    assert "too large for float32" in refused(models.matrix, text, CSV).message
    assert read(models.matrix, b"1,2,inf\n", CSV)[0]["x"][0, 2] == math.inf


def test_a_number_of_a_file_that_is_too_large_is_refused(models: Kinds) -> None:
    table = pa.table({"a": [1.0], "b": [2.0], "c": [1e300]})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    assert "too large" in refused(models.matrix, sink.getvalue().to_pybytes(), ARROW).message


def test_one_column_takes_plain_values_as_rows() -> None:
    text = made([Spec("text", "string", (-1,))], [], columns=True)
    feeds, rows = read(text, ["hello", "world"])
    assert (rows, feeds["text"].tolist()) == (2, ["hello", "world"])
    number = made([Spec("x", "float64", (-1,))], [], columns=True)
    for body in ([1.5], {"rows": [1.5]}, [[1.5]]):
        assert read(number, body)[0]["x"].tolist() == [1.5]
    assert "2 values" in refused(number, [[1, 2]]).message
