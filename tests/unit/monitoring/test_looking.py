"""Windows over tiles of any length: what is told of them is of the time that they tell of."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from tests.unit.monitoring.watching import Site, at

from modelyard.core.monitoring import Anomaly
from modelyard.monitoring.extracting import asked_of
from modelyard.monitoring.looking import Longer, look
from modelyard.monitoring.performance import of_tile
from modelyard.monitoring.performances import fold_performance, new_performance
from modelyard.registry.watching import tiles
from modelyard.registry.watching.events import keep_events
from modelyard.registry.watching.seeing import watched

DAY = 86_400
NOON = int(time.time()) // DAY * DAY - 2 * DAY + DAY // 2


@pytest.fixture
def site(tmp_path):
    made = Site.of(tmp_path / "yard")
    with made.yard:
        yield made


def whole(monitor):
    """Its only version that answers."""
    return next(version for version in monitor.versions if not version.shadow)


def requests(site, since, until, steps=60):
    found = site.monitoring.series("svc", ["requests"], since=at(since), until=at(until),
                                   steps=steps)  # fmt: skip
    return next(each for each in found if each.number is None)


def test_a_constant_rate_is_constant_in_steps_shorter_than_the_tiles(site):
    for hour in range(24):
        site.asked(NOON + hour * 3600, 3600, level=tiles.HOUR)
    told = requests(site, NOON, NOON + DAY)
    assert set(told.values) == {1.0}
    assert (told.times[0], told.times[1] - told.times[0]) == (NOON, 3600.0)


def test_steps_hold_whole_tiles_wherever_the_window_begins(site):
    for hour in range(4):
        site.asked(NOON + hour * 3600, 3600, level=tiles.HOUR)
    for minute in range(60):
        site.asked(NOON + 4 * 3600 + minute * 60, 60)
    told = requests(site, NOON + 1800, NOON + 4 * 3600 + 1830, steps=7)
    assert told.values == pytest.approx((1.0, 1.0, 1.0, 1.0, 1.0))
    day = NOON - DAY // 2
    site.asked(day - DAY, DAY, level=tiles.DAY)
    told = requests(site, day - DAY, day, steps=24)
    assert told.values == (1.0,)


def test_a_window_says_the_same_before_and_after_it_was_rolled_up(site):
    for minute in range(60):
        site.asked(NOON + minute * 60, 60)
        site.traffic(NOON + minute * 60, 20)
        site.truth(NOON + minute * 60, 10)
    window = {"since": at(NOON), "until": at(NOON + 3600)}
    first = whole(site.monitoring.look("svc", **window))
    tiles.drop(site.house, tiles.MINUTE, NOON + 3600)
    site.asked(NOON, 3600, level=tiles.HOUR)
    site.traffic(NOON, 1200, level=tiles.HOUR)
    site.truth(NOON, 600, level=tiles.HOUR)
    again = whole(site.monitoring.look("svc", **window))
    for version in (first, again):
        assert version.performance.rate == 1.0
        assert sum(version.columns[0].counts) == 1200
        assert version.labelled == 600


def test_a_window_inside_of_a_longer_tile_is_told_as_the_span_of_that_tile(site):
    site.asked(NOON, 3600, level=tiles.HOUR)
    site.traffic(NOON, 1200, level=tiles.HOUR)
    site.truth(NOON, 600, level=tiles.HOUR)
    seen = site.monitoring.look("svc", since=at(NOON + 1800), until=at(NOON + 3000))
    assert (seen.since, seen.until) == (at(NOON), at(NOON + 3600))
    version = whole(seen)
    assert version.performance.rate == 1.0
    assert sum(version.columns[0].counts) == 1200
    assert version.labelled == 600


def test_the_last_minute_is_divided_by_the_time_that_its_tiles_tell_of(site):
    site.asked(NOON, 60)
    site.asked(NOON + 60, 60)
    version = whole(site.monitoring.look("svc", since=at(NOON + 30), until=at(NOON + 90)))
    assert version.performance.requests == 120
    assert version.performance.rate == 1.0


def test_windows_before_are_told_apart_from_this_one(site):
    for minute in range(30):
        site.asked(NOON + minute * 60, 60)
        site.traffic(NOON + minute * 60, 200, shift=0.0 if minute < 20 else 3.0)
    window = {"since": at(NOON + 1200), "until": at(NOON + 1800)}
    (drift,) = [d for d in whole(site.monitoring.look("svc", **window)).drift if d.column == "x"]
    assert (drift.suspected, drift.drifted, drift.rows) == (True, False, 2000)


@pytest.mark.parametrize("ago", [0.2, 59.9])
def test_a_minute_is_seen_as_soon_as_it_has_begun(site, ago):
    site.asked(NOON, 30)
    seen = site.monitoring.look("svc", since=at(NOON - 600), until=at(NOON + ago))
    assert whole(seen).performance.requests == 30
    before = site.monitoring.look("svc", since=at(NOON - 600), until=at(NOON))
    assert sum(version.performance.requests for version in before.versions) == 0


def test_few_rows_are_looked_for_in_longer_windows(site):
    now = int(time.time()) // 60 * 60
    for minute in range(1, 120):
        site.asked(now - minute * 60, 20)
        site.traffic(now - minute * 60, 20, shift=3.0)
    site.truth(now - 3 * 3600, 100, 900)
    site.truth((now - 5 * DAY) // 3600 * 3600, 5000, level=tiles.HOUR)
    given = {"since": at(now - 600), "until": at(now)}
    short = whole(look(site.house, "svc", **given))
    assert short.labelled == 0
    assert sum(short.columns[0].counts) == 200
    longer = Longer((3600.0, 6 * 3600.0, 24 * 3600.0), (3600.0, 6 * 3600.0, 7.0 * DAY))
    version = whole(look(site.house, "svc", **given, longer=longer))
    assert sum(version.columns[0].counts) == 1200, "an hour is enough"
    assert version.performance.requests == 200
    assert version.labelled == 1000, "the good days before do not hide the bad hour"
    (accuracy,) = [m for m in version.realized if m.name == "accuracy" and m.label is None]
    assert accuracy.value == pytest.approx(0.1)
    (drift,) = [d for d in version.drift if d.column == "x"]
    assert (drift.drifted, drift.rows) == (True, 1200)


def test_an_anomaly_is_in_every_window_in_which_it_went_on(site):
    now = at(int(time.time()))
    key = watched(site.house, "svc").id

    def keep(kind, begun, seen):
        keep_events(site.house, key, [
            Anomaly(id=0, time=now - timedelta(hours=begun), deployment="svc", kind=kind,
                    severity="critical", words=kind, until=now - timedelta(hours=seen)),
        ])  # fmt: skip

    def kinds(since, until):
        found = site.monitoring.look("svc", since=now - timedelta(hours=since),
                                     until=now - timedelta(hours=until))  # fmt: skip
        return [each.kind for each in found.anomalies]

    keep("overload", 3, 3)
    keep("probing", 2, 2)
    keep("overload", 3, 0)
    assert kinds(1, 0) == ["overload"]
    assert kinds(2.5, 1) == ["probing", "overload"]
    assert kinds(5, 4) == []


def test_what_shadows_are_asked_is_not_counted_twice(site):
    site.asked(NOON, 60)
    site.asked(NOON, 60, shadow=True)
    told = requests(site, NOON, NOON + 60, steps=1)
    assert told.values == (1.0,)


def test_rows_computed_together_are_told_as_the_middle_of_their_bin():
    tile = new_performance()
    fold_performance(tile, asked_of([(0, 1, 2, 3, 4, 33, 33, None, "c")], 0))
    assert of_tile(tile, 60).batch == 48.0
    fold_performance(tile, asked_of([(0, 1, 2, 3, 4, 2, 2, None, "c")], 0))
    assert of_tile(tile, 60).batch == 25.0
