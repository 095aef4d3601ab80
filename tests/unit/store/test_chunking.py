"""Cuts cover the file, begin at tensors, and move along with content."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from modelyard.store.chunking import CHUNK, Span, by_content, cut, whole


def covering(segments, size):
    ends = [0]
    for segment in segments:
        assert segment.start == ends[-1]
        assert segment.end > segment.start
        ends.append(segment.end)
    assert ends[-1] == size


def no_read(start: int, end: int) -> bytes:
    raise AssertionError("short gaps need no reading")


@given(st.data())
def test_segments_cover_the_file_without_gap_or_overlap(data):
    spans, at = [], 0
    for _ in range(data.draw(st.integers(0, 6))):
        at += data.draw(st.integers(0, 3000))
        length = data.draw(st.sampled_from([0, 10, 1024, 5000, CHUNK, CHUNK + 1, 3 * CHUNK + 7]))
        spans.append(Span(at, at + length, 4, True))
        at += length
    size = at + data.draw(st.integers(0, 3000))
    covering(cut(spans, size, no_read), size)


def test_a_tensor_is_cut_from_its_own_first_byte():
    end = 77 + 2 * CHUNK + 5
    segments = list(cut([Span(77, end, 2, True)], end + 9, no_read))
    assert [s.start for s in segments if s.width == 2] == [77, 77 + CHUNK, 77 + 2 * CHUNK]


def test_overlapping_tensors_are_cut_once():
    spans = [Span(0, 4000, 4, True), Span(1000, 5000, 4, True)]
    covering(cut(spans, 6000, no_read), 6000)


def test_the_parents_chunks_are_bases_in_order():
    bases = [bytes([i]) * 32 for i in range(2)]
    spans = [Span(0, 3 * CHUNK, 4, True, bases)]
    assert [s.base for s in cut(spans, 3 * CHUNK, no_read)] == [*bases, None]


def test_an_insertion_changes_few_content_chunks():
    old = np.random.default_rng(0).integers(0, 256, 40 << 20, dtype=np.uint8).tobytes()
    new = old[:1000] + b"inserted" + old[1000:]

    def pieces(content):
        found = list(by_content(0, len(content), lambda a, b: content[a:b]))
        covering(found, len(content))
        return {content[s.start : s.end] for s in found}

    fresh = pieces(new) - pieces(old)
    assert sum(map(len, fresh)) < 600_000


def test_an_empty_file_has_no_chunk():
    assert whole(0, None) == []
