"""Suggestions know how long deployments wait for a version."""

from __future__ import annotations

import numpy as np
import pytest

import modelyard
from modelyard.automation.suggesting import suggest, traffic_of
from modelyard.core.deployment import DeploymentSpec, Share
from modelyard.errors import NotFound
from modelyard.optimization import planning


@pytest.fixture
def yard(tmp_path):
    from sklearn.ensemble import RandomForestClassifier

    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(100, 3))
    forest = RandomForestClassifier(5, random_state=0).fit(inputs, inputs[:, 0] > 0)
    with modelyard.open(tmp_path / "yard") as opened:
        opened.commit("risk/fraud", forest)
        yield opened


def test_without_deployments_format_and_size_alone_decide(yard):
    assert traffic_of(yard, "risk/fraud", 1) is None
    assert suggest(yard, "risk/fraud") == planning.suggest(yard, "risk/fraud", 1)
    assert modelyard.suggest(yard, "risk/fraud", 1)[0].recipe == "onnx"


def test_what_nobody_asks_needs_not_be_quicker(yard):
    share = Share(model="risk/fraud", revision="1")
    yard.deployments.apply(DeploymentSpec(name="fraud", shares=(share,)))
    seen = traffic_of(yard, "risk/fraud", 1)
    assert seen is None or seen.requests == 0
    assert traffic_of(yard, "risk/fraud", 2) is None


def test_a_version_that_is_not_there_is_not_found(yard):
    with pytest.raises(NotFound):
        suggest(yard, "risk/fraud", 9)
