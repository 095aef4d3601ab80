"""Frames come back as they went, and what is no frame is Corrupt and nothing else."""

from __future__ import annotations

import socket
import struct
import threading

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from modelyard.errors import Corrupt, InvalidInput
from modelyard.runtimes.wire import Channel, Frame, decode, encode

LIMIT = 1 << 20


def there_and_back(frame):
    head, *pieces = encode(frame)
    return decode(bytes(head[16:]), memoryview(b"".join(pieces)), limit=1 << 30)


def same(found, wanted):
    assert found.dtype == wanted.dtype
    assert found.shape == wanted.shape
    if wanted.dtype.kind in "OU":
        assert found.tolist() == wanted.tolist()
    else:
        assert found.tobytes() == wanted.tobytes()


numbers = arrays.arrays(
    st.one_of(
        arrays.boolean_dtypes(), arrays.integer_dtypes(), arrays.unsigned_integer_dtypes(),
        arrays.floating_dtypes(), arrays.complex_number_dtypes(),
        arrays.datetime64_dtypes(), arrays.timedelta64_dtypes(), arrays.byte_string_dtypes(),
    ),
    arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5),
)  # fmt: skip
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=9)


@given(array=numbers)
def test_arrays_come_back_bit_for_bit(array):
    same(there_and_back(Frame("result", array)).content, array)


@given(array=numbers)
def test_arrays_in_the_order_of_columns_keep_it(array):
    turned = np.asfortranarray(array)
    found = there_and_back(Frame("result", turned)).content
    same(found, turned)
    if array.size:
        assert found.flags.f_contiguous == turned.flags.f_contiguous


@given(items=st.lists(st.one_of(st.none(), texts)))
def test_text_comes_back_with_its_gaps(items):
    array = np.empty(len(items), object)
    array[:] = items
    same(there_and_back(Frame("result", array)).content, array)


@given(items=st.lists(texts, min_size=1))
def test_text_of_one_width_comes_back(items):
    array = np.array(items)
    same(there_and_back(Frame("result", array)).content, array)


@given(items=st.lists(st.one_of(st.none(), texts, st.booleans(), st.integers(-9, 9), st.floats(
    allow_nan=False))))  # fmt: skip
def test_mixed_objects_come_back(items):
    array = np.empty(len(items), object)
    array[:] = items
    found = there_and_back(Frame("result", array)).content
    assert [(type(x), x) for x in found.tolist()] == [(type(x), x) for x in items]


@given(
    content=st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**63) | texts | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=20,
    )
)  # fmt: skip
def test_plain_values_come_back(content):
    assert there_and_back(Frame("call", content)).content == content


def test_several_arrays_lie_where_they_were_put():
    content = {"a": [np.arange(3), {"b": np.array(["x", None], object)}], "c": 1.5}
    found = there_and_back(Frame("predict", content)).content
    same(found["a"][0], np.arange(3))
    same(found["a"][1]["b"], content["a"][1]["b"])
    assert found["c"] == 1.5


def test_arrays_after_text_are_aligned_and_can_be_written():
    found = there_and_back(Frame("x", [np.array(["abc"], object), np.arange(3.0)])).content[1]
    assert found.flags.aligned
    found[0] = 1


class Thing:
    def __reduce__(self):
        return (pytest.fail, ("it was pickled",))


@pytest.mark.parametrize(
    "content",
    [
        Thing(), np.array([Thing()], object), np.zeros(2, [("a", "i4")]), 2**70,
        np.array([2**70, 1], object), "\ud800", np.array(["\ud800"], object),
    ],
    ids=["object", "objects", "fields", "large", "larges", "half", "halves"],
)  # fmt: skip
def test_what_can_not_travel_is_invalid_input(content):
    with pytest.raises(InvalidInput) as caught:
        encode(Frame("x", content))
    assert caught.value.kind == "bad-inputs"


# -- what a hostile child may send ---------------------------------------------------------------


def decoded(head, body):
    """The frame, or None where it was refused: nothing else may come of any bytes."""
    try:
        return decode(head, memoryview(body), limit=LIMIT)
    except Corrupt:
        return None


@given(head=st.binary(max_size=200), body=st.binary(max_size=100))
def test_random_bytes_are_refused(head, body):
    decoded(head, body)


sides = st.one_of(
    st.integers(-2, 20), st.integers(), st.sampled_from([2**31, 2**62, 2**63, 10**18])
)
forms = st.sampled_from([
    "<f8", "<i4", "|b1", "text", "values", "<M8[s]", "<U9", "|O", "O", "<M8[99Y]", "V8", "<f8,<f8",
    "(9,)f8", "|S999999", "object", "<m8[generic]", "<M8[0s]",
])  # fmt: skip
specs = st.lists(
    st.tuples(
        forms,
        st.lists(st.integers(0, 4), max_size=3) | st.lists(sides, max_size=40),
        st.integers(0, 64) | sides,
        st.sampled_from(["", "<U1", "<U999999", "<U0", "|O"]),
        st.booleans(),
    )
    | sides,
    max_size=3,
)


@given(specs=specs, body=st.binary(max_size=64), content=st.integers(0, 300), data=st.data())
def test_lies_about_arrays_are_refused(specs, body, content, data):
    raw = msgspec.msgpack.encode([msgspec.msgpack.Ext(1, str(content).encode()), None])
    if data.draw(st.booleans()):
        raw = msgspec.msgpack.encode([msgspec.msgpack.Ext(1, b"0")])
    try:
        head = msgspec.msgpack.encode(["result", specs, msgspec.Raw(raw)])
    except OverflowError:
        return
    found = decoded(head, body)
    if found is not None:
        for item in found.content:
            assert item is None or isinstance(item, np.ndarray)


@given(data=st.data())
def test_damaged_frames_are_refused_or_harmless(data):
    frame = Frame("result", [np.arange(4.0), np.array(["a", None, "bc"], object), np.array(["xy"])])
    first, *pieces = encode(frame)
    whole = bytearray(bytes(first[16:]) + b"".join(pieces))
    size = len(first) - 16
    for _ in range(data.draw(st.integers(1, 5))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    decoded(bytes(whole[:size]), bytes(whole[size:]))


def test_nesting_without_end_is_refused():
    deep = b"\x91" * 100_000 + b"\xc0"
    assert decoded(b"\x93\xa6result\x90" + deep, b"") is None


def test_wide_text_that_would_grow_is_refused():
    lengths = np.zeros(1000, np.int32).tobytes()
    head = msgspec.msgpack.encode(
        ["result", [["text", [1000], len(lengths), "<U999999", False]], msgspec.Raw(b"\xc0")]
    )
    assert decoded(head, lengths) is None


def one_array(form, count, body, width=""):
    index = msgspec.msgpack.Ext(1, b"0")
    spec = [form, [count], len(body), width, False]
    return msgspec.msgpack.encode(["result", [spec], index]), body


@pytest.mark.parametrize(
    ("form", "body", "width"),
    [
        ("text", np.full(20_000, -1, np.int32).tobytes(), ""),
        ("values", b"\xdc" + (20_000).to_bytes(2, "big") + b"\xc0" * 20_000, ""),
        ("text", np.zeros(20_000, np.int32).tobytes(), "<U10"),
    ],
)
def test_elements_that_would_grow_past_the_limit_are_refused(form, body, width):
    head, body = one_array(form, 20_000, body, width)
    assert decoded(head, body) is None
    found = decode(head, memoryview(body), limit=1 << 30) if not width else None
    assert found is None or found.content.tolist() == [None] * 20_000


def test_arrays_that_grow_together_past_the_limit_are_refused():
    lengths = np.full(4000, -1, np.int32).tobytes()
    specs = [["text", [4000], len(lengths), "", False]] * 4
    whole = msgspec.msgpack.encode(["result", specs, None])
    alone = msgspec.msgpack.encode(["result", specs[:1], None])
    assert decoded(alone, lengths) is not None
    assert decoded(whole, 4 * lengths) is None


def test_a_list_that_is_longer_than_it_was_said_to_be_is_refused_before_it_is_made():
    head, body = one_array("values", 3, b"\xdd" + (2**31).to_bytes(4, "big") + b"\xc0" * 100)
    assert decoded(head, body) is None
    assert decoded(*one_array("values", 0, b"")) is None


def test_a_head_that_would_grow_past_the_limit_is_refused(ends):
    size = (1 << 20) + 1
    assert (
        decoded(b"\x93\xa6result\x90\xdd" + size.to_bytes(4, "big") + b"\x90" * size, b"") is None
    )
    ends[0].sendall(struct.pack("<4sIQ", b"myw1", size, 0))
    with pytest.raises(Corrupt):
        Channel(ends[1], limit=LIMIT).receive()


# -- over a socket -------------------------------------------------------------------------------


@pytest.fixture
def ends():
    left, right = socket.socketpair()
    with left, right:
        yield left, right


def test_large_frames_go_through_a_socket(ends):
    array = np.random.default_rng(0).random(2_000_000)
    sender = threading.Thread(target=Channel(ends[0]).send, args=(Frame("predict", array),))
    sender.start()
    same(Channel(ends[1]).receive().content, array)
    sender.join()


def test_the_end_of_a_socket_is_told(ends):
    ends[0].sendall(b"myw1")
    ends[0].close()
    with pytest.raises(EOFError):
        Channel(ends[1]).receive()


@pytest.mark.parametrize(
    "prefix", [(b"nope", 1, 0), (b"myw1", 2**31, 0), (b"myw1", 1, 2**63), (b"myw1", 1, 1001)]
)
def test_a_prefix_that_promises_too_much_is_corrupt_before_it_is_believed(ends, prefix):
    ends[0].sendall(struct.pack("<4sIQ", *prefix))
    with pytest.raises(Corrupt):
        Channel(ends[1], limit=1000).receive()


def test_waiting_calls_tick(ends):
    class Enough(Exception):
        pass

    ends[1].settimeout(0.01)
    ticks = []

    def tick():
        ticks.append(1)
        if len(ticks) > 3:
            raise Enough

    with pytest.raises(Enough):
        Channel(ends[1]).receive(tick)
