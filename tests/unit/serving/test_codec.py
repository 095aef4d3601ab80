"""Bodies of the Open Inference Protocol, read and written."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from modelyard.errors import InvalidInput
from modelyard.serving.oip.datatypes import DTYPES, datatype_of, from_bytes, to_bytes
from modelyard.serving.oip.decoding import decode, decode_raw
from modelyard.serving.oip.encoding import encode, head_of

HEAD = head_of("m", "1")
NUMBERS = [name for name in DTYPES if name not in ("BYTES", "BOOL")]


def tensor(name: str, datatype: str, shape: list[int], data: Any) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape, "data": data}


def body(*inputs: dict[str, Any], **more: Any) -> bytes:
    return orjson.dumps({"inputs": list(inputs), **more})


def any_array() -> st.SearchStrategy[Any]:
    kinds = st.sampled_from([DTYPES[name] for name in (*NUMBERS, "BOOL")])
    return kinds.flatmap(
        lambda dtype: arrays.arrays(
            dtype, arrays.array_shapes(max_dims=3, max_side=5),
            elements=arrays.from_dtype(dtype, allow_nan=False, allow_infinity=False),
        )
    )  # fmt: skip


def as_request(written: bytes) -> bytes:
    """An answer sent back as a request."""
    found = orjson.loads(written)
    return orjson.dumps({"inputs": found["outputs"]})


@given(any_array())
def test_what_is_written_as_json_is_read_again_bit_for_bit(array: Any) -> None:
    written, length = encode(HEAD, {"x": array})
    assert length is None
    found = decode(as_request(written), None).feeds["x"]
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


@given(st.lists(any_array(), min_size=1, max_size=3))
def test_raw_tensors_stand_behind_the_json_in_their_order(several: list[Any]) -> None:
    outputs = {f"t{i}": array for i, array in enumerate(several)}
    written, length = encode(HEAD, outputs, binary=True)
    if length is None:  # all are empty
        return
    head = orjson.loads(written[:length])
    request = orjson.dumps({"inputs": head["outputs"]})
    found = decode(request + written[length:], len(request)).feeds
    for name, array in outputs.items():
        np.testing.assert_array_equal(found[name], array)


@given(st.lists(st.binary(max_size=20), max_size=10))
def test_bytes_go_with_their_lengths(items: list[bytes]) -> None:
    array = np.empty(len(items), object)
    array[:] = items
    assert from_bytes(memoryview(to_bytes(array)), len(items)).tolist() == items


@given(st.lists(st.text(max_size=10), min_size=1, max_size=5))
def test_text_goes_as_json(items: list[str]) -> None:
    array = np.empty(len(items), object)
    array[:] = items
    written, _ = encode(HEAD, {"x": array})
    found = decode(as_request(written), None).feeds["x"].tolist()
    assert found == [item.encode("utf-8", "replace").decode() for item in items]


@pytest.mark.parametrize("data", [[1, 2, 3, 4], [[1, 2], [3, 4]], [[[1], [2]], [[3], [4]]]])
def test_data_may_be_nested_or_flat(data: Any) -> None:
    found = decode(body(tensor("x", "INT32", [2, 2], data)), None).feeds["x"]
    assert found.tolist() == [[1, 2], [3, 4]]
    assert found.dtype == np.int32


def test_whole_numbers_are_fractions_too_but_not_the_other_way() -> None:
    assert decode(body(tensor("x", "FP32", [2], [1, 2])), None).feeds["x"].tolist() == [1.0, 2.0]
    with pytest.raises(InvalidInput, match="unable to parse 'data'"):
        decode(body(tensor("x", "INT32", [1], [1.5])), None)


def test_what_is_too_large_for_a_fraction_is_infinite() -> None:
    found = decode(body(tensor("x", "FP32", [2], [1e300, 1])), None).feeds["x"]
    assert found.tolist() == [math.inf, 1.0]


def test_null_is_no_number_in_fractions_only() -> None:
    found = decode(body(tensor("x", "FP64", [2], [None, 1])), None).feeds["x"]
    assert math.isnan(found[0])
    with pytest.raises(InvalidInput):
        decode(body(tensor("x", "INT64", [1], [None])), None)


def test_what_json_cannot_say_is_null() -> None:
    written, _ = encode(HEAD, {"x": np.array([np.nan, np.inf, 1])})
    assert orjson.loads(written)["outputs"][0]["data"] == [None, None, 1.0]


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        (tensor("x", "INT8", [1], [300]), "no INT8"),
        (tensor("x", "UINT8", [1], [-1]), "unable to parse"),
        (tensor("x", "FP32", [2], [1]), "unexpected number of elements"),
        (tensor("x", "FP32", [-1], [1]), "invalid shape"),
        (tensor("x", "FP32", [1] * 40, [1]), "invalid shape"),
        (tensor("x", "FP33", [1], [1]), "invalid datatype"),
        (tensor("x", "BOOL", [1], ["a"]), "BOOL"),
        (tensor("x", "BYTES", [1], [1]), "BYTES"),
        (tensor("x", "BYTES", [2], [["a"], "b"]), "rows differ"),
        (tensor("x", "FP32", [1], {"a": 1}), "unable to parse"),
        (tensor("x", "FP32", [1], "text"), "unable to parse"),
        ({"name": "x", "datatype": "FP32", "shape": [1]}, "neither data nor its size"),
        ({"name": "x", "datatype": "FP32", "shape": [1],
          "parameters": {"binary_data_size": 4}}, "unexpected size"),
        ({"name": "x", "datatype": "FP32", "shape": [1],
          "parameters": {"binary_data_size": -1}}, "unexpected size"),
        ({"name": "x", "datatype": "FP32", "shape": [1],
          "parameters": {"binary_data_size": "4"}}, "unexpected size"),
    ],
)  # fmt: skip
def test_wrong_inputs_are_told(inputs: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        decode(body(inputs), None)


def test_a_name_stands_once() -> None:
    one = tensor("x", "FP32", [1], [1])
    with pytest.raises(InvalidInput, match="twice"):
        decode(body(one, one), None)


@given(st.binary(max_size=200), st.one_of(st.none(), st.integers(0, 300)))
def test_garbage_is_invalid_input_and_nothing_else(content: bytes, length: int | None) -> None:
    with pytest.raises(InvalidInput):
        decode(content, length)


def test_bytes_that_nobody_named_are_refused() -> None:
    head = body(tensor("x", "FP32", [1], [1]))
    with pytest.raises(InvalidInput, match="additional input data"):
        decode(head + b"1234", len(head))


def test_large_tensors_are_views_of_the_body() -> None:
    array = np.arange(1 << 18, dtype=np.float32)
    head = orjson.dumps({"inputs": [{
        "name": "xy", "datatype": "FP32", "shape": [1 << 18],
        "parameters": {"binary_data_size": array.nbytes}}]})  # fmt: skip
    head += b" " * (-len(head) % 4)
    whole = head + array.tobytes()
    found = decode(whole, len(head)).feeds["xy"]
    assert np.shares_memory(found, np.frombuffer(whole, np.uint8))
    np.testing.assert_array_equal(found, array)


def test_a_raw_body_is_as_many_rows_as_fit() -> None:
    assert decode_raw(b"\0" * 32, "FP32", (-1, 4)).shape == (2, 4)
    with pytest.raises(InvalidInput):
        decode_raw(b"\0" * 20, "FP32", (-1, 4))
    with pytest.raises(InvalidInput):
        decode_raw(b"\0" * 5, "FP32", (-1,))


def test_only_named_outputs_are_raw() -> None:
    from modelyard.serving.oip.decoding import Asked

    outputs = {"a": np.ones(2, np.float32), "b": np.ones(2, np.float32)}
    asked = [Asked("a", {"binary_data": True}), Asked("b")]
    written, length = encode(HEAD, outputs, asked=asked)
    told = orjson.loads(written[:length])["outputs"]
    assert told[0]["parameters"] == {"binary_data_size": 8}
    assert told[1]["data"] == [1.0, 1.0]


@pytest.mark.parametrize("code", ["?", "b", "H", "i", "q", "L", "e", "f", "d"])
def test_every_dtype_has_its_name(code: str) -> None:
    array = np.zeros(1, code)
    assert DTYPES[datatype_of(array)].itemsize == array.dtype.itemsize
    assert DTYPES[datatype_of(array)].kind == array.dtype.kind
