"""Traffic that the pages of monitoring tell of: enough for a reference, for drift and an alert."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from tests.web.showing import Shown

__all__ = ["RULES", "watch"]

RULES = """\
rules:
  busy:
    when: request_rate > 0
    severity: critical
    words: Somebody asks <img src=x onerror=window.__fired=40>
"""
"""One that fires as soon as there is a request."""
_PATIENCE = 30.0


def watch(shown: Shown) -> None:
    """Ask `scaler` until there is something to see; the truth of it comes too."""
    rng = np.random.default_rng(8)
    with shown.client() as client:
        base = "/deployments/scaler"
        answer = client.put(f"{base}/rules", json={"text": RULES})
        assert answer.status_code == 200, answer.text
        _until_ready(client)
        for number in range(40):
            rows = rng.normal(0 if number < 30 else 2, 1, (60, 4)).round(3)
            told = {"x-request-id": f"shown-{number}"}
            client.post(f"{shown.url}/predict/scaler", json={"rows": rows.tolist()}, headers=told)
        for _ in range(5):
            client.post(f"{shown.url}/predict/scaler", json={"rows": [[1]]})
        _until(client, lambda seen: seen["alerts"] and _rows(seen) >= 2000)


def _until_ready(client: Any) -> None:
    limit = time.monotonic() + _PATIENCE
    while client.get("/deployments/scaler").json()["state"] != "ready":
        assert time.monotonic() < limit, "the deployment never was ready"
        time.sleep(0.1)


def _until(client: Any, so: Any) -> None:
    limit = time.monotonic() + _PATIENCE
    while not so(seen := client.get("/deployments/scaler/monitoring").json()):
        assert time.monotonic() < limit, seen
        time.sleep(0.3)


def _rows(seen: dict[str, Any]) -> int:
    return sum(one["performance"]["rows"] for one in seen["versions"])
