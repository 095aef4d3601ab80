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
