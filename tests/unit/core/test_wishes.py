"""Conditions of `yard best`: measures with units, and the search language."""

from __future__ import annotations

import pytest

from modelyard.core.conditions import HasLabel, HasParam, HasText, Not
from modelyard.core.wishes import Bound, parse_wishes
from modelyard.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "name", "compare", "value"),
    [
        ("size<10MB", "size", "<", 10e6), ("size <= 2KiB", "size", "<=", 2048),
        ("latency_p50<5ms", "latency_p50", "<", 5), ("latency_p99<0.2s", "latency_p99", "<", 200),
        ("latency_p50<300us", "latency_p50", "<", 0.3), ("accuracy>=90%", "accuracy", ">=", 0.9),
        ("accuracy > 0.9", "accuracy", ">", 0.9), ("f1.cat>=0.5", "f1.cat", ">=", 0.5),
        ("ndcg@10!=1", "ndcg@10", "!=", 1), ("metric.mae<1e-3", "mae", "<", 0.001),
        ("mean_error>-2.5", "mean_error", ">", -2.5),
    ],
)  # fmt: skip
def test_a_measure_is_compared_with_a_number(text, name, compare, value):
    (wish,) = parse_wishes(text)
    assert isinstance(wish, Bound)
    assert (wish.name, wish.compare) == (name, compare)
    assert wish.value == pytest.approx(value)


def test_the_rest_is_the_language_of_search():
    found = parse_wishes('params.C<1 label:use=test -label:old message:"not bad < good"')
    assert [type(wish) for wish in found] == [HasParam, HasLabel, Not, HasText]
    assert found[3].text == "not bad < good"
    assert parse_wishes("") == ()


@pytest.mark.parametrize(
    "text",
    ["size<many", "size<5ms", "latency_p50<5MB", "accuracy>0.9kg", "sort:size", "a<<3", "x:"],
)
def test_what_makes_no_sense_is_refused_with_a_hint(text):
    with pytest.raises(InvalidInput) as caught:
        parse_wishes(text)
    assert caught.value.kind == "bad-query"
    assert caught.value.hint
