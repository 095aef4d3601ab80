"""Suggestions for a version that a real server serves: how long people wait for it counts."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from tests.server.test_monitoring import SOON, monitored

from modelyard.automation.suggesting import suggest, traffic_of

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


def test_the_time_that_deployments_wait_for_the_model_is_known(tmp_path: Path) -> None:
    with monitored(tmp_path / "yard") as site:
        site.asked(40)
        site.seen(40)
        limit = time.monotonic() + SOON
        while True:
            found = traffic_of(site.yard, "risk/fraud", 1)
            if found is not None and found.model_share is not None:
                break
            assert time.monotonic() < limit, found
            time.sleep(0.2)
        assert found.requests > 0
        assert found.latency_p50 is not None
        assert 0 < found.latency_p50 < 5
        assert 0 < found.model_share <= 1
        told = [why for each in suggest(site.yard, "risk/fraud") for why in each.why]
        assert any("requests a second" in why for why in told), told
        assert traffic_of(site.yard, "risk/fraud", 2) is None
