"""What an Alertmanager tells us is in the inbox, once, until it says that it is over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from modelyard.core.access import Account, Caller, Grant
from modelyard.core.deployment import DeploymentSpec, Share
from modelyard.errors import InvalidInput, NotFound
from modelyard.monitoring.alerts.evaluator import FORGOTTEN, Evaluator
from modelyard.monitoring.alerts.receiving import receive
from modelyard.monitoring.alerts.ruling import set_rules
from modelyard.monitoring.alerts.signals import Fact
from modelyard.registry.local import LocalYard
from modelyard.registry.watching import alerts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Half:
    def predict(self, inputs: Any) -> Any:
        return inputs / 2


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[LocalYard]:
    with LocalYard.create(tmp_path / "yard", author="ann") as yard:
        yard.commit("own/m", Half())
        share = Share(model="own/m", revision="1")
        yard.deployments.apply(DeploymentSpec(name="svc", trusted=("*",), shares=(share,)))
        yield yard


def one(status: str = "firing", **labels: str) -> dict[str, Any]:
    labels = {"alertname": "DiskFull", "deployment": "svc", "severity": "page", **labels}
    return {
        "status": status, "labels": labels,
        "annotations": {"summary": "No room on the disk"}, "startsAt": "2026-11-22T10:00:00Z",
        "endsAt": "0001-01-01T00:00:00Z", "fingerprint": "c0ffee",
        "generatorURL": "http://prometheus.example.org/graph?g0.expr=up",
    }  # fmt: skip


def test_an_alert_is_taken_once(yard):
    told = receive(yard.house, [one(version="3", feature="age")])
    assert (told.fired, told.resolved, told.known) == (1, 0, 0)
    assert receive(yard.house, [one(version="3", feature="age")]).known == 1
    (alert,) = alerts.listed(yard.house, "svc")
    assert (alert.rule, alert.subject, alert.severity, alert.number) == (
        "DiskFull", "feature=age", "critical", 3,
    )  # fmt: skip
    assert (alert.source, alert.words) == ("alertmanager", "No room on the disk")
    assert alert.evidence["query"].startswith("http://prometheus")


def test_it_is_over_when_it_says_so(yard):
    receive(yard.house, [one(), one(instance="other", feature="b")])
    assert receive(yard.house, [one("resolved")]).resolved == 1
    assert receive(yard.house, [one("resolved")]).resolved == 0
    assert [a.subject for a in alerts.listed(yard.house, is_firing=True)] == ["feature=b"]


def test_alerts_of_other_things_are_taken_too(yard):
    receive(yard.house, [one(deployment="somewhere-else")])
    (alert,) = alerts.listed(yard.house)
    assert alert.deployment == ""
    assert list(alerts.listed(yard.house, "svc")) == []


def test_who_does_not_read_all_sees_alerts_of_deployments_alone(yard):
    receive(yard.house, [one(deployment="somewhere-else"), one()])
    ann = Caller(account=Account(id=7, name="ann"), grants=(Grant("own/*", "reader"),))
    assert [a.deployment for a in alerts.listed(yard.house.on_behalf_of(ann))] == ["svc"]
    bob = Caller(account=Account(id=8, name="bob"), grants=(Grant("other/*", "reader"),))
    assert list(alerts.listed(yard.house.on_behalf_of(bob))) == []
    with pytest.raises(NotFound):
        list(alerts.listed(yard.house.on_behalf_of(bob), "svc"))


def test_ours_and_theirs_of_one_name_do_not_touch(yard):
    set_rules(yard.house, "svc", "rules: {errors: {when: error_rate > 5%}}")
    fact = Fact(deployment="svc", signal="error_rate", value=0.5, rows=100)
    Evaluator(yard.house).tick(1e9, [fact], fast=True)
    receive(yard.house, [one(alertname="errors")])
    assert sorted(a.source for a in alerts.listed(yard.house)) == ["alertmanager", "yard"]
    receive(yard.house, [one("resolved", alertname="errors")])
    assert [a.source for a in alerts.listed(yard.house, is_firing=True)] == ["yard"]


def test_our_evaluator_leaves_them_alone_for_a_day(yard):
    receive(yard.house, [one()])
    evaluator = Evaluator(yard.house)
    (alert,) = alerts.listed(yard.house)
    now = alert.since.timestamp()
    assert evaluator.tick(now + FORGOTTEN - 60, [], fast=True) == ([], [])
    assert [a.rule for a in evaluator.tick(now + FORGOTTEN + 60, [], fast=True)[1]] == ["DiskFull"]


@pytest.mark.parametrize(
    "given",
    [
        {"status": "firing", "labels": {}}, {"status": "maybe", "labels": {"alertname": "a"}},
        {"status": "firing", "labels": [1]}, {},
    ],
)  # fmt: skip
def test_what_is_no_alert_is_refused(yard, given):
    with pytest.raises(InvalidInput) as raised:
        receive(yard.house, [given])
    assert raised.value.kind == "bad-alerts"


def test_what_is_long_is_cut(yard):
    long = "x" * 5000
    labels = {f"l{n}": long for n in range(100)}
    receive(yard.house, [one(alertname=long, **labels)])
    (alert,) = alerts.listed(yard.house)
    assert len(alert.rule) <= 100
    assert len(alert.subject) <= 200
    assert len(str(alert.evidence)) < 20_000
    with pytest.raises(InvalidInput):
        receive(yard.house, [one()] * 1001)
