"""The pace of versions: what was counted since the last looks, for each deployment by itself."""

from __future__ import annotations

from datetime import UTC, datetime

from modelyard.core.deployment import ServedVersion, ServerStatus
from modelyard.serving.interface import Timing
from modelyard.serving.pace import Pace
from modelyard.serving.statistics import Statistics

NOW = datetime(2026, 11, 22, tzinfo=UTC)
SERVED = ServedVersion(model="flowers/iris", number=3, commit="c" * 40, state="ready")
STATUS = ServerStatus(server="here", generation=1, seen=NOW, versions=(SERVED,))


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def ask(statistics: Statistics, times: int, *, of: str = "iris", nanoseconds: int = 2_000) -> None:
    counts = statistics.of(of, "flowers/iris", "3")
    for _ in range(times):
        counts.success(Timing(begun=0), 0, nanoseconds)


def told(pace: Pace, name: str = "iris") -> ServedVersion:
    (version,) = pace.told(name, STATUS).versions
    return version


def test_the_rate_is_that_between_looks() -> None:
    statistics, clock = Statistics(), Clock()
    pace = Pace(statistics, clock)
    assert told(pace).rate is None
    ask(statistics, 50)
    clock.now += 2
    assert told(pace).rate == 25
    assert told(pace).median == 2e-6
    assert told(pace).requests == 50


def test_the_rate_sinks_when_nobody_asks_any_more() -> None:
    statistics, clock = Statistics(), Clock()
    pace = Pace(statistics, clock)
    told(pace)
    ask(statistics, 100)
    for _ in range(12):
        clock.now += 2
        last = told(pace).rate
    assert last == 0


def test_two_deployments_of_one_version_are_counted_apart() -> None:
    statistics = Statistics()
    ask(statistics, 3)
    ask(statistics, 4, of="other")
    pace = Pace(statistics)
    assert (told(pace).requests, told(pace, "other").requests) == (3, 4)


def test_errors_are_those_that_are_not_the_callers_fault() -> None:
    statistics = Statistics()
    counts = statistics.of("iris", "flowers/iris", "3")
    for kind in ("bad-inputs", "model-died", "overloaded"):
        counts.failure(kind, 10)
    assert (told(Pace(statistics)).requests, told(Pace(statistics)).failures) == (3, 2)
    assert told(Pace(statistics)).median is None


def test_a_server_that_began_anew_counts_anew() -> None:
    clock = Clock()
    statistics = Statistics()
    pace = Pace(statistics, clock)
    ask(statistics, 1000)
    told(pace)
    statistics.forget("iris")
    clock.now += 2
    assert told(pace).rate is None
    clock.now += 2
    assert told(pace).rate == 0
