"""What was taken is written, though the catalog was away for a while."""

from __future__ import annotations

import time

import numpy as np
import pytest

from modelyard.core.deployment import DeploymentSpec, Share
from modelyard.errors import Unavailable
from modelyard.monitoring.extracting import One
from modelyard.monitoring.live import Live
from modelyard.monitoring.local import LocalMonitoring
from modelyard.monitoring.taking import Taken, Takings
from modelyard.registry import create
from modelyard.registry.watching import tiles


class Twice:
    def predict(self, x):
        return 2 * x


@pytest.fixture
def yard(tmp_path):
    with create(tmp_path / "yard") as yard:
        yard.commit("m", Twice())
        spec = DeploymentSpec(name="svc", shares=(Share(model="m", revision="1"),), trusted=("*",))
        yard.deployments.apply(spec)
        yield yard


def taken(rows, second=None):
    made = Taken("svc", "m", 1, False, int(second or time.time()), (), None)
    values = np.random.default_rng(rows).normal(size=(rows, 2))
    made.timed.append((0, 1, 2, 1000, 2000, rows, rows, None, "ann"))
    made.ones.append(One({"x": values}, {"y": values.sum(axis=1)}, rows, f"r{rows}", "ann"))
    return made


def test_what_could_not_be_written_is_written_later(yard, monkeypatch):
    takings = Takings(yard.house, "one", Live())
    takings.take(taken(1200))
    takings.write()  # the first rows are the reference
    takings.take(taken(300))

    def away(*_):
        raise Unavailable("catalog-busy", "the catalog is away")

    with monkeypatch.context() as patch:
        patch.setattr(tiles, "keep", away)
        for _ in range(3):
            with pytest.raises(Unavailable):
                takings.write()
    takings.take(taken(50))
    takings.write()
    (version,) = LocalMonitoring(yard.house).look("svc").versions
    assert version.performance.rows == 1550
    assert sum(version.columns[0].counts) == 350


def test_of_a_deployment_that_is_gone_nothing_is_kept(yard):
    takings = Takings(yard.house, "one", Live())
    takings.take(taken(10))
    takings.write()
    yard.deployments.undeploy("svc")
    takings.keep_only(set())
    takings.write()
    made = Taken("no-such", "m", 1, False, 5, (), None)
    takings.take(made)
    takings.write()


def test_what_comes_back_within_its_minute_takes_the_place_of_nothing(yard):
    takings = Takings(yard.house, "one", Live())
    takings.take(taken(1200))
    takings.write()
    takings.take(taken(300))
    takings.write()
    takings.keep_only(set())  # it is undeployed for a moment
    takings.take(taken(50))
    takings.write()
    (version,) = LocalMonitoring(yard.house).look("svc").versions
    assert version.performance.rows == 1550
    assert sum(version.columns[0].counts) == 350


def test_another_reference_takes_the_place_of_nothing(yard, tmp_path):
    takings = Takings(yard.house, "one", Live())
    takings.take(taken(1200))
    takings.write()
    takings.take(taken(300))
    takings.write()
    version = takings._versions["svc", "m", 1]
    version._use(version._reference)
    takings.take(taken(40))
    takings.write()
    (told,) = LocalMonitoring(yard.house).look("svc").versions
    assert sum(told.columns[0].counts) == 340
    assert told.performance.rows == 1540


def test_a_version_that_nobody_asks_is_forgotten(yard, monkeypatch):
    takings = Takings(yard.house, "one", Live())
    takings.take(taken(10))
    takings.write()
    takings.keep_only({"svc"})
    assert takings._versions
    takings._versions["svc", "m", 1].used -= 601
    takings.keep_only({"svc"})
    assert not takings._versions


def test_first_rows_that_are_large_are_fewer(yard):
    takings = Takings(yard.house, "one", Live())
    made = Taken("svc", "m", 1, False, int(time.time()), (), None)
    for number in range(70):
        values = np.random.default_rng(number).normal(size=(1, 130_000))
        made.timed.append((0, 1, 2, 1000, 2000, 1, 1, None, "ann"))
        made.ones.append(One({"x": values}, {"y": values.sum(axis=1)}, 1, f"r{number}", "ann"))
    takings.take(made)
    takings.write()
    assert LocalMonitoring(yard.house).profile("m", 1).rows == 70


def test_what_comes_late_replaces_no_minute_that_is_written(yard):
    takings = Takings(yard.house, "one", Live())
    takings.take(taken(1200))
    takings.write()  # the first rows are the reference
    takings.take(taken(1))
    takings.write()
    long_ago = int(time.time()) // 60 * 60 - 300
    for late, rows in enumerate((1000, 500, 20)):
        takings.take(taken(rows, long_ago + late))
        takings.write()
    (version,) = LocalMonitoring(yard.house).look("svc").versions
    assert version.performance.rows == 1200 + 1 + 1520
    assert sum(version.columns[0].counts) == 1 + 1520
