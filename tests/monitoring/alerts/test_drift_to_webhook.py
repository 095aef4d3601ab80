"""Inputs that moved are told of by themselves: tiles, drift, a slow rule, a webhook."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from tests.monitoring.alerts.faulty import hearing
from tests.monitoring.loans import NAME, make_loans, people, play, until_ready
from tests.server.running import running

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


def test_moved_incomes_are_told_and_the_evidence_names_them(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    make_loans(tmp_path / "yard")
    with (
        running(tmp_path / "yard", private_hooks=True) as server,
        server.client() as api,
        hearing() as heard,
    ):
        until_ready(api)
        channel = {"name": "ops", "kind": "webhook", "address": heard.url}
        assert api.post("/api/v1/channels", json=channel).status_code == 201
        began, seed = time.monotonic(), 10
        found: list[dict] = []
        while not found and time.monotonic() - began < 150:
            inputs, _ = people(600, seed, moved=1.0)
            seed += 1
            for _ in play(api, inputs):
                pass
            told = [a for body in heard.bodies for a in body["data"]["alerts"]]
            found = [alert for alert in told if alert["rule"] == "data-drift"]
            time.sleep(1)
        print(f"moved inputs to webhook: {time.monotonic() - began:.0f} s")
        (alert,) = found
        assert alert["deployment"] == NAME
        assert [each["column"] for each in alert["evidence"]["drifted"]] == ["income"]
        assert not [a for a in told if a["rule"] in ("errors", "rejected", "fault", "bad-data")]
        assert api.get(f"/deployments/{NAME}/monitoring").status_code == 200
