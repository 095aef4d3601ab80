"""A watchman tells of overload, faults and refusals; an incident that lasts is one event."""

from __future__ import annotations

import time
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from tests.unit.monitoring.anomalies.requests import BEGUN, asked

from modelyard.monitoring.anomalies.watchman import Watchman

if TYPE_CHECKING:
    from modelyard.core.monitoring import Anomaly


def calm(watchman: Watchman, until: int, since: int = 0) -> list[Anomaly]:
    found = []
    for second in range(since, until):
        watchman.asked(1, asked(second))
        found += watchman.tick(BEGUN + second + 0.5)
    return found


def kinds(found: list[Anomaly]) -> set[str]:
    return {anomaly.kind for anomaly in found}


def test_calm_traffic_is_no_event() -> None:
    assert calm(Watchman("svc"), 600) == []


@pytest.mark.parametrize("share", [0.05, 0.3, 1.0])
def test_failures_that_begin_are_told_within_a_second_or_two(share: float) -> None:
    watchman = Watchman("svc")
    calm(watchman, 60)
    failed = int(100 * share)
    for second in range(60, 63):
        watchman.asked(1, asked(second, 100 - failed, model_failed=failed))
        if found := watchman.tick(BEGUN + second + 0.5):
            break
    (anomaly,) = found
    assert (anomaly.kind, anomaly.number, anomaly.deployment) == ("error-burst", 1, "svc")
    assert anomaly.evidence["failed"] >= failed
    assert anomaly.evidence["kinds"] == {"model-failed": failed}


def test_failures_that_go_on_are_one_event_which_gets_worse() -> None:
    watchman, found = Watchman("svc"), []
    calm(watchman, 60)
    for second in range(60, 300):
        failed = 5 if second < 280 else 40
        watchman.asked(1, asked(second, 100 - failed, model_failed=failed))
        found += watchman.tick(BEGUN + second + 0.5)
    assert len({anomaly.time for anomaly in found}) == 1
    assert (found[0].severity, found[-1].severity) == ("warning", "critical")


def test_failures_that_went_on_for_hours_are_usual() -> None:
    watchman, found = Watchman("svc"), []
    for second in range(0, 20_000, 5):
        watchman.asked(1, asked(second, 95, model_failed=5 if second > 100 else 0))
        found = watchman.tick(BEGUN + second + 0.5)
    assert found == []


def test_a_fresh_version_that_fails_from_the_first_request_on_is_told() -> None:
    watchman = Watchman("svc")
    watchman.asked(2, asked(0, 0, model_died=5))
    (anomaly,) = watchman.tick(BEGUN + 0.5)
    assert (anomaly.kind, anomaly.severity, anomaly.number) == ("error-burst", "critical", 2)


def test_wrong_requests_are_no_failures_of_a_version() -> None:
    watchman = Watchman("svc")
    calm(watchman, 30)
    watchman.asked(1, asked(30, 10, bad_inputs=90))
    assert "error-burst" not in kinds(watchman.tick(BEGUN + 30.5))


def test_an_incident_that_lasts_is_one_event_whose_end_and_count_grow() -> None:
    watchman = Watchman("svc")
    calm(watchman, 60)
    found = []
    for second in range(60, 90):
        watchman.asked(1, asked(second, 50, model_failed=50))
        found += watchman.tick(BEGUN + second + 0.5)
    assert {anomaly.time for anomaly in found} == {found[0].time}
    assert [a.count for a in found] == sorted(a.count for a in found)
    assert found[-1].until is not None
    assert (found[-1].until - found[-1].time).total_seconds() >= 20
    assert found[-1].count >= 1000
    assert len(found) <= 8  # every five seconds, not at every look


def test_after_a_quiet_minute_the_next_one_is_another_event() -> None:
    watchman, begun = Watchman("svc"), set()
    for second in range(300):
        failed = 50 if second in (60, 61, 62, 200, 201, 202) else 0
        watchman.asked(1, asked(second, 100 - failed, model_failed=failed))
        begun |= {anomaly.time for anomaly in watchman.tick(BEGUN + second + 0.5)}
    assert len(begun) == 2


def test_computing_that_takes_twice_as_long_is_told() -> None:
    watchman = Watchman("svc")
    calm(watchman, 120)
    found = []
    for second in range(120, 135):
        watchman.asked(1, asked(second, ms=20))
        found += watchman.tick(BEGUN + second + 0.5)
    assert kinds(found) == {"latency-shift"}
    told = found[-1]
    assert told.evidence["usual_seconds"] == pytest.approx(0.005, rel=0.1)
    assert told.evidence["seconds"] == pytest.approx(0.020, rel=0.2)


def test_a_tenth_of_requests_that_takes_much_longer_is_told() -> None:
    watchman = Watchman("svc")
    calm(watchman, 120)
    found = []
    for second in range(120, 135):
        watchman.asked(1, asked(second, 90))
        watchman.asked(1, asked(second, 10, ms=500))
        found += watchman.tick(BEGUN + second + 0.5)
    assert kinds(found) == {"latency-shift"}


def test_one_slow_second_is_no_shift() -> None:
    watchman = Watchman("svc")
    calm(watchman, 120)
    watchman.asked(1, asked(120, ms=200))
    assert watchman.tick(BEGUN + 120.5) == []
    assert calm(watchman, 140, 121) == []


def test_microseconds_more_are_no_shift() -> None:
    watchman, found = Watchman("svc"), []
    for second in range(200):
        watchman.asked(1, asked(second, ms=0.05 if second < 100 else 0.2))
        found += watchman.tick(BEGUN + second + 0.5)
    assert found == []


def test_requests_that_can_not_be_answered_in_time_are_overload() -> None:
    watchman = Watchman("svc")
    calm(watchman, 30)
    watchman.asked(1, asked(30, 60, overloaded=30, deadline=10))
    (anomaly,) = watchman.tick(BEGUN + 30.5)
    assert (anomaly.kind, anomaly.count) == ("overload", 40)
    assert anomaly.evidence["kinds"] == {"overloaded": 30, "deadline": 10}


def test_requests_that_wait_for_most_of_their_time_are_overload() -> None:
    watchman = Watchman("svc")
    calm(watchman, 30)
    for second in range(30, 33):
        watchman.asked(1, asked(second, 100, queue=800))
        if found := watchman.tick(BEGUN + second + 0.5):
            break
    (anomaly,) = found
    assert anomaly.kind == "overload"
    assert "wait" in anomaly.words


@pytest.mark.parametrize(
    ("kind", "count", "told"),
    [
        ("bad-token", 10, "auth-failures"), ("not-signed-in", 10, "auth-failures"),
        ("body-too-large", 3, "oversized-bodies"), ("bad-inputs", 20, "schema-abuse"),
        ("too-many-requests", 50, "overload"),
    ],
    ids=str,
)  # fmt: skip
def test_refusals_of_a_client_are_told_by_what_they_are(kind: str, count: int, told: str) -> None:
    watchman = Watchman("svc")
    watchman.refused(kind, "10.0.0.1", 1 << 30, count - 1)
    assert watchman.tick(BEGUN) == []
    watchman.refused(kind, "10.0.0.1", 5)
    (anomaly,) = watchman.tick(BEGUN + 1)
    assert (anomaly.kind, anomaly.client, anomaly.count) == (told, "10.0.0.1", count)
    if kind == "body-too-large":
        assert anomaly.evidence["largest"] == 1 << 30


def test_wrong_requests_of_many_kinds_are_probing() -> None:
    watchman = Watchman("svc")
    for kind in ("bad-inputs", "bad-request", "no-output"):
        watchman.refused(kind, "eve", 0, 10)
    (anomaly,) = watchman.tick(BEGUN)
    assert (anomaly.kind, anomaly.client) == ("probing", "eve")


def test_a_client_with_few_mistakes_among_many_requests_is_no_abuse() -> None:
    watchman, found = Watchman("svc"), []
    for second in range(60):
        watchman.refused("bad-inputs", "ann", 0, 1)
        watchman.asked(1, asked(second, 100, bad_inputs=1))
        found += watchman.tick(BEGUN + second + 0.5)
    assert found == []


def test_what_is_not_the_clients_fault_is_not_told_of_it() -> None:
    watchman = Watchman("svc")
    for kind in ("not-ready", "gone", "model-failed", "load-failed"):
        watchman.refused(kind, "ann", 0, 1000)
    assert watchman.tick(BEGUN) == []


def test_many_addresses_that_guess_a_little_each_are_told_together() -> None:
    watchman = Watchman("svc")
    for number in range(60):
        watchman.refused("bad-token", f"10.0.0.{number}", 0, 3)
    (anomaly,) = watchman.tick(BEGUN)
    assert (anomaly.kind, anomaly.client) == ("auth-failures", None)


def test_its_memory_is_bounded_whoever_asks() -> None:
    watchman = Watchman("svc")
    tracemalloc.start()
    for second in range(20):
        for number in range(2000):
            watchman.refused("bad-inputs", f"{second}-{number}", 10)
        watchman.asked(second, asked(second))
        watchman.tick(BEGUN + second)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size < 8 << 20


def test_a_look_takes_little_time() -> None:
    watchman = Watchman("svc")
    for number in range(1000):
        watchman.refused("bad-inputs", f"client-{number}", 0, 5)
    calm(watchman, 120)
    begun = time.process_time()
    for place in range(20):
        watchman.tick(BEGUN + 120 + place / 100)
    assert (time.process_time() - begun) / 20 < 0.02
