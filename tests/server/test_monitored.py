"""A real server watches what it serves: how fast, how right, how its data moved."""

from __future__ import annotations

import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.server.running import Running, running

import modelyard
from modelyard import DeploymentSpec, Share
from modelyard.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from modelyard.core.watching import Monitoring
    from modelyard.core.yard import Yard

pytestmark = pytest.mark.slow

_CLASSES = ("bad", "good")


class World:
    """Rows of three numbers and a city; what is true of each is known."""

    def __init__(self) -> None:
        self.random = np.random.default_rng(7)

    def rows(self, count: int, shift: float = 0.0) -> tuple[list[dict[str, Any]], list[str]]:
        x = self.random.normal(shift, 1, (count, 3)).round(3)
        chance = 1 / (1 + np.exp(-2 * (x[:, 0] - x[:, 1])))
        truth = np.where(self.random.random(count) < chance, "good", "bad")
        rows = [{"a": float(a), "b": float(b), "c": float(c)} for a, b, c in x]
        return rows, truth.tolist()


@pytest.fixture(scope="module")
def world() -> World:
    return World()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, world: World) -> Path:
    """A yard with a model, its reference data, and an evaluation."""
    import pandas as pd
    from sklearn.linear_model import LogisticRegression

    place = tmp_path_factory.mktemp("monitored")
    rows, truth = world.rows(4000)
    table = pd.DataFrame(rows)
    model = LogisticRegression().fit(table[:2000], truth[:2000])
    table[2000:].assign(truth=truth[2000:]).to_csv(place / "test.csv", index=False)
    with modelyard.create(place / "yard") as yard:
        yard.commit("risk", model, example=table[:3])
        watch = modelyard.watch(yard)
        made = watch.make_profile("risk", 1, place / "test.csv", target="truth")
        assert (made.source, made.rows, made.schema.classes) == ("data", 2000, _CLASSES)
        yard.commit("bare", model, example=table[:3])
    return place / "yard"


@pytest.fixture(scope="module")
def one(folder: Path) -> Iterator[Running]:
    with running(folder) as server:
        yield server


@pytest.fixture(scope="module")
def yard(one: Running) -> Iterator[Yard]:
    with modelyard.open(one.url, token=one.token) as yard:
        yield yard


@pytest.fixture(scope="module")
def watch(yard: Yard) -> Monitoring:
    return modelyard.watch(yard)


def deploy(yard: Yard, name: str, model: str) -> None:
    yard.deployments.apply(DeploymentSpec(name=name, shares=(Share(model=model, revision="1"),)))
    until(lambda: yard.deployments.get(name).state == "ready", 60)


def until(what: Callable[[], Any], seconds: float = 20.0) -> Any:
    limit = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < limit, "it did not come"
        time.sleep(0.2)
    return found


def ask(one: Running, name: str, rows: list[dict[str, Any]], at_once: int = 20) -> list[str]:
    """Ask about rows, some in each request; gives the ids of the requests."""
    ids = []
    with one.client() as client:
        for begin in range(0, len(rows), at_once):
            body = {"records": rows[begin : begin + at_once]}
            answer = client.post(f"/predict/{name}", json=body)
            assert answer.status_code == 200, answer.text
            ids.append(answer.headers["x-request-id"])
    return ids


def seen(watch: Monitoring, name: str, rows: int) -> Any:
    """What is said once all rows are written down."""

    def look() -> Any:
        monitor = watch.look(name)
        (version,) = monitor.versions
        return monitor if version.performance.rows >= rows else None

    return until(look)


def test_drift_of_one_column_is_told_with_its_name(one, yard, watch, world):
    deploy(yard, "drifting", "risk")
    rows, _ = world.rows(3000)
    for row in rows:
        row["c"] += 0.5
    ask(one, "drifting", rows)
    (version,) = seen(watch, "drifting", 3000).versions
    worst, *others = version.drift
    assert (worst.column, worst.suspected) == ("c", True)
    assert not [drift.column for drift in others if drift.suspected]
    performance = version.performance
    assert (performance.requests, performance.rows, performance.errors) == (150, 3000, 0)
    assert 0 < performance.p50 <= performance.p95 <= performance.p99
    assert {"queue", "preprocess", "predict", "postprocess"} <= performance.phases.keys()
    (column,) = [each for each in version.columns if each.column.name == "c"]
    assert sum(column.counts) == 3000
    assert column.mean == pytest.approx(column.reference_mean + 0.5, abs=0.1)


def test_accuracy_is_estimated_before_the_truth_is_known_and_realized_after(
    one, yard, watch, world
):
    deploy(yard, "judged", "risk")
    rows, truth = world.rows(2000)
    ids = ask(one, "judged", rows)
    (version,) = seen(watch, "judged", 2000).versions
    (guess,) = [m for m in version.estimated if m.name == "accuracy" and m.label is None]
    assert guess.valid, guess.reason
    assert not [m for m in version.realized if m.name == "accuracy" and m.rows]

    told = [
        {"request": ids[at // 20], "row": at % 20, "truth": value} for at, value in enumerate(truth)
    ]
    first = watch.feedback("judged", told[:1500])
    assert (first.joined, first.unknown) == (1500, 0)
    again = watch.feedback("judged", told)
    assert (again.joined, again.duplicate) == (500, 1500)
    odd = watch.feedback("judged", [{"request": "never", "truth": "good"}])
    assert odd.unknown == 1

    (version,) = watch.look("judged").versions
    (real,) = [m for m in version.realized if m.name == "accuracy" and m.label is None]
    assert real.rows == version.labelled == 2000
    assert real.low <= real.value <= real.high
    assert abs(real.value - guess.value) < 0.03
    assert version.label_lag is not None


def test_without_a_reference_the_first_thousand_rows_are_one(one, yard, watch, world):
    deploy(yard, "unknown", "bare")
    ask(one, "unknown", world.rows(1200)[0])
    with pytest.raises(NotFound) as caught:
        watch.profile("risk", 2)
    assert caught.value.kind in ("no-version", "no-profile")
    found = until(lambda: profile_or_none(watch, "bare"))
    assert found.source == "traffic"
    assert found.rows >= 1000
    assert {column.name for column in found.schema.columns} == {"a", "b", "c"}
    rows, _ = world.rows(1000, shift=1.0)
    until(lambda: ask(one, "unknown", rows) and watch.look("unknown").versions[0].drift)
    drift = until(lambda: [d for d in watch.look("unknown").versions[0].drift if d.suspected])
    assert {"a", "b", "c"} <= {each.column for each in drift}


def profile_or_none(watch: Monitoring, model: str) -> Any:
    try:
        return watch.profile(model, 1)
    except NotFound:
        return None


def test_two_servers_of_one_yard_tell_of_all_requests(one, yard, watch, folder, world):
    deploy(yard, "shared", "risk")
    with another(one, folder, "shared") as second:
        ask(one, "shared", world.rows(400)[0])
        ask(second, "shared", world.rows(600)[0])
        until(lambda: watch.look("shared").versions[0].performance.rows == 1000)
        assert second.stop() == 0
    assert watch.look("shared").versions[0].performance.rows == 1000


def test_what_was_not_written_yet_is_written_when_the_server_stops(one, yard, watch, folder, world):
    deploy(yard, "stopped", "risk")
    with another(one, folder, "stopped") as mine:
        ask(mine, "stopped", world.rows(100)[0])
        assert mine.stop() == 0
    (version,) = watch.look("stopped").versions
    assert version.performance.rows == 100
    assert sum(version.columns[0].counts) == 100


@contextmanager
def another(one: Running, folder: Path, name: str) -> Iterator[Running]:
    """A second server of the yard, that serves a deployment too."""
    with running(folder) as server:
        server.token = one.token
        with server.client() as client:
            until(lambda: client.get(f"/v2/models/{name}/ready").status_code == 200, 60)
        yield server


def test_numbers_over_time_add_up(one, yard, watch, world):
    deploy(yard, "counted", "risk")
    ask(one, "counted", world.rows(2000)[0])
    seen(watch, "counted", 2000)
    since = datetime.now(UTC) - timedelta(minutes=30)
    told = {each.name: each for each in watch.series("counted", since=since, steps=30)}
    requests = told["requests"]
    step = requests.times[1] - requests.times[0]
    *whole, last = requests.values  # the last step has only begun
    lasts = min(step, time.time() - requests.times[-1])
    assert sum(v * step for v in whole) + last * lasts == pytest.approx(100, rel=0.3)
    assert {"latency_p99", "drift_score", "drift.a", "estimated_accuracy"} <= told.keys()
    guess = told["estimated_accuracy"]
    for low, value, high in zip(guess.low, guess.values, guess.high, strict=True):
        assert value is None or low <= value <= high
    assert "counted" in {each.deployment for each in watch.fleet()}


def test_what_may_not_be_seen_is_not_there(one, watch):
    for look in (watch.look, watch.series, watch.rules):
        with pytest.raises(NotFound) as caught:
            look("no-such")
        assert caught.value.kind == "no-deployment"
    with one.client("") as stranger:
        assert stranger.get("/api/v1/deployments/judged/monitoring").status_code in (401, 404)
