"""Rules of deployments as rules of Prometheus: what is recorded, what alerts, and tests of both.

Deployments with equal rules share one. What only the yard itself can say (whether accuracy was
surely lost, say) is left out, and told by one alert about the yard's own alerts.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from modelyard.monitoring.alerts.signals import SIGNALS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from modelyard.core.monitoring import Rule

__all__ = [
    "BY", "GAUGED", "OWN", "Alerting", "alert_name", "alertings", "annotated", "prometheus_rules",
    "recorded",
]  # fmt: skip

ERRORS: Final = "failed|model-failed|model-died|model-timeout|not-ready|self-test|other"
REJECTED: Final = "overloaded|deadline|too-many-requests"
"""Outcomes, as `monitoring.performance` counts them."""
OWN: Final = "ModelyardAlert"
_LIVE: Final = 'shadow="false"'
_REQUESTS: Final = "modelyard_inference_requests_total"
_DURATION: Final = "modelyard_inference_request_duration_seconds"
_QUEUE: Final = "modelyard_inference_queue_duration_seconds"
_PREFIX: Final = "deployment:modelyard_"


@dataclass(frozen=True, slots=True)
class Alerting:
    """An alert of Prometheus: a rule, and the deployments that have it."""

    name: str
    """Those after the first, where deployments have different rules of one name, end in a number;
    the label `rule` is the same."""
    rule: Rule
    deployments: tuple[str, ...]


def alertings(rules: Mapping[str, Sequence[Rule]]) -> tuple[list[Alerting], list[Rule]]:
    """Alerts of Prometheus, and the rules that it can't look at.

    Args:
        rules: Of each deployment, by its name.
    """
    having: dict[Rule, list[str]] = defaultdict(list)
    left: dict[Rule, None] = {}
    for name in sorted(rules):
        for rule in rules[name]:
            if not rule.enabled:
                continue
            if rule.signal in _EXPRESSIONS:
                having[replace(rule, enabled=True)].append(name)
            else:
                left[rule] = None
    found: list[Alerting] = []
    times: Counter[str] = Counter()
    for rule, names in having.items():
        name = alert_name(rule)
        times[name] += 1
        number = "" if times[name] == 1 else f"{times[name]}"
        found.append(Alerting(f"{name}{number}", rule, tuple(names)))
    return found, list(left)


def prometheus_rules(
    rules: Mapping[str, Sequence[Rule]], *, window: str = "1m", base: str = ""
) -> str:
    """A file of rules, for `rule_files` of Prometheus 2.42 or newer.

    Args:
        rules: Of each deployment, by its name.
        window: Over which rates are taken: at least four scrapes.
        base: The yard's address, for links to pages.
    """
    import yaml

    found, left = alertings(rules)
    alerts = [_alert(each, base) for each in found]
    if left:
        alerts.append(_own(base))
    groups = [
        {"name": "modelyard-recorded", "rules": list(recorded(window))},
        {"name": "modelyard-alerts", "rules": alerts},
    ]
    text = yaml.safe_dump({"groups": groups}, sort_keys=False, allow_unicode=True, width=1000)
    head = ["# Written by `yard export-rules`: change the rules of deployments, not this file."]
    if left:
        names = ", ".join(sorted({f"{rule.name} ({rule.signal})" for rule in left}))
        head.append(f"# Only the yard itself looks at: {names}.")
        head.append(f"# When one of these fires, {OWN} does.")
    return "\n".join([*head, text])


def recorded(window: str) -> Iterator[dict[str, str]]:
    """What alerts and dashboards share, by deployment."""
    every = f"sum by (deployment) (rate({_REQUESTS}{{{_LIVE}}}[{window}]))"

    def ratio(kinds: str) -> str:
        some = f'sum by (deployment) (rate({_REQUESTS}{{{_LIVE},outcome=~"{kinds}"}}[{window}]))'
        return f"{some} / ({every} > 0)"

    def quantile(share: float, name: str) -> str:
        buckets = f"sum by (deployment, le) (rate({name}_bucket{{{_LIVE}}}[{window}]))"
        return f"histogram_quantile({share}, {buckets})"

    def spent(name: str) -> str:
        return f"sum by (deployment) (rate({name}_sum{{{_LIVE}}}[{window}]))"

    told = {
        "requests:rate": every,
        "requests:increase":
            f"sum by (deployment) (increase({_REQUESTS}{{{_LIVE}}}[{window}]))",
        "errors:ratio": ratio(ERRORS),
        "rejected:ratio": ratio(REJECTED),
        "duration_seconds:p50": quantile(0.5, _DURATION),
        "duration_seconds:p95": quantile(0.95, _DURATION),
        "duration_seconds:p99": quantile(0.99, _DURATION),
        "queue_seconds:p99": quantile(0.99, _QUEUE),
        "saturation:ratio": f"{spent(_QUEUE)} / ({spent(_DURATION)} > 0)",
        "cold_starts:increase":
            "sum by (deployment)"
            f" (increase(modelyard_inference_cold_starts_total{{{_LIVE}}}[{window}]))",
    }  # fmt: skip
    for name, expression in told.items():
        yield {"record": f"{_PREFIX}{name}", "expr": expression}


def alert_name(rule: Rule) -> str:
    """`ModelyardDataDrift` of the rule `data-drift`."""
    parts = re.split(r"[^a-z0-9]+", rule.name)
    return "Modelyard" + "".join(part.capitalize() for part in parts)


_RECORDED: Final = {
    "request_rate": "requests:rate", "error_rate": "errors:ratio",
    "rejected_rate": "rejected:ratio", "latency_p50": "duration_seconds:p50",
    "latency_p95": "duration_seconds:p95", "latency_p99": "duration_seconds:p99",
    "queue_p99": "queue_seconds:p99", "saturation": "saturation:ratio",
    "cold_starts": "cold_starts:increase",
}  # fmt: skip
GAUGED: Final = {
    "drifted_columns": "modelyard_drifted_features",
    "accuracy": "modelyard_realized_accuracy",
    "estimated_accuracy": "modelyard_estimated_accuracy",
    "miss_rate": "modelyard_miss_rate",
    "false_alarm_rate": "modelyard_false_alarm_rate",
    "calibration_error": "modelyard_calibration_error",
    "bias": "modelyard_prediction_bias",
    "mae": "modelyard_mean_absolute_error",
    "rmse": "modelyard_root_mean_square_error",
    "label_lag": "modelyard_label_lag_seconds",
}
BY: Final = {
    "drift_score": ("modelyard_feature_drift_score", "deployment, feature"),
    "fairness_gap": ("modelyard_fairness_gap", "deployment, group, metric"),
}
_EXPRESSIONS: Final = frozenset({*_RECORDED, *GAUGED, *BY, "drifted_outputs"})


def expression(signal: str, op: str, names: Sequence[str]) -> str:
    """A signal's value of these deployments: of several versions and servers, the worst."""
    where = f'deployment=~"{"|".join(re.escape(name) for name in names)}"'.replace("\\", "\\\\")
    if len(names) == 1:
        where = f'deployment="{names[0]}"'
    if signal in _RECORDED:
        return f"{_PREFIX}{_RECORDED[signal]}{{{where}}}"
    worst = "max" if op in (">", ">=") else "min"
    if signal in GAUGED:
        return f"{worst} by (deployment) ({GAUGED[signal]}{{{where},{_LIVE}}})"
    if signal == "drifted_outputs":
        scores = f"max by (deployment, output) (modelyard_output_drift_score{{{where},{_LIVE}}})"
        return f"sum by (deployment) ({scores} >= bool 1)"
    metric, by = BY[signal]
    return f"{worst} by ({by}) ({metric}{{{where},{_LIVE}}})"


def _alert(each: Alerting, base: str) -> dict[str, Any]:
    rule = each.rule
    value = expression(rule.signal, rule.op, each.deployments)
    condition = f"{value} {rule.op} {rule.value!r}"
    if rule.rows and rule.signal in _RECORDED:
        enough = f"{_PREFIX}requests:increase >= {rule.rows}"
        condition = f"({condition}) and on (deployment) ({enough})"
    if rule.clear is not None:  # what fires goes on until it came back so far
        firing = f'ALERTS{{alertname="{each.name}",alertstate="firing"}}'
        by = f"deployment, {BY[rule.signal][1][12:]}" if rule.signal in BY else "deployment"
        condition = f"({condition}) or ({value} {rule.op} {rule.clear!r} and on ({by}) {firing})"
    told: dict[str, Any] = {"alert": each.name, "expr": condition}
    if rule.hold:
        told["for"] = told["keep_firing_for"] = _duration(rule.hold)
    told["labels"] = {"severity": rule.severity, "rule": rule.name}
    told["annotations"] = annotated(rule, base)
    return told


def annotated(rule: Rule, base: str) -> dict[str, str]:
    """What people read; with what Prometheus fills in."""
    what = {"drift_score": " of {{ $labels.feature }}",
            "fairness_gap": " ({{ $labels.metric }} of {{ $labels.group }})"}  # fmt: skip
    unit = " s" if SIGNALS[rule.signal].unit == "seconds" else ""
    return {
        "summary": f"{{{{ $labels.deployment }}}}: {rule.words or rule.name}",
        "description": f"{rule.signal}{what.get(rule.signal, '')} is"
        f' {{{{ $value | printf "%.4g" }}}}{unit} ({rule.op} {rule.value:.4g}{unit})',
        "link": f"{base}/deployments/{{{{ $labels.deployment }}}}/monitoring",
    }


def _own(base: str) -> dict[str, Any]:
    firing = "max by (deployment, severity) (modelyard_alerts_firing) > 0"
    others = f'ALERTS{{alertname=~"Modelyard.+",alertname!="{OWN}",alertstate="firing"}}'
    return {
        "alert": OWN,
        "expr": f"{firing} unless on (deployment) {others}",
        "for": "30s",
        "labels": {"rule": "own"},
        "annotations": {
            "summary": "{{ $labels.deployment }}: the yard has alerts of its own",
            "description": '{{ $value | printf "%.4g" }} are firing',
            "link": f"{base}/deployments/{{{{ $labels.deployment }}}}/monitoring",
        },
    }


def _duration(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    return f"{milliseconds // 1000}s" if milliseconds % 1000 == 0 else f"{milliseconds}ms"
