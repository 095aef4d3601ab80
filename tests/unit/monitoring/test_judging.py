"""Slow rules: truth that comes late reaches them, and no deployment keeps others from them."""

from __future__ import annotations

import logging
import time

import pytest
from tests.unit.monitoring.watching import Site

from modelyard.monitoring import fleet, judging
from modelyard.monitoring.judging import Judge
from modelyard.monitoring.live import Live
from modelyard.registry.watching import tiles
from modelyard.server import watched_metrics
from modelyard.server.watched_metrics import WatchedMetrics


@pytest.fixture
def site(tmp_path):
    made = Site.of(tmp_path / "yard")
    with made.yard:
        yield made


@pytest.fixture
def broken(site, monkeypatch):
    """A deployment that can't be looked at, for a reason that nobody thought of."""
    site.deploy("bad")
    good = judging.look

    def look(house, name, **given):
        if name == "bad":
            raise ZeroDivisionError("nobody thought of it")
        return good(house, name, **given)

    for module in (judging, fleet, watched_metrics):
        monkeypatch.setattr(module, "look", look)


def fired(site):
    return {alert.rule for alert in site.monitoring.alerts("svc")}


def test_truth_that_comes_a_day_late_is_judged(site):
    now = time.time()
    for hour in range(24, 30):
        site.truth(int(now) // 3600 * 3600 - hour * 3600, 50, 50, level=tiles.HOUR)
    Judge(site.house, "one", Live()).slow(now)
    assert "less-accurate" in fired(site)


def test_the_drift_of_what_is_asked_seldom_is_judged(site):
    now = time.time()
    for minute in range(1, 55):
        start = int(now) // 60 * 60 - minute * 60
        site.asked(start, 20)
        site.traffic(start, 20, shift=2.0)
    Judge(site.house, "one", Live()).slow(now)
    assert "data-drift" in fired(site)


def test_one_that_can_not_be_judged_is_said_once_and_others_are_judged(site, broken, caplog):
    now = time.time()
    site.truth(int(now) // 60 * 60 - 1800, 0, 500)
    judge = Judge(site.house, "one", Live())
    with caplog.at_level(logging.WARNING, "modelyard.monitoring"):
        for again in range(3):
            judge.slow(now + 30 * again)
    assert "less-accurate" in fired(site)
    assert [each.getMessage() for each in caplog.records] == ["judging bad"]


def test_one_that_can_not_be_looked_at_is_said_once_and_others_are_shown(site, broken, caplog):
    with caplog.at_level(logging.WARNING, "modelyard.monitoring"):
        for _ in range(2):
            assert [each.deployment for each in site.monitoring.fleet()] == ["svc"]
    assert [each.getMessage() for each in caplog.records] == ["overview of bad"]


def test_one_that_can_not_be_looked_at_leaves_the_gauges_of_others(site, broken, caplog):
    site.truth(int(time.time()) // 60 * 60 - 3 * 86_400, 90, 10)
    metrics = WatchedMetrics(site.house)
    with caplog.at_level(logging.WARNING, "modelyard.server"):
        text = metrics.text()
        metrics._look()
    assert [each.getMessage() for each in caplog.records] == ["metrics of bad"]
    (line,) = [
        each for each in text.splitlines() if each.startswith("modelyard_realized_accuracy{")
    ]
    assert 'deployment="svc"' in line
    assert line.split()[-1] == "0.9"


def test_what_there_is_no_time_for_is_looked_at_the_next_time(site, monkeypatch):
    site.deploy("other")
    looked = []
    good = judging.look

    def look(house, name, **given):
        looked.append(name)
        return good(house, name, **given)

    monkeypatch.setattr(judging, "look", look)
    monkeypatch.setattr(judging, "_MOST", 0.0)
    judge = Judge(site.house, "one", Live())
    now = time.time()
    for again in range(4):
        judge.slow(now + 30 * again)
    assert looked == ["other", "svc", "other", "svc"]
