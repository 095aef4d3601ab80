"""Whatever a signal does, alerts begin and end in turns, as their rule says and no sooner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelyard.core.deployment import DeploymentSpec, Share
from modelyard.monitoring.alerts.evaluator import MISSING, QUIET, Evaluator
from modelyard.monitoring.alerts.ruling import set_rules
from modelyard.monitoring.alerts.signals import Fact
from modelyard.registry.local import LocalYard
from modelyard.registry.watching import alerts

if TYPE_CHECKING:
    from collections.abc import Iterator

HOLD, BAD, CLEAR = 5.0, 0.5, 0.2
RULES = "defaults: false\nrules: {r: {when: error_rate > 50%, clear: 20%, for: 5s, rows: 10}}"


class Third:
    def predict(self, inputs: Any) -> Any:
        return inputs / 3


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalYard]:
    with LocalYard.create(tmp_path_factory.mktemp("course") / "yard", author="ann") as yard:
        yard.commit("own/m", Third())
        share = Share(model="own/m", revision="1")
        yard.deployments.apply(DeploymentSpec(name="svc", trusted=("*",), shares=(share,)))
        set_rules(yard.house, "svc", RULES)
        yield yard


steps = st.lists(
    st.tuples(
        st.sampled_from([0.5, 1.0, 2.0, 4.0, 8.0]),
        st.one_of(st.none(), st.sampled_from([0.0, 0.1, 0.2, 0.3, 0.5, 0.51, 0.9])),
        st.sampled_from([5, 10, 100]),
        st.sampled_from([0, 1]),
    ),
    min_size=1,
    max_size=30,
)
"""Seconds since the last look, the rate (None: nothing is known), requests, and which server."""

_begun = [1.7e9]


@settings(max_examples=60)
@given(steps=steps)
def test_alerts_begin_and_end_in_turns(yard, steps):
    for open_one in alerts.firing(yard.house).values():  # of the example before
        change = alerts.Changes(end=[(open_one, open_one.alert)], seen_before=1e12)
        alerts.apply(yard.house, _begun[0], change)
    _begun[0] += 10_000
    now = _begun[0]
    servers = [Evaluator(yard.house), Evaluator(yard.house)]
    is_firing, last_bad = False, None
    since: list[float | None] = [None, None]
    for after, rate, rows, server in steps:
        now += after
        facts = []
        if rate is not None:
            facts = [Fact(deployment="svc", signal="error_rate", value=rate, rows=rows)]
        known = rate is not None and rows >= 10
        fired, ended = servers[server].tick(now, facts, fast=True)
        if known and rate > BAD:
            since[server] = now if since[server] is None else since[server]
        else:
            since[server] = None
        assert len(fired) + len(ended) <= 1
        assert len(alerts.firing(yard.house)) <= 1
        if fired:
            assert not is_firing
            assert known
            assert rate > BAD
            assert since[server] is not None
            assert now - since[server] >= HOLD
            is_firing = True
        if ended:
            assert is_firing
            assert last_bad is not None
            quiet = now - last_bad
            assert quiet >= (QUIET if known else MISSING[True])
            assert not known or rate <= CLEAR
            is_firing = False
        if known and rate > BAD:
            last_bad = now
        if not is_firing and known and since[server] is not None:
            assert now - since[server] < HOLD, "it should have fired"
        assert bool(alerts.firing(yard.house)) == is_firing
