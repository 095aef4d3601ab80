"""The long way: a fault, the exporter, Prometheus with our rules, Alertmanager, and back to us."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from tests.monitoring.alerts.faulty import Heard, ask, deploy, doubling, hearing, play, until
from tests.server.running import Running, running
from tests.services.prometheus import Prometheus, installed

from modelyard.monitoring.alerts.rules import parse
from modelyard.monitoring.export.rules import prometheus_rules
from modelyard.registry import create

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.slow

BOUND = 6.0
"""Seconds from the first failed answer to the webhook of Alertmanager."""
RULES = """
defaults: false
rules:
  errors: {when: error_rate > 5%, for: 1s, severity: critical, words: Too many requests fail}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    place = tmp_path_factory.mktemp("prometheus")
    with create(place / "yard") as yard:
        yard.commit("m", doubling(place / "m"))
    with running(place / "yard", private_hooks=True) as one:
        yield one


def told_errors(heard: Heard) -> list[tuple[float, str]]:
    """When somebody was told of errors, and whether they fire."""
    return [
        (when, alert["status"])
        for when, body in zip(heard.times, heard.bodies, strict=False)
        for alert in body["alerts"]
        if alert["labels"]["alertname"] == "ModelyardErrors"
    ]


def test_a_fault_is_told_within_six_seconds(server, tmp_path, require: Callable):
    require("prometheus", installed())
    target = server.url.removeprefix("http://")
    with (
        hearing() as heard,
        server.client() as api,
        Prometheus(
            tmp_path, {"yard": [target]}, webhook=f"{heard.url}/am", token=server.token
        ) as prometheus,
    ):
        deploy(api, "svc", "m")
        assert ask(api, "svc") == 200
        prometheus.rules(prometheus_rules({"svc": parse(RULES)}, window="5s", base=server.url))
        with play(api, "svc") as asked:
            prometheus.until('deployment:modelyard_errors:ratio{deployment="svc"} == 0', seconds=40)
            began = time.monotonic()
            asked["number"] = 99.0
            until(lambda: told_errors(heard), 40)
            seconds = told_errors(heard)[0][0] - began
            asked["number"] = 1.0
            until(lambda: any(state == "resolved" for _, state in told_errors(heard)), 60)
        print(f"fault to webhook through Prometheus: {seconds:.2f} s")
        assert seconds <= BOUND
        alert = next(a for a in heard.bodies[0]["alerts"])
        assert alert["annotations"]["link"] == f"{server.url}/deployments/svc/monitoring"


def test_what_alertmanager_tells_us_is_in_the_inbox(server, tmp_path, require: Callable):
    require("prometheus", installed())
    target = server.url.removeprefix("http://")
    rules = {"svc": parse(RULES.replace("errors:", "from-prometheus:"))}
    with (
        server.client() as api,
        Prometheus(
            tmp_path, {"yard": [target]}, webhook=f"{server.url}/api/v1/alertmanager",
            token=server.token,
        ) as prometheus,
    ):  # fmt: skip
        deploy(api, "svc", "m")
        prometheus.rules(prometheus_rules(rules, window="5s", base=server.url))

        def states() -> list[tuple[str, str]]:
            found = api.get("/api/v1/alerts", params={"deployment": "svc"}).json()
            return [(a["state"], a["words"]) for a in found if a["source"] == "alertmanager"]

        with play(api, "svc") as asked:
            prometheus.until('deployment:modelyard_errors:ratio{deployment="svc"} == 0', seconds=40)
            asked["number"] = 99.0
            (told,) = until(states, 40)
            assert told == ("firing", "svc: Too many requests fail")
            asked["number"] = 1.0
            until(lambda: states()[0][0] == "resolved", 60)
        assert api.post("/api/v1/alertmanager", json={"alerts": []}, headers={
            "authorization": "Bearer yard_1_nobody"}).status_code in (401, 403)  # fmt: skip
