"""The search language: what is typed, what it means, how it prints, what is refused."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.core.query import (
    QUALIFIERS,
    SORTS,
    Age,
    Condition,
    Date,
    FileGlob,
    HasLabel,
    HasMetric,
    HasParam,
    HasSize,
    HasText,
    HasTime,
    HasValue,
    HasWord,
    Not,
    PointedBy,
    Query,
    Sort,
    parse_query,
)
from modelyard.errors import InvalidInput

_EXAMPLES: list[tuple[str, Condition | Not]] = [
    ("resnet", HasWord("resnet")),
    ("情感", HasWord("情感")),
    ('"first baseline"', HasWord("first baseline")),
    (r'"say \"hi\" \\ now"', HasWord(r'say "hi" \ now')),
    ('"label:x"', HasWord("label:x")),
    ("params.json", HasWord("params.json")),
    ("C=1", HasWord("C=1")),
    ("label:domain=nlp", HasLabel("domain", "nlp")),
    ('label:domain="two words"', HasLabel("domain", "two words")),
    ("label:domain=", HasLabel("domain", "")),
    ("label:domain", HasLabel("domain", None)),
    ("name:res", HasText("name", "res")),
    ("description:'x", HasText("description", "'x")),
    ('message:"a b"', HasText("message", "a b")),
    ("author:ann", HasText("author", "ann")),
    ("framework:SKLearn", HasValue("framework", "sklearn")),
    ("format:onnx", HasValue("format", "onnx")),
    ("kind:dataset", HasValue("kind", "dataset")),
    ("branch:Main", HasValue("branch", "Main")),
    ("alias:champion", PointedBy("alias", "champion")),
    ("tag:v1.0", PointedBy("tag", "v1.0")),
    ("created:>2026-01-01", HasTime("created", ">", Date("2026-01-01"))),
    ("created:2026-01", HasTime("created", "=", Date("2026-01"))),
    ("updated:<7d", HasTime("updated", "<", Age(7, "d"))),
    ("metric.accuracy>0.9", HasMetric("accuracy", ">", 0.9)),
    ("metric.val/f1-score>=.5", HasMetric("val/f1-score", ">=", 0.5)),
    ('metric."f1 score"!=1e-3', HasMetric("f1 score", "!=", 0.001)),
    ("params.C=1.0", HasParam("C", "=", "1.0")),
    ('params.kernel="rbf"', HasParam("kernel", "=", "rbf")),
    ("file:*.h5", FileGlob("*.h5")),
    ("size:<10MB", HasSize("<", 10_000_000)),
    ("size:>=1.5GiB", HasSize(">=", 3 * 2**29)),
    ("size:7", HasSize("=", 7)),
    ("-resnet", Not(HasWord("resnet"))),
    ('-"a b"', Not(HasWord("a b"))),
    ("-label:old", Not(HasLabel("old", None))),
    ("-metric.loss<1", Not(HasMetric("loss", "<", 1.0))),
]


@pytest.mark.parametrize(("text", "condition"), _EXAMPLES)
def test_a_condition_is_read_as_documented(text: str, condition: Condition | Not) -> None:
    assert parse_query(text) == Query((condition,))


def test_conditions_stand_side_by_side_and_one_order_anywhere() -> None:
    query = parse_query("  a sort:metric.acc-asc\t-b ")
    assert query == Query((HasWord("a"), Not(HasWord("b"))), Sort("metric.acc", False))
    assert query.sort is not None
    assert query.sort.metric == "acc"


def test_empty_text_finds_everything() -> None:
    assert parse_query(" ") == Query()


@pytest.mark.parametrize("key", SORTS)
def test_each_order_is_descending_unless_told(key: str) -> None:
    assert parse_query(f"sort:{key}").sort == Sort(key, True)
    assert parse_query(f"sort:{key}-asc").sort == Sort(key, False)


@pytest.mark.parametrize(
    ("text", "piece", "hint"),
    [
        ("a lable:x=1", "lable:", "did you mean label:x=1"),
        ("metrics:1", "metrics:", ""),
        ("http://host/x", "http:", '"http://host/x"'),
        ('a "open', '"open', 'close it with "'),
        ('name:"a"b', '"a"b', "my model"),
        ("name:", "name:", "look for"),
        ('""', '""', "look for"),
        ("-", "-", "quote"),
        ("--x", "--x", "quote"),
        ("kind:cat", "kind:cat", "kind:dataset"),
        ("size:<ten", "size:<ten", "10MB"),
        ("size:<9e99TB", "size:<9e99TB", "10MB"),
        ("size:<-1", "size:<-1", "10MB"),
        ("created:>yesterday", "created:>yesterday", "2026"),
        ("created:2026-02-30", "created:2026-02-30", "2026"),
        ("created:0000", "created:0000", "2026"),
        ("updated:7d", "updated:7d", "updated:<7d"),
        ("metric.acc>high", "metric.acc>high", "metric.acc>0.9"),
        ("metric.acc>nan", "metric.acc>nan", "metric.acc>0.9"),
        ("metric.>1", "metric.>1", ""),
        ("params.C<rbf", "params.C<rbf", "params.C>1"),
        ("accuracy>0.9", "accuracy>0.9", "metric.accuracy>0.9"),
        ("sort:siz", "siz", "sort:size"),
        ("sort:accuracy", "accuracy", "metric.NAME"),
        ("sort:size sort:name", "sort:name", "one key"),
        ("\ud800", r"\ud800", "Unicode"),
        ("a\0b", r"\x00", "leave"),
        ("x" * 4097, "xxx", "4096 bytes"),
        ("模" * 1366, "模模", "4096 bytes"),
        ("a " * 65, "'a'", "64"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_piece_and_a_hint(
    text: str, piece: str, hint: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_query(text)
    assert caught.value.kind == "bad-query"
    assert piece in caught.value.message
    assert hint in (caught.value.hint or "")


def _read(text: str) -> Query | InvalidInput:
    try:
        return parse_query(text)
    except InvalidInput as error:
        return error


def test_the_largest_query_is_read_at_once() -> None:
    started = time.process_time()
    for text in ('"' + '\\"' * 2047 + '"', "-" * 4096, ":" * 4096, '"' * 4096, "=" * 4096):
        _read(text)
    assert time.process_time() - started < 0.2


def test_a_date_is_the_whole_of_its_time() -> None:
    def at(*parts: int) -> int:
        return int(datetime(*parts, tzinfo=UTC).timestamp()) * 1_000_000  # type: ignore[arg-type,misc]

    assert Date("2026").span() == (at(2026, 1, 1), at(2027, 1, 1))
    assert Date("2026-12").span() == (at(2026, 12, 1), at(2027, 1, 1))
    assert Date("2024-02-29").span() == (at(2024, 2, 29), at(2024, 3, 1))
    assert Date("2026-01-31T12:30Z").span() == (at(2026, 1, 31, 12, 30), at(2026, 1, 31, 12, 31))
    assert Age(2, "w").microseconds() == 14 * 86_400_000_000


_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
_word = _text.filter(lambda text: bool(text.strip()))
_compare = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
_number = st.floats(allow_nan=False, allow_infinity=False)
_dates = st.datetimes(datetime(1970, 1, 1), datetime(9998, 12, 31))
_when = st.builds(
    lambda when, form: Date(when.strftime(form)),
    _dates,
    st.sampled_from(["%Y", "%Y-%m", "%Y-%m-%d", "%Y-%m-%dT%H:%M"]),
)
_conditions: st.SearchStrategy[Condition] = st.one_of(
    st.builds(HasWord, _word),
    st.builds(HasText, st.sampled_from(["name", "description", "message", "author"]), _word),
    st.builds(HasValue, st.just("framework"), _word.map(str.casefold)),
    st.builds(HasValue, st.just("branch"), _word),
    st.builds(PointedBy, st.sampled_from(["alias", "tag"]), _word),
    st.builds(HasLabel, _word, st.none() | _text),
    st.builds(HasMetric, _word, _compare, _number),
    st.builds(HasParam, _word, _compare, _number.map(repr)),
    st.builds(HasParam, _word, st.sampled_from(["=", "!="]), _text),
    st.builds(FileGlob, _word),
    st.builds(HasSize, _compare, st.integers(0, 2**61)),
    st.builds(HasTime, st.sampled_from(["created", "updated"]), _compare, _when),
    st.builds(
        HasTime,
        st.just("created"),
        st.sampled_from(["<", ">="]),
        st.builds(Age, st.integers(0, 9999), st.sampled_from("hdwmy")),
    ),
)
_sorts = st.builds(
    Sort, st.sampled_from(SORTS) | _word.map(lambda name: f"metric.{name}"), st.booleans()
)
queries = st.builds(
    Query,
    st.lists(_conditions | st.builds(Not, _conditions), max_size=4).map(tuple),
    st.none() | _sorts,
)


@given(queries)
def test_a_printed_query_reads_back_as_itself(query: Query) -> None:
    assert parse_query(str(query)) == query


@given(st.text(st.sampled_from('ab:"\\-=<>! .metric,sort数'), max_size=30) | st.text(max_size=30))
def test_any_text_is_read_or_refused_as_bad_query(text: str) -> None:
    query = _read(text)
    if isinstance(query, Query):
        assert parse_query(str(query)) == query
    else:
        assert query.kind == "bad-query"
        assert query.hint


def test_the_reference_documents_each_qualifier_and_order() -> None:
    page = Path(__file__).parents[3] / "docs" / "reference" / "query.md"
    text = page.read_text("utf-8")
    for qualifier in QUALIFIERS:
        assert f"| `{qualifier}:" in text, qualifier
    for word in ("metric.", "params.", *(f"`sort:{key}" for key in SORTS)):
        assert word in text, word
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    for row in rows:
        example = row.split("`")[1].replace(r"\|", "|")
        parse_query(example)
