"""Frames, headers and layouts on the wire, and what comes of bytes that are none."""

from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.core.transferring import (
    Frame,
    GivenFile,
    Header,
    Layout,
    LayoutBlob,
    LayoutChunk,
    Question,
    Receipt,
    decode_commit,
    decode_packed,
    encode_commit,
    encode_frame,
    encode_packed,
    is_set,
    names_of,
    pack_bits,
    parse_frames,
)
from modelyard.errors import InvalidInput

NAMES = st.binary(min_size=32, max_size=32)
FRAMES = st.builds(
    Frame,
    name=NAMES,
    content=st.binary(min_size=1, max_size=100),
    width=st.sampled_from([1, 2, 4, 8]),
    is_float=st.booleans(),
    base=st.none() | NAMES,
    is_first=st.booleans(),
)


@contextmanager
def may_be_refused(kind):
    try:
        yield
    except InvalidInput as error:
        if error.kind != kind:
            raise


@given(st.lists(FRAMES))
def test_frames_come_back(frames):
    body = b"".join(part for frame in frames for part in encode_frame(frame))
    assert [f._replace(content=bytes(f.content)) for f in parse_frames(body)] == frames


@given(st.binary(max_size=300))
def test_any_bytes_are_frames_or_refused(data):
    with may_be_refused("bad-frames"):
        assert sum(len(frame.content) for frame in parse_frames(data)) <= len(data)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_commit_or_refused(data):
    with may_be_refused("unreadable-body"):
        decode_commit(data)


@given(st.binary(max_size=300), st.sampled_from([Question, Layout, Header]))
def test_any_bytes_are_a_value_or_refused(data, cls):
    with may_be_refused("unreadable-body"):
        assert isinstance(decode_packed(data, cls), cls)


def test_a_commit_comes_back():
    frame = Frame(b"n" * 32, b"content", 4, True, None, True)
    header = Header(
        files=[GivenFile(path="a", inline=b"a"), GivenFile(path="b", chunks=[(b"n" * 32, 7)])],
        keep=["c"], labels={"domain": "nlp"}, have=[Receipt(b"n" * 32, b"r")], parent=3,
    )  # fmt: skip
    again, rest = decode_commit(b"".join(encode_commit(header, [frame])))
    assert again == header
    assert [f.name for f in parse_frames(rest)] == [frame.name]


def test_a_layout_comes_back():
    layout = Layout(
        etag="e", size=10, chunks=[LayoutChunk(b"n" * 32, 0, 10, 12, 3, -1)],
        blobs=[LayoutBlob(b"s" * 32, 12, "onnx", b"n" * 32, None, b"i")],
    )  # fmt: skip
    assert decode_packed(encode_packed(layout), Layout) == layout


@given(st.lists(st.booleans()))
def test_bits_come_back(bits):
    packed = pack_bits(bits)
    assert [is_set(packed, i) for i in range(len(bits))] == bits


def test_names_have_32_bytes():
    assert names_of(b"a" * 32 + b"b" * 32) == [b"a" * 32, b"b" * 32]
    with pytest.raises(InvalidInput):
        names_of(b"a" * 33)
