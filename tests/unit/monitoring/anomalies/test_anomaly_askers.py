"""Clients are told by what they ask: attacks are found, and those who use a version are not."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from tests.unit.monitoring.anomalies.requests import BEGUN, Data

from modelyard.monitoring.anomalies.watchman import Watchman
from modelyard.monitoring.anomalies.yardsticks import Yardstick
from modelyard.monitoring.profiles import profile_from_rows
from modelyard.monitoring.rows import Rows


@pytest.fixture(scope="module")
def data() -> Data:
    return Data()


def test_clients_whose_rows_are_like_the_references_are_no_event(data: Data) -> None:
    assert data.seen(Watchman("svc"), None, 120) == {}
    assert data.seen(Watchman("svc"), data.some, 120) == {}


def test_rows_like_no_others_are_told_of_their_client(data: Data) -> None:
    told = data.seen(Watchman("svc"), lambda count: data.some(count) * 4)
    anomaly = told["out-of-distribution", "bad"]
    assert set(told) == {("out-of-distribution", "bad")}
    assert anomaly.number == 1
    assert anomaly.evidence["outside"] >= 0.9 * anomaly.evidence["rows"]
    assert len(anomaly.evidence["examples"]) == 3
    assert set(anomaly.evidence["examples"][0]["inputs"]) == {f"c{i}" for i in range(8)}


def test_data_that_drift_for_everybody_make_no_attacker_of_anybody(data: Data) -> None:
    watchman, told = Watchman("svc"), set()
    for second in range(30):
        clients = [f"good{i % 10}" for i in range(200)]
        watchman.rows(1, data.rows(data.some(200) + 4, clients), data.profile)
        told |= {(one.kind, one.client) for one in watchman.tick(BEGUN + second + 0.5)}
    assert told == {("out-of-distribution", None)}


def test_rows_beside_a_few_others_are_extraction(data: Data) -> None:
    seeds = data.some(5)

    def attack(count: int) -> Any:
        around = seeds[data.random.integers(0, 5, count)]
        return around + data.random.normal(size=(count, data.wide)) * 0.05

    told = data.seen(Watchman("svc"), attack)
    assert set(told) == {("extraction", "bad")}
    assert told["extraction", "bad"].evidence["near"] > 100


def test_one_feature_changed_at_a_time_is_extraction(data: Data) -> None:
    seed = data.some(1)

    def attack(count: int) -> Any:
        steps = data.random.normal(size=(count, 1)) * 0.2
        return seed + np.eye(data.wide)[data.random.integers(0, data.wide, count)] * steps

    assert ("extraction", "bad") in data.seen(Watchman("svc"), attack)


def test_rows_all_over_the_ranges_are_extraction(data: Data) -> None:
    low, high = data.reference.min(axis=0), data.reference.max(axis=0)

    def attack(count: int) -> Any:
        return data.random.uniform(low, high, (count, data.wide))

    told = data.seen(Watchman("svc"), attack)
    assert told["extraction", "bad"].evidence["evenness"] >= 0.6


def test_the_same_rows_again_and_again_are_no_extraction(data: Data) -> None:
    rows = data.some(50)
    attack = lambda count: rows[data.random.integers(0, 50, count)]  # noqa: E731
    assert data.seen(Watchman("svc"), attack, 60) == {}


def test_sensors_whose_values_change_slowly_are_no_extraction(data: Data) -> None:
    state = data.some(1)

    def walk(count: int) -> Any:
        nonlocal state
        steps = np.cumsum(data.random.normal(size=(count, data.wide)) * 0.03, axis=0)
        rows = state + steps
        state = rows[-1:] * 0.9
        return rows

    assert data.seen(Watchman("svc"), walk, 60) == {}


def test_rows_at_the_boundary_of_classes_are_probing(data: Data) -> None:
    def attack(count: int) -> Any:
        points, weights = data.some(count), data.weights
        points -= ((points @ weights) / (weights @ weights))[:, None] * weights
        return points + data.random.normal(size=(count, 1)) * weights * 0.01

    assert set(data.seen(Watchman("svc"), attack)) == {("probing", "bad")}


def test_without_a_reference_rows_of_clients_are_not_looked_at(data: Data) -> None:
    watchman = Watchman("svc")
    for second in range(10):
        watchman.rows(1, data.rows(data.some(200) * 10, "bad"), None)
        assert watchman.tick(BEGUN + second) == []


def test_of_a_reference_with_too_few_rows_nothing_is_made(data: Data) -> None:
    columns = {f"c{i}": data.reference[:50, i] for i in range(data.wide)}
    few = profile_from_rows(columns, data.answers(data.reference[:50]), classes=[0, 1])
    assert Yardstick.of(few) is None


def test_few_rows_of_the_reference_lie_outside_and_near_each_other() -> None:
    data = Data(wide=20, seed=3)
    yardstick = Yardstick.of(data.profile)
    assert yardstick is not None
    looked = yardstick.look(data.rows(data.some(4000)))
    assert 0.001 < np.mean(looked.outside) < 0.012
    firsts = [first for first, _ in looked.cells]
    assert len(set(firsts)) > 0.97 * len(firsts)


def test_columns_that_never_vary_and_missing_values_are_no_matter() -> None:
    random = np.random.default_rng(0)
    points = random.normal(size=(2000, 4))
    points[:, 1] = 7.0
    points[random.random(2000) < 0.2, 2] = np.nan
    profile = profile_from_rows({f"c{i}": points[:, i] for i in range(4)}, {"y": points[:, 0]})
    yardstick = Yardstick.of(profile)
    assert yardstick is not None
    looked = yardstick.look(Rows(profile.schema, 500, points[:500]))
    assert np.mean(looked.outside) < 0.03


def test_pictures_and_categories_are_looked_at_too() -> None:
    random = np.random.default_rng(0)
    pictures = random.random((1000, 400)).astype(np.float32)
    colours = np.array(["red", "blue"], object)[random.integers(0, 2, 1000)]
    profile = profile_from_rows(
        {"picture": pictures, "colour": colours}, {"y": random.normal(size=1000)}
    )
    yardstick = Yardstick.of(profile)
    assert yardstick is not None

    def outside(array: Any) -> float:
        rows = Rows(profile.schema, 100, np.zeros((100, 0)), (["red"] * 100,), (array,))
        return float(np.mean(yardstick.look(rows).outside))

    assert outside(random.random((100, 400)).astype(np.float32)) < 0.05
    assert outside(1 + random.random((100, 400)).astype(np.float32)) > 0.9


def test_memory_is_bounded_whoever_asks() -> None:
    data = Data()
    watchman = Watchman("svc")
    tracemalloc.start()
    for second in range(20):
        for part in range(3):
            clients = [f"{second}-{part}-{i}" for i in range(512)]
            watchman.rows(1, data.rows(data.some(512), clients), data.profile)
        watchman.rows(1, data.rows(data.some(512), f"big{second}"), data.profile)
        watchman.tick(BEGUN + second)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size < 32 << 20
