"""Rules that we write for Prometheus: promtool finds no fault with them, and their tests pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml
from tests.services.prometheus import installed, promtool

from modelyard.monitoring.alerts.rules import DEFAULTS, parse
from modelyard.monitoring.export.rule_tests import prometheus_tests
from modelyard.monitoring.export.rules import OWN, alertings, prometheus_rules

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from modelyard.core.monitoring import Rule

pytestmark = pytest.mark.slow

MORE = """
rules:
  accuracy: {when: accuracy < 90%, clear: 92%}
  column: {when: drift_score >= 2, clear: 1.5, for: 30s}
  fair: {when: fairness_gap > 0.2}
  median: {when: latency_p50 > 10ms, rows: 5}
  idle: {when: request_rate < 1, for: 5m}
  cold: {when: cold_starts > 3}
  bias: {when: bias > 0.1}
  truth: {when: label_lag > 1h}
  error: {when: mae > 3}
  queue: {when: queue_p99 >= 0.5, for: 1500ms}
  slow: {when: latency_p99 > 3s, clear: 1s}
"""
RULES: Mapping[str, Sequence[Rule]] = {
    "fraud-eu": DEFAULTS, "fraud.us": DEFAULTS, "other": parse(MORE), "quiet": (),
}  # fmt: skip


@pytest.fixture
def written(tmp_path: Path, require: Callable[[str, object], None]) -> Path:
    require("prometheus", installed())
    text = prometheus_rules(RULES, base="https://yard.example.org")
    (tmp_path / "modelyard.rules.yml").write_text(text)
    tests = prometheus_tests(RULES, base="https://yard.example.org")
    (tmp_path / "modelyard.rules.test.yml").write_text(tests)
    return tmp_path


def test_promtool_finds_no_fault(written):
    code, told = promtool("check", "rules", "modelyard.rules.yml", folder=written)
    assert code == 0, told
    assert "SUCCESS" in told


def test_each_alert_fires_where_it_must_and_nowhere_else(written):
    plain = yaml.safe_load((written / "modelyard.rules.test.yml").read_text())
    fired = {t["alert_rule_test"][0]["alertname"] for t in plain["tests"]
             if t["alert_rule_test"][0]["exp_alerts"]}  # fmt: skip
    names = {each.name for each in alertings(RULES)[0]} - {"ModelyardCold"}
    assert fired == names
    assert len(plain["tests"]) >= 2 * len(names)
    code, told = promtool("test", "rules", "modelyard.rules.test.yml", folder=written)
    assert code == 0, told


def test_a_test_that_expects_too_much_fails(written):
    """So that what passes says something."""
    place = written / "modelyard.rules.test.yml"
    place.write_text(place.read_text().replace("ratio", "other").replace("fraud-eu", "nobody"))
    code, _ = promtool("test", "rules", "modelyard.rules.test.yml", folder=written)
    assert code != 0


def test_what_fires_ends_only_when_it_came_back_far_enough(written):
    """5 % fires, 3 % keeps it, 1 % ends it."""
    series = 'modelyard_inference_requests_total{deployment="fraud-eu",shadow="false",outcome="%s"}'
    ok = "0+900x40 36970+970x40 76760+990x60"
    bad = "0+100x40 4030+30x40 5240+10x60"
    at = {"5m": True, "18m": True, "31m": False}
    labels = {"deployment": "fraud-eu", "severity": "critical", "rule": "errors"}
    looks = [
        {"expr": 'ALERTS{alertname="ModelyardErrors",alertstate="firing"}', "eval_time": when,
         "exp_samples": [{"labels": _shown({"__name__": "ALERTS", "alertname": "ModelyardErrors",
                                            "alertstate": "firing", **labels}), "value": 1}]
         if fires else []}
        for when, fires in at.items()
    ]  # fmt: skip
    plain = {
        "rule_files": ["modelyard.rules.yml"], "evaluation_interval": "15s",
        "tests": [{"interval": "15s", "promql_expr_test": looks,
                   "input_series": [{"series": series % "ok", "values": ok},
                                    {"series": series % "model-failed", "values": bad}]}],
    }  # fmt: skip
    (written / "more.yml").write_text(yaml.safe_dump(plain))
    code, told = promtool("test", "rules", "more.yml", folder=written)
    assert code == 0, told


def test_what_the_yard_alone_sees_is_told_by_one_alert(written):
    text = (written / "modelyard.rules.yml").read_text()
    assert "less-accurate (accuracy_drop)" in text.partition("groups:")[0]
    labels = {"deployment": "fraud-eu", "severity": "critical"}
    exp = {
        "exp_labels": {**labels, "rule": "own"},
        "exp_annotations": {
            "summary": "fraud-eu: the yard has alerts of its own",
            "description": "1 are firing",
            "link": "https://yard.example.org/deployments/fraud-eu/monitoring",
        },
    }
    one = 'modelyard_alerts_firing{deployment="fraud-eu",severity="critical"}'
    look = {"eval_time": "5m", "alertname": OWN, "exp_alerts": [exp]}
    told = [{"series": one, "values": "1x40"}]
    plain = {
        "rule_files": ["modelyard.rules.yml"], "evaluation_interval": "15s",
        "tests": [{"interval": "15s", "input_series": told, "alert_rule_test": [look]}],
    }  # fmt: skip
    (written / "more.yml").write_text(yaml.safe_dump(plain))
    code, told = promtool("test", "rules", "more.yml", folder=written)
    assert code == 0, told


def test_equal_rules_are_written_once():
    many = {f"d{n}": DEFAULTS for n in range(500)}
    plain = yaml.safe_load(prometheus_rules(many))
    assert sum(len(group["rules"]) for group in plain["groups"]) < 25


def _shown(labels: dict[str, str]) -> str:
    name = labels.pop("__name__")
    return name + "{" + ",".join(f'{key}="{text}"' for key, text in labels.items()) + "}"
