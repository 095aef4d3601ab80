"""Alerts of several servers on one catalog of each kind: each fires once and is told once."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from tests.monitoring.alerts.faulty import doubling, hearing, until

from modelyard.core.channels import NewChannel
from modelyard.core.deployment import DeploymentSpec, Share
from modelyard.monitoring.alerts.evaluator import Evaluator
from modelyard.monitoring.alerts.ruling import rules_of, set_rules
from modelyard.monitoring.alerts.signals import Fact
from modelyard.monitoring.alerts.telling import Teller
from modelyard.registry import create, open_yard
from modelyard.registry.watching import alerts, channels, silences
from modelyard.server.outside import Door

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

_SERVERS = 3
_NAMES = ("one", "two", "three")


@pytest.mark.parametrize("catalog", ["sqlite", "postgres_url", "mariadb_url"])
def test_each_alert_fires_once_and_is_told_once(
    catalog: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = None if catalog == "sqlite" else request.getfixturevalue(catalog)
    with create(tmp_path / "yard", catalog=url) as yard, hearing() as heard:
        yard.commit("own/m", doubling(tmp_path / "m"))
        for name in _NAMES:
            share = Share(model="own/m", revision="1")
            yard.deployments.apply(
                DeploymentSpec(name=name, trusted=("hooks.check",), shares=(share,))
            )
        channels.add(yard.house, NewChannel(name="ops", kind="webhook", address=heard.url))
        yards = [open_yard(yard.house.root) for _ in range(_SERVERS)]
        tellers = [
            Teller(each.house, Door(private=True), f"server-{n}", together=0.0)
            for n, each in enumerate(yards)
        ]
        for teller in tellers:
            teller.start()
        rates = dict.fromkeys(_NAMES, 0.5)
        over = threading.Event()
        failures: list[Exception] = []

        def look(n: int) -> None:
            evaluator = Evaluator(yards[n].house, tellers[n].wake)
            while not over.wait(0.05):
                facts = [
                    Fact(deployment=name, signal="error_rate", value=rate, rows=100, number=1)
                    for name, rate in rates.items()
                ]
                try:
                    evaluator.tick(time.time(), facts, fast=True)
                except Exception as error:
                    failures.append(error)
                    raise

        threads = [threading.Thread(target=look, args=(n,)) for n in range(_SERVERS)]
        for thread in threads:
            thread.start()

        def told(state: str) -> Counter[str]:
            return Counter(
                alert["deployment"]
                for body in heard.bodies
                for alert in body["data"]["alerts"]
                if alert["state"] == state
            )

        try:
            until(lambda: set(told("firing")) == set(_NAMES))
            time.sleep(2)  # in which nothing more is told
            rates.update(dict.fromkeys(_NAMES, 0.0))
            until(lambda: set(told("resolved")) == set(_NAMES))
            time.sleep(1)
        finally:
            over.set()
            for thread in threads:
                thread.join()
            for teller, each in zip(tellers, yards, strict=True):
                teller.stop()
                each.close()
        assert not failures
        assert told("firing") == told("resolved") == dict.fromkeys(_NAMES, 1)
        assert Counter(a.deployment for a in alerts.listed(yard.house)) == dict.fromkeys(_NAMES, 1)
        made = silences.add(yard.house, "one", "errors", seconds=60)
        assert silences.current(yard.house) == (made,)
        assert set_rules(yard.house, "one", "defaults: false").rules == ()
        assert set_rules(yard.house, "one", "# 规则").text == "# 规则"
        assert rules_of(yard.house, "one").source == "deployment"
        assert alerts.forget(yard.house, time.time() + 365 * 86_400) == len(_NAMES)
        assert list(alerts.listed(yard.house)) == []
