from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.core.digest import Digest
from modelyard.errors import Corrupt
from modelyard.history.bundles import decode_bundle, encode_bundle
from modelyard.history.gitobject import BLOB, GitObject
from modelyard.history.pointers import pointer

objects = st.one_of(
    st.builds(GitObject.of, st.integers(1, 4), st.binary(max_size=300)),
    st.builds(
        lambda raw, size: GitObject.of(BLOB, pointer(Digest(raw), size)),
        st.binary(min_size=32, max_size=32),
        st.integers(0, 2**63 - 1),
    ),
)


def sealed(content: bytes) -> bytes:
    return content + zlib.crc32(content).to_bytes(4, "little")


@given(st.lists(objects, max_size=6))
def test_what_is_encoded_is_decoded(items: list[GitObject]) -> None:
    assert decode_bundle(encode_bundle(items)) == tuple(items)


def test_a_pointer_takes_33_bytes_and_its_size() -> None:
    item = GitObject.of(BLOB, pointer(Digest.of(b"x"), 300))
    assert len(encode_bundle([item])) == 1 + 1 + 33 + 2 + 4


def test_the_bytes_are_those_of_the_specification() -> None:
    known = GitObject.of(BLOB, pointer(Digest(bytes(32)), 200))
    assert encode_bundle([GitObject.of(BLOB, b"hi"), known]) == sealed(
        b"\x01\x02" + b"\x03\x02hi" + b"\x05" + bytes(32) + b"\xc8\x01"
    )


@given(st.lists(objects, max_size=4), st.data())
def test_any_altered_bit_is_corrupt(items: list[GitObject], data: st.DataObject) -> None:
    good = encode_bundle(items)
    bit = data.draw(st.integers(0, len(good) * 8 - 1))
    bad = bytearray(good)
    bad[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Corrupt):
        decode_bundle(bytes(bad))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x01",
        b"\x02\x00",
        b"\x01\x00\x00",
        b"\x01\x01",
        b"\x01\x02\x03\x00",
        b"\x01\x01\x00\x00",
        b"\x01\x01\x06\x00",
        b"\x01\x01\x03\x05hi",
        b"\x01\x01\x03\x82\x00hi",
        b"\x01\x01\x03\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
        b"\x01\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
        b"\x01\x01\x03" + b"\xff" * 20,
        b"\x01\x01\x05" + bytes(31),
        b"\x01\x01\x05" + bytes(32),
    ],
)
def test_hostile_bundles_are_corrupt(content: bytes) -> None:
    for data in (content, sealed(content)):
        with pytest.raises(Corrupt) as refused:
            decode_bundle(data)
        assert refused.value.kind == "bad-bundle"


@given(st.binary(max_size=100))
def test_any_bytes_are_corrupt_or_a_bundle(content: bytes) -> None:
    try:
        items = decode_bundle(sealed(b"\x01" + content))
    except Corrupt:
        return
    assert decode_bundle(encode_bundle(items)) == items
