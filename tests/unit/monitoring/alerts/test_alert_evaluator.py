"""An alert fires when its rule holds, once for all servers, and ends when nobody sees it."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from modelyard.core.deployment import DeploymentSpec, Share
from modelyard.errors import InvalidInput, NotFound, Unavailable
from modelyard.monitoring.alerts import ruling
from modelyard.monitoring.alerts.evaluator import Evaluator
from modelyard.monitoring.alerts.ruling import Rulings, rules_of, set_rules
from modelyard.monitoring.alerts.signals import Fact
from modelyard.registry import files
from modelyard.registry.events import events
from modelyard.registry.local import LocalYard
from modelyard.registry.watching import alerts, silences
from modelyard.registry.watching.rules import of_version, ruled

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

START = 1_800_000_000.0

HELD = """
defaults: false
rules:
  errors: {when: error_rate > 5%, clear: 2%, for: 10s, severity: critical, rows: 20}
  drift: {when: drift_score >= 1}
"""


class Twice:
    def predict(self, inputs: Any) -> Any:
        return 2 * inputs


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[LocalYard]:
    with LocalYard.create(tmp_path / "yard", author="ann") as yard:
        yard.commit("own/m", Twice())
        deploy(yard, "svc")
        yield yard


def deploy(yard: LocalYard, name: str) -> None:
    share = Share(model="own/m", revision="1")
    yard.deployments.apply(DeploymentSpec(name=name, trusted=("*",), shares=(share,)))


def with_rules(yard: LocalYard, model: str, folder: Path, text: str) -> None:
    """Commit a version that has rules beside its object."""
    yard.checkout("own/m", 1, folder / "two")
    (folder / "two" / "monitoring.yaml").write_text(text)
    yard.commit(model, folder / "two")


def failing(rate: float, rows: int = 100, **given: Any) -> Fact:
    return Fact(**{"deployment": "svc", "signal": "error_rate", "value": rate, "rows": rows,
                   "number": 1, **given})  # fmt: skip


def drifting(score: float, column: str) -> Fact:
    return Fact(deployment="svc", signal="drift_score", value=score, rows=500, subject=column)


class Clock:
    """An evaluator at moments that we choose."""

    def __init__(self, yard: LocalYard) -> None:
        self.evaluator = Evaluator(yard.house)
        self.now = START

    def tick(self, *facts: Fact, after: float = 0.5, fast: bool = True) -> tuple[list, list]:
        self.now += after
        fired, ended = self.evaluator.tick(self.now, facts, fast=fast)
        return [a.rule for a in fired], [a.rule for a in ended]


def test_a_fault_fires_at_the_first_look(yard):
    clock = Clock(yard)
    assert clock.tick(failing(0.0)) == ([], [])
    assert clock.tick(failing(0.5)) == (["errors"], [])
    assert clock.tick(failing(0.5)) == ([], [])
    (alert,) = alerts.listed(yard.house, "svc")
    assert (alert.state, alert.severity, alert.number, alert.value) == (
        "firing",
        "critical",
        1,
        0.5,
    )
    assert alert.words == "Too many requests fail: error_rate is 50 % (> 5 %)"
    assert alert.evidence["rows"] == 100


def test_it_is_over_when_it_came_back_far_enough(yard):
    clock = Clock(yard)
    clock.tick(failing(0.5))
    assert clock.tick(failing(0.03), after=5) == ([], [])  # between the two values
    assert clock.tick(failing(0.03), after=60) == ([], [])
    assert clock.tick(failing(0.0)) == ([], [])  # a server may have seen it within three seconds
    assert clock.tick(failing(0.0), after=4) == ([], ["errors"])
    (alert,) = alerts.listed(yard.house)
    assert alert.state == "resolved"
    assert alert.until is not None


def test_a_rule_waits_as_long_as_it_says(yard):
    set_rules(yard.house, "svc", HELD)
    clock = Clock(yard)
    assert clock.tick(failing(0.5)) == ([], [])
    assert clock.tick(failing(0.5), after=6) == ([], [])
    assert clock.tick(failing(0.0), after=1) == ([], [])  # a break: it begins anew
    assert clock.tick(failing(0.5), after=6) == ([], [])
    assert clock.tick(failing(0.5), after=11) == (["errors"], [])
    assert clock.tick(failing(0.0), after=5) == ([], [])
    assert clock.tick(failing(0.0), after=9) == ([], [])
    assert clock.tick(failing(0.0), after=2) == ([], ["errors"])


def test_a_break_without_facts_begins_anew(yard):
    set_rules(yard.house, "svc", HELD)
    clock = Clock(yard)
    clock.tick(failing(0.5))
    clock.tick(after=6)
    assert clock.tick(failing(0.5), after=6) == ([], [])


def test_too_few_requests_are_no_reason(yard):
    clock = Clock(yard)
    assert clock.tick(failing(1.0, rows=19)) == ([], [])
    assert clock.tick(failing(1.0, rows=20)) == (["errors"], [])


def test_two_servers_fire_once_and_end_together(yard):
    one, two = Clock(yard), Clock(yard)
    assert one.tick(failing(0.5)) == (["errors"], [])
    assert two.tick(failing(0.5)) == ([], [])
    for _ in range(20):  # one of them is well again, the other is not
        assert one.tick(failing(0.0), after=1) == ([], [])
        assert two.tick(failing(0.5), after=1) == ([], [])
    assert len(list(alerts.listed(yard.house))) == 1
    ends = []
    for _ in range(6):
        ends += one.tick(failing(0.0), after=1)[1] + two.tick(failing(0.0), after=1)[1]
    assert ends == ["errors"]


def test_a_restart_neither_fires_again_nor_forgets(yard):
    Clock(yard).tick(failing(0.5))
    clock = Clock(yard)
    assert clock.tick(failing(0.5)) == ([], [])
    assert clock.tick(failing(0.0), after=10)[1] == ["errors"]


def test_what_nothing_is_known_of_is_over_in_the_end(yard):
    clock = Clock(yard)
    clock.tick(failing(0.5))
    assert clock.tick(after=200) == ([], [])
    assert clock.tick(after=200, fast=False) == ([], [])  # no slow look ends a fast alert
    assert clock.tick(after=1) == ([], ["errors"])
    (alert,) = alerts.listed(yard.house)
    assert alert.evidence["ended"] == "nothing is known of it any more"


@pytest.mark.parametrize("how", ["rule", "off", "deployment"])
def test_what_nobody_asks_for_any_more_is_over(yard, how):
    clock = Clock(yard)
    clock.tick(failing(0.5))
    if how == "deployment":
        yard.deployments.undeploy("svc")
    else:
        off = "rules: {errors: {enabled: false}}"
        set_rules(yard.house, "svc", "defaults: false" if how == "rule" else off)
    assert clock.tick(failing(0.5), after=4) == ([], ["errors"])


def test_each_subject_has_an_alert_of_its_own(yard):
    set_rules(yard.house, "svc", HELD)
    clock = Clock(yard)
    assert clock.tick(drifting(1.2, "age"), drifting(3, "income"), fast=False)[0] == ["drift"] * 2
    assert clock.tick(drifting(0.2, "age"), drifting(3, "income"), after=5, fast=False)[1] == [
        "drift"
    ]
    (left,) = alerts.listed(yard.house, is_firing=True)
    assert left.subject == "income"


def test_a_fact_without_subject_ends_what_is_not_named(yard):
    none = Fact(deployment="svc", signal="critical_anomalies", value=0, rows=0)
    probing = replace(none, value=1, rows=40, subject="probing")
    clock = Clock(yard)
    assert clock.tick(none, probing)[0] == ["fault"]
    assert clock.tick(none, probing, after=10) == ([], [])
    assert clock.tick(none, after=1) == ([], [])
    assert clock.tick(none, after=4) == ([], ["fault"])


def test_the_worst_version_counts(yard):
    clock = Clock(yard)
    clock.tick(failing(0.1, number=1), failing(0.9, number=2), failing(0.0, number=3))
    (alert,) = alerts.listed(yard.house)
    assert (alert.number, alert.value) == (2, 0.9)


def test_a_thousand_columns_are_no_thousand_alerts(yard):
    set_rules(yard.house, "svc", HELD)
    clock = Clock(yard)
    facts = [drifting(2, f"c{n}") for n in range(1000)]
    clock.tick(*facts, fast=False)
    clock.tick(*facts, fast=False)
    assert len(list(alerts.listed(yard.house))) <= 200


def test_events_tell_of_it(yard):
    clock = Clock(yard)
    clock.tick(failing(0.5))
    clock.tick(failing(0.0), after=20)
    told = [event for event in events(yard.house) if event.kind.startswith("alert-")]
    assert [event.kind for event in told] == ["alert-fired", "alert-resolved"]
    assert told[0].model == "own/m"
    assert told[0].detail["deployment"] == "svc"
    assert told[0].detail["rule"] == "errors"


def test_rules_come_with_the_version_and_a_deployment_has_the_last_word(yard, tmp_path):
    assert rules_of(yard.house, "svc").source == "default"
    with_rules(yard, "own/m", tmp_path, "rules: {mine: {when: request_rate < 1}}")
    share = Share(model="own/m", revision="2")
    yard.deployments.apply(DeploymentSpec(name="two", trusted=("*",), shares=(share,)))
    found = rules_of(yard.house, "two")
    assert found.source == "version"
    assert found.rules[-1].name == "mine"
    found = set_rules(yard.house, "two", "defaults: false")
    assert (found.source, found.rules, found.who) == ("deployment", (), "ann")
    assert set_rules(yard.house, "two", None).source == "version"


def test_rules_of_a_version_that_nobody_can_read_leave_the_usual_ones(yard, tmp_path, caplog):
    with_rules(yard, "own/bad", tmp_path, "rules: [")
    share = Share(model="own/bad", revision="1")
    yard.deployments.apply(DeploymentSpec(name="bad", trusted=("*",), shares=(share,)))
    found = rules_of(yard.house, "bad")
    assert found.source == "default"
    assert found.text.startswith("# monitoring.yaml of own/bad@1 can't be read")


def test_while_a_versions_rules_cant_be_read_those_before_hold(yard, tmp_path, monkeypatch, caplog):
    with_rules(yard, "own/m", tmp_path, "rules: {mine: {when: request_rate < 1}}")
    (before,) = ruled(yard.house)
    now = replace(before, number=2)
    rulings, fresh = Rulings(yard.house), Rulings(yard.house)
    assert rulings.of(replace(now, id=7)).source == "version"
    rulings = Rulings(yard.house)
    assert rulings.of(before).source == "default"

    def away(*_: Any) -> None:
        raise Unavailable("store-away", "the store is away")

    monkeypatch.setattr(ruling, "_AGAIN", 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(files, "open_file", away)
        assert rulings.of(now) == rulings.of(before)
        found = fresh.of(now)
        assert found.source == "default"
        assert "can't be read: the store is away" in found.text
        assert fresh.of(now).source == "default"
    assert rulings.of(now).source == fresh.of(now).source == "version"
    assert caplog.text.count("can't be read now") == 2
    with monkeypatch.context() as patch:
        patch.setattr(files, "open_file", away)
        assert fresh.of(now).source == "version"
        assert of_version(yard.house, "own/m", 1) is None
        assert of_version(yard.house, "own/m", 9) is None
        with pytest.raises(Unavailable):
            of_version(yard.house, "own/m", 2)


def test_rules_that_nobody_can_read_are_not_taken(yard):
    with pytest.raises(InvalidInput, match="no signal"):
        set_rules(yard.house, "svc", "rules: {a: {when: nothing > 1}}")
    with pytest.raises(NotFound):
        set_rules(yard.house, "nobody", None)


def test_a_silence_is_seen_and_ends(yard):
    clock = Clock(yard)
    clock.tick(failing(0.5))
    made = silences.add(yard.house, "svc", "errors", seconds=60, reason="we know")
    assert [alert.silenced for alert in alerts.listed(yard.house)] == [True]
    assert silences.current(yard.house) == (made,)
    silences.remove(yard.house, made.id)
    assert [alert.silenced for alert in alerts.listed(yard.house)] == [False]
    with pytest.raises(NotFound, match="no silence"):
        silences.remove(yard.house, made.id)
    with pytest.raises(InvalidInput):
        silences.add(yard.house, "svc", seconds=0)


def test_lists_go_on_below_an_id(yard):
    set_rules(yard.house, "svc", HELD)
    Clock(yard).tick(*[drifting(2, f"c{n}") for n in range(5)], fast=False)
    ids = [alert.id for alert in alerts.listed(yard.house)]
    assert ids == sorted(ids, reverse=True)
    assert [a.id for a in alerts.listed(yard.house, before=ids[1])] == ids[2:]


@pytest.mark.parametrize("ahead", [2.0, 5.0, -60.0])
def test_servers_whose_clocks_differ_fire_once(yard, ahead):
    sees = Evaluator(yard.house)
    other = Evaluator(yard.house, clock=lambda: time.time() + ahead)
    fired, ended = [], []
    for step in range(40):  # 20 s, in which one server sees errors and the other sees none
        now = START + step / 2
        for evaluator, clock, rate in ((sees, now, 0.5), (other, now + ahead, 0.0)):
            began, over = evaluator.tick(clock, [failing(rate)], fast=True)
            fired += began
            ended += over
    assert (len(fired), ended) == (1, [])
