"""Packs can be read by trailer, by walking, and up to where their writer died."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.core.chunks import Kind, NewChunk
from modelyard.errors import Corrupt
from modelyard.store.pack import (
    HEADER,
    chunk_id,
    encode_record_head,
    encode_trailer,
    parse_trailer,
    scan_records,
)


def make(contents, *, base=None):
    data, chunks = HEADER, []
    for content in contents:
        head = encode_record_head(Kind.CONTENT, 0, len(content), len(content), base)
        start = len(data) + len(head)
        data += head + content
        name = chunk_id(Kind.CONTENT, content)
        chunks.append(NewChunk(name, start, len(content), len(content), 0, Kind.CONTENT, base))
    return data, chunks


def reading(data):
    return lambda start, end: data[start : min(end, len(data))]


@given(st.lists(st.binary(max_size=200), max_size=8), st.booleans())
def test_a_sealed_pack_tells_its_chunks_both_ways(contents, with_base):
    base = bytes(range(32)) if with_base else None
    data, chunks = make(contents, base=base)
    sealed = data + encode_trailer(chunks, len(data))
    assert parse_trailer(reading(sealed), len(sealed)) == tuple(chunks)
    walked = list(scan_records(reading(data), len(data)))
    assert [(r.start, r.length, r.base) for r in walked] == [
        (c.start, c.length, c.base) for c in chunks
    ]


@given(st.lists(st.binary(min_size=1, max_size=50), min_size=1, max_size=6), st.data())
def test_a_cut_pack_gives_its_whole_records(contents, data_):
    data, chunks = make(contents)
    end = data_.draw(st.integers(len(HEADER), len(data)))
    found = list(scan_records(reading(data[:end]), end))
    assert [r.start for r in found] == [c.start for c in chunks if c.start + c.length <= end]


@given(st.lists(st.binary(min_size=1, max_size=50), min_size=1, max_size=4), st.data())
def test_a_flipped_bit_in_a_trailer_is_noticed(contents, data_):
    data, chunks = make(contents)
    sealed = bytearray(data + encode_trailer(chunks, len(data)))
    at = data_.draw(st.integers(len(data), len(sealed) - 1))
    sealed[at] ^= 1 << data_.draw(st.integers(0, 7))
    found = parse_trailer(reading(bytes(sealed)), len(sealed))
    assert found is None


def test_something_else_is_no_pack():
    with pytest.raises(Corrupt, match="no pack"):
        list(scan_records(reading(b"not a pack at all, really"), 20))


def test_our_records_live_in_domains_that_files_can_not_enter():
    names = {chunk_id(kind, b"the same bytes") for kind in Kind}
    assert len(names) == len(Kind)
