"""Text of metrics: written, added up, as OpenMetrics."""

from __future__ import annotations

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open
from prometheus_client.parser import text_string_to_metric_families as parse

from modelyard.core.exposition import (
    Exposition,
    added_up,
    as_openmetrics,
    only_counted,
    sample_key,
    wants_open,
)


def told() -> str:
    made = Exposition()
    made.begin("a_requests_total", "counter", "Requests.")
    made.begin("a_seconds", "histogram", "Time.")
    made.begin("a_empty", "gauge", "Nothing.")
    made.begin("a_info", "gauge", "What.")
    made.add("a_requests_total", Exposition.labels(name='say "hi"\\\n'), 3)
    made.histogram("a_seconds", 'x="1"', (0.5, 1), (2, 1, 4), 12.25)
    made.add("a_info", "", 1)
    return made.text()


def test_it_is_read_as_it_was_meant() -> None:
    found = {family.name: family for family in parse(told())}
    assert set(found) == {"a_requests", "a_seconds", "a_info"}, "families without samples are left"
    (sample,) = found["a_requests"].samples
    assert (sample.labels["name"], sample.value) == ('say "hi"\\\n', 3)
    buckets = [s.value for s in found["a_seconds"].samples if s.name.endswith("_bucket")]
    assert buckets == [2, 3, 7]


def test_several_processes_are_added_but_not_what_is_the_same_in_all() -> None:
    found = {family.name: family for family in parse(added_up([told(), told()]))}
    assert found["a_requests"].samples[0].value == 6
    assert found["a_info"].samples[0].value == 1


def test_gauges_of_a_process_that_is_gone_are_gone() -> None:
    assert [family.name for family in parse(only_counted(told()))] == ["a_requests", "a_seconds"]


def test_openmetrics_has_exemplars_and_an_end() -> None:
    key = sample_key("a_seconds", 'x="1"', 0.5)
    text = as_openmetrics(told(), {key: '{trace_id="abc"} 0.25 1700000000.000'})
    found = {family.name: family for family in parse_open(text)}
    assert found["a_requests"].type == "counter"
    exemplar = found["a_seconds"].samples[0].exemplar
    assert (exemplar.labels, exemplar.value) == ({"trace_id": "abc"}, 0.25)


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5", True),
        ("text/plain", False),
        ("", False),
        ("application/openmetrics-text;q=0", False),
    ],
)
def test_openmetrics_is_for_those_who_ask(accept: str, wanted: bool) -> None:
    assert wants_open(accept) is wanted
