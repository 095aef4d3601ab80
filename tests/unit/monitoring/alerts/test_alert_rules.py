"""Rules are read from YAML as people write it, written back exactly, and refused in plain words."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.core.monitoring import Rule
from modelyard.errors import InvalidInput
from modelyard.monitoring.alerts.rules import (
    DEFAULTS,
    amount,
    default_set,
    fires,
    is_over,
    parse,
    quantity,
    written,
)
from modelyard.monitoring.alerts.signals import SIGNALS

NAMED = {rule.name: rule for rule in DEFAULTS}


def only(text: str) -> Rule:
    (rule,) = parse(f"defaults: false\nrules:\n  one: {text}\n")
    return rule


def test_a_rule_reads_like_a_sentence():
    rule = only(
        "{when: error_rate > 5%, for: 10 s, clear: 2%, severity: critical, rows: 20, words: Oh no}"
    )
    assert rule == Rule(
        name="one", signal="error_rate", op=">", value=0.05, hold=10.0, clear=0.02,
        severity="critical", rows=20, words="Oh no",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("latency_p99 > 250 ms", 0.25), ("latency_p99>=2s", 2.0), ("label_lag > 1h", 3600.0),
        ("accuracy < 90%", 0.9), ("accuracy < 0.9", 0.9), ("drifted_columns >= 3", 3.0),
        ("bias > -1e-3", -0.001), ("mae > .5", 0.5),
    ],
)  # fmt: skip
def test_values_have_the_units_that_people_use(text, value):
    assert only(f"{{when: {text}}}").value == pytest.approx(value)


def test_the_usual_rules_hold_besides_unless_they_are_switched_off():
    rules = {rule.name: rule for rule in parse("rules: {mine: {when: mae > 3}}")}
    assert rules.keys() == NAMED.keys() | {"mine"}
    assert len(parse("defaults: false\nrules: {mine: {when: mae > 3}}")) == 1
    assert parse("") == DEFAULTS


def test_a_usual_rule_is_changed_in_parts():
    rules = {
        r.name: r for r in parse("rules: {errors: {when: error_rate > 1%}, slow: {enabled: false}}")
    }
    assert rules["errors"] == replace(NAMED["errors"], value=0.01, clear=None)
    assert rules["slow"] == replace(NAMED["slow"], enabled=False)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rules: {a: {when: eror_rate > 1}}", "no signal 'eror_rate'"),
        ("rules: {a: {when: error_rate is high}}", "no condition"),
        ("rules: {a: {when: error_rate > 2 s}}", "not in the unit"),
        ("rules: {a: {when: latency_p99 > 5%}}", "not in the unit"),
        ("rules: {a: {when: error_rate > .inf}}", "no number"),
        ("rules: {a: {for: 3s}}", "'when' says"),
        ("rules: {a: {when: error_rate > 1%, for: 9d}}", "from 0 s to 7 d"),
        ("rules: {a: {when: error_rate > 1%, for: -1s}}", "from 0 s to 7 d"),
        ("rules: {a: {when: error_rate > 1%, clear: 2%}}", "never be over"),
        ("rules: {a: {when: error_rate > 1%, severity: bad}}", "no such severity"),
        ("rules: {a: {when: error_rate > 1%, rows: many}}", "whole number"),
        ("rules: {a: {when: error_rate > 1%, rows: true}}", "whole number"),
        ("rules: {a: {when: error_rate > 1%, colour: red}}", "'colour' is nothing"),
        ("rules: {a: {when: error_rate > 1%}, a: {when: mae > 2}}", "there twice"),
        ("rules: {A B: {when: error_rate > 1%}}", "can't name a rule"),
        ("rules: [1]", "by their names"),
        ("[1, 2]", "a mapping"),
        ("rule: {}", "'rule' is nothing"),
        ("defaults: 3", "true or false"),
        ("rules: {a: &x {when: mae > 1}, b: *x}", "no anchors"),
        ("rules: !!python/object:os.system {}", "tags"),
        ("rules: {a: {when: error_rate > 1%}", "line 1"),
        ("x" * 70_000, "too long"),
        ("rules: {" + ", ".join(f"r{n}: {{when: mae > 1}}" for n in range(101)) + "}", "more than"),
        ("[" * 500, ""),
        ("rules: {1: {when: mae > 1}}", "can't name"),
        ("? {a: 1}\n: 2", ""),
    ],
)  # fmt: skip
def test_what_no_rule_is_made_of_is_refused_in_plain_words(text, words):
    with pytest.raises(InvalidInput) as raised:
        parse(text)
    assert raised.value.kind == "bad-rules"
    assert words in raised.value.message
    assert raised.value.hint


@given(text=st.text(max_size=60))
def test_any_text_is_rules_or_refused(text):
    with suppress(InvalidInput):
        assert isinstance(parse(text), tuple)


finite = st.floats(-1e9, 1e9, allow_nan=False)
made = st.builds(
    Rule,
    name=st.from_regex(r"[a-z][a-z0-9-]{0,20}[a-z]", fullmatch=True),
    signal=st.sampled_from(sorted(SIGNALS)),
    op=st.sampled_from([">", ">=", "<", "<="]),
    value=finite,
    hold=st.floats(0, 600_000),
    severity=st.sampled_from(["info", "warning", "critical"]),
    rows=st.integers(0, 10**9),
    words=st.text("abc xyz é漏", max_size=30).map(lambda text: " ".join(text.split())),
    enabled=st.booleans(),
)


@given(rules=st.lists(made, max_size=8, unique_by=lambda rule: rule.name))
def test_what_is_written_is_read_back_exactly(rules):
    assert parse(written(rules)) == tuple(rules)


def test_the_usual_rules_are_their_yaml():
    assert parse(default_set().text) == DEFAULTS
    assert default_set().rules == DEFAULTS


def test_each_usual_rule_has_words_and_can_end():
    for rule in DEFAULTS:
        assert rule.words
        assert rule.signal in SIGNALS
        assert rule.clear is None or not fires(rule, rule.clear)


def test_between_two_values_nothing_begins_and_nothing_ends():
    rule = only("{when: error_rate > 5%, clear: 2%}")
    assert [fires(rule, v) for v in (0.06, 0.05, 0.03, 0.02)] == [True, False, False, False]
    assert [is_over(rule, v) for v in (0.06, 0.05, 0.03, 0.02)] == [False, False, False, True]


def test_amounts_and_quantities():
    assert amount("5 %") == (0.05, "share")
    assert amount("250ms") == (0.25, "seconds")
    assert amount("3") == (3.0, "")
    assert amount("three") is None
    assert quantity(0.05, "share") == "5 %"
    assert quantity(0.25, "seconds") == "250 ms"
    assert quantity(12.0, "seconds") == "12 s"
    assert quantity(1234567.0, "count") == "1234567"
    assert quantity(None, "count") == "-"
