"""Truths as people write them down, in pieces of any size."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.core.truths import CSV, JSON, JSON_LINES, Keys, read_truths
from modelyard.errors import InvalidInput

TRUTHS = [
    {"request": "a", "truth": "good"},
    {"request": "b", "truth": "bad", "row": 2},
    {"request": 'ä,"\n', "truth": "0.5"},
]


def as_csv(truths):
    file = io.StringIO()
    writer = csv.DictWriter(file, ["row", "truth", "request"])
    writer.writeheader()
    writer.writerows(truths)
    return file.getvalue().encode()


def pieces(body, size):
    return [body[at : at + size] for at in range(0, len(body), size)]


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (JSON, json.dumps(TRUTHS).encode()),
        (JSON_LINES, "\n".join(map(json.dumps, TRUTHS)).encode()),
        ("application/x-ndjson; charset=utf-8", "\n\n".join(map(json.dumps, TRUTHS)).encode()),
        (CSV, as_csv(TRUTHS)),
    ],
)
def test_each_way_of_writing_says_the_same(kind, body, size):
    assert list(read_truths(pieces(body, size), kind)) == TRUTHS


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "request": st.text(st.characters(codec="utf-8", exclude_characters="\0\r")),
                "truth": st.text(
                    st.characters(codec="utf-8", exclude_characters="\0\r"), min_size=1
                ),
            },
            optional={"row": st.integers(0, 1000)},
        )
    ),
    st.integers(1, 50),
)
def test_csv_is_read_as_it_was_written(truths, size):
    assert list(read_truths(pieces(as_csv(truths), size), CSV)) == truths


def test_one_truth_needs_no_list():
    assert list(read_truths([json.dumps(TRUTHS[0]).encode()], JSON)) == TRUTHS[:1]


def test_lists_of_truths_and_numbers_stay_as_they_are():
    told = {"request": "a", "truth": [1, 2.5, None]}
    assert list(read_truths([json.dumps(told).encode()], JSON_LINES)) == [told]


def test_a_truth_that_is_not_known_yet_is_left_out_of_csv():
    assert list(read_truths([b"request,truth\na,\nb,1\n"], CSV)) == [{"request": "b", "truth": "1"}]


def test_columns_may_have_other_names():
    keys = Keys("id", "label", "line")
    body = b"when,id,label,line\nx,a,good,1\n"
    told = [{"request": "a", "truth": "good", "row": 1}]
    assert list(read_truths([body], CSV, keys)) == told
    assert list(read_truths([b'{"id":"a","label":"good","line":1}'], JSON_LINES, keys)) == told


@pytest.mark.parametrize(
    ("kind", "body", "words"),
    [
        (JSON, b"[", "not JSON"),
        (JSON, b"[5]", "truth 1 names no request"),
        (JSON_LINES, b'{"request":"a","truth":1}\nx', "line 2 is not JSON"),
        (JSON_LINES, b'{"request":"a"}', "line 1 has no truth"),
        (JSON_LINES, b'{"request":5,"truth":1}', "line 1 names no request"),
        (JSON_LINES, b"\xff\xfe", "line 1 is not JSON"),
        (CSV, b"", "names no request and truth"),
        (CSV, b"request,label\na,1\n", "names no request and truth"),
        (CSV, b"request,truth\na\n", "line 2 has 1 cells, not 2"),
        (CSV, b"request,truth,row\na,1,x\n", "'x' is no number of a row"),
        (CSV, b"request,truth\na,\xff\n", "not CSV in UTF-8"),
        (CSV, b"x" * (2 << 20), "more than a MiB"),
        (JSON_LINES, b"x" * (2 << 20), "more than a MiB"),
    ],
)
def test_what_is_not_right_is_told_with_its_line(kind, body, words):
    with pytest.raises(InvalidInput, match=words) as caught:
        list(read_truths([body], kind))
    assert caught.value.kind == "bad-feedback"


def test_other_types_are_not_taken():
    with pytest.raises(InvalidInput) as caught:
        read_truths([b""], "image/png")
    assert caught.value.kind == "wrong-media-type"
    with pytest.raises(InvalidInput) as caught:
        list(read_truths([b" " * (33 << 20)] * 2, JSON))
    assert caught.value.kind == "too-large"
