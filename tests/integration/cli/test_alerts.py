"""`yard alerts`, `rules`, `silence`, `channel` and `export-rules`, in a folder and at a server."""

from __future__ import annotations

import json
import time

import pytest
import yaml
from tests.monitoring.alerts.faulty import doubling, hearing
from tests.server.running import running

from modelyard.monitoring.alerts.evaluator import Evaluator
from modelyard.monitoring.alerts.rules import DEFAULTS
from modelyard.monitoring.alerts.signals import Fact
from modelyard.registry import open_yard


@pytest.fixture
def place(shell, monkeypatch):
    """A yard with a deployment."""
    shell.run("init", "team")
    monkeypatch.setenv("YARD", str(shell.home / "team"))
    shell.run("commit", "own/m", str(doubling(shell.home / "m")), "-m", "one")
    shell.run("deploy", "svc", "own/m@1", "--trust", "hooks.check")
    return shell


def fire(shell, signal="error_rate", value=0.5):
    with open_yard(shell.home / "team") as yard:
        fact = Fact(deployment="svc", signal=signal, value=value, rows=500, number=1)
        Evaluator(yard.house).tick(time.time(), [fact], fast=True)


def test_alerts_are_listed(place):
    assert place.out("alerts").strip() == "no alerts"
    fire(place)
    out = place.out("alerts")
    assert "critical" in out
    assert "error_rate is 50 % (> 5 %)" in out
    (alert,) = place.json("alerts", "svc", "--firing")["items"]
    assert alert["evidence"]["rows"] == 500
    assert place.out("alerts", "-q").split() == [str(alert["id"])]
    assert place.out("alerts", "--before", alert["id"]).strip() == "no alerts"
    assert place.error("alerts", "nobody")["kind"] == "no-deployment"
    assert "svc: errors" in place.out("events")


def test_rules_are_shown_and_set(place, tmp_path):
    out = place.out("rules", "svc")
    assert "svc: the usual rules" in out
    assert "error_rate > 5 %" in out
    assert place.out("rules", "svc", "-q").split() == [rule.name for rule in DEFAULTS]
    file = tmp_path / "rules.yaml"
    file.write_text(
        place.out("rules", "svc", "--yaml").replace("latency_p99 > 2s", "latency_p99 > 3s")
    )
    assert "latency_p99 > 3 s" in place.out("rules", "svc", "--set", str(file))
    assert place.json("rules", "svc")["source"] == "deployment"
    file.write_text("rules: {a: {when: errors > 1}}")
    error = place.error("rules", "svc", "--set", str(file))
    assert error["kind"] == "bad-rules"
    assert "error_rate" in error["hint"]
    assert place.json("rules", "svc", "--default")["source"] == "default"
    assert "drift_score" in place.out("rules", "--signals")
    assert place.error("rules", "svc", "--set", "not-there.yaml")["kind"] == "bad-rules"


def test_silences_are_made_and_ended(place):
    fire(place)
    (made,) = place.json("silence", "svc", "errors", "--for", "2h", "--reason", "we know")["items"]
    assert made["rule"] == "errors"
    assert "we know" in place.out("silence")
    assert "silenced" in place.out("alerts")
    place.run("silence", "--end", made["id"])
    assert place.out("silence").strip() == "no silences"
    assert place.error("silence", "--end", made["id"])["kind"] == "no-silence"


def test_channels_are_made_and_deleted(place, monkeypatch):
    made = place.json("channel", "add", "ops", "webhook", "https://ci.example.org/alerts")
    assert made["secret"].startswith("whsec_")
    monkeypatch.setenv("SIGN", "very-secret")
    url = "https://oapi.dingtalk.com/robot/send?access_token=TOKEN"
    place.run("channel", "add", "chat", "dingtalk", url, "--secret", "env:SIGN")
    told = place.out("channel") + place.out("channel", "--json")
    assert "dingtalk" in told
    for secret in ("very-secret", "TOKEN", made["secret"]):
        assert secret not in told
    assert place.error("channel", "add", "ops", "webhook", "https://x.org/")["kind"] == (
        "channel-exists"
    )
    assert place.error("channel", "add", "x", "pigeon", "https://x.org/")["kind"] == "bad-channel"
    assert "deleted channel ops" in place.out("channel", "delete", "ops")
    assert place.error("channel", "test", "ops")["kind"] == "no-channel"


def test_rules_are_exported(place, tmp_path):
    told = place.json("export-rules", str(tmp_path / "out"), "--url", "https://y.example.org")
    assert told["deployments"] == 1
    assert "less-accurate" in told["left"]
    text = (tmp_path / "out" / "modelyard.rules.yml").read_text()
    assert "https://y.example.org/deployments/{{ $labels.deployment }}/monitoring" in text
    assert (tmp_path / "out" / "modelyard.rules.test.yml").exists()
    assert yaml.safe_load(place.out("export-rules"))["groups"]
    assert place.json("export-rules")["deployments"] == 1


@pytest.mark.slow
def test_the_same_at_a_server(place, monkeypatch):
    fire(place)
    with running(place.home / "team", private_hooks=True) as server, hearing() as heard:
        monkeypatch.setenv("YARD", server.url)
        monkeypatch.setenv("YARD_TOKEN", server.token or "")
        made = place.json("channel", "add", "ops", "webhook", f"{heard.url}/in")
        assert made["channel"]["address"] == f"{heard.url}/in"
        assert "it was taken" in place.out("channel", "test", "ops")
        assert [a["rule"] for b in heard.bodies for a in b["data"]["alerts"]].count("test") == 1
        assert json.dumps(place.json("channel")).count("whsec_") == 0
        assert [a["rule"] for a in place.json("alerts", "svc")["items"]] == ["errors"]
        assert place.json("rules", "svc")["source"] == "default"
        (silence,) = place.json("silence", "svc")["items"]
        place.run("silence", "--end", silence["id"])
        place.run("channel", "delete", "ops")


def test_channels_lead_to_no_private_place(place):
    place.run("channel", "add", "own", "webhook", "http://127.0.0.1:9/in")
    result = place.run("channel", "test", "own", code=1)
    assert "may not go to" in result.stdout or "none that webhooks may go to" in result.stdout
    assert "--private-hooks" in result.stderr
