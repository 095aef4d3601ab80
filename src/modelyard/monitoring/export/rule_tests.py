"""Tests for the rules of Prometheus that we write: `promtool test rules` runs them.

For each alert there is traffic that must fire it, made of the metrics as servers tell them, and
traffic that must not.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from modelyard.monitoring.alerts.rules import fires, is_over
from modelyard.monitoring.alerts.signals import SIGNALS
from modelyard.monitoring.export.rules import BY, GAUGED, alertings, annotated

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelyard.core.monitoring import Rule
    from modelyard.monitoring.export.rules import Alerting

__all__ = ["prometheus_tests"]

_STEP: Final = 15
"""Seconds between two samples."""
_A_STEP: Final = 1_000_000
"""Requests, so that no rule finds them too few."""
_SETTLED: Final = 600.0
"""Seconds until rates are what they will be."""


def prometheus_tests(
    rules: Mapping[str, Sequence[Rule]], *, file: str = "modelyard.rules.yml", base: str = ""
) -> str:
    """A file for `promtool test rules`, beside the one of the rules.

    Args:
        rules: As for `prometheus_rules`, which was called with the same base and a window of a
            minute or more, up to ten.
        file: Name of the file of rules.
    """
    import yaml

    tests = []
    for each in alertings(rules)[0]:
        bad, good = _values(each.rule)
        for value, is_bad in ((bad, True), (good, False)):
            if value is not None:
                tests.append(_test(each, value, is_bad, base))
    plain = {"rule_files": [file], "evaluation_interval": f"{_STEP}s", "tests": tests}
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=1000)


def _values(rule: Rule) -> tuple[float | None, float | None]:
    """A value that fires, and one that does not; None where the signal has none."""
    is_share = SIGNALS[rule.signal].unit == "share"
    far = abs(rule.value) + 1
    tries = [
        rule.value / 2, rule.value * 2, 0.0, rule.value + far, rule.value - far,
        *((0.0, 1.0, (1 + rule.value) / 2) if is_share else ()),
    ]  # fmt: skip
    least = None if rule.signal == "bias" else 0.0
    fit = [
        float(f"{value:.3g}")
        for value in tries
        if (least is None or value >= least) and (not is_share or value <= 1)
    ]
    if rule.signal in ("drifted_columns", "drifted_outputs", "cold_starts"):
        fit = [float(round(value)) for value in fit]
    if rule.signal == "cold_starts":
        return None, None  # `increase` tells no whole numbers
    if rule.signal == "drifted_outputs":
        fit = [value for value in fit if value <= 2]
    bad = next((value for value in fit if fires(rule, value)), None)
    good = next((value for value in fit if not fires(rule, value) and is_over(rule, value)), None)
    return bad, good


def _test(each: Alerting, value: float, is_bad: bool, base: str) -> dict[str, Any]:
    rule, name = each.rule, each.deployments[0]
    when = _SETTLED + rule.hold + 2 * _STEP
    samples = int(when // _STEP) + 8
    more, told = _SERIES.get(rule.signal, _gauge)(rule, name, value, samples)
    expected: dict[str, Any] = {"eval_time": f"{int(when)}s", "alertname": each.name}
    if is_bad:
        labels = {"deployment": name, **more, "severity": rule.severity, "rule": rule.name}
        filled = {
            key: _filled(text, {"deployment": name, **more}, value)
            for key, text in annotated(rule, base).items()
        }
        expected["exp_alerts"] = [{"exp_labels": labels, "exp_annotations": filled}]
    else:
        expected["exp_alerts"] = []
    kind = "fires" if is_bad else "is quiet"
    return {
        "name": f"{each.name} {kind} at {value:g}",
        "interval": f"{_STEP}s",
        "input_series": [{"series": series, "values": values} for series, values in told.items()],
        "alert_rule_test": [expected],
    }


def _filled(text: str, labels: Mapping[str, str], value: float) -> str:
    text = text.replace('{{ $value | printf "%.4g" }}', f"{value:.4g}")
    for label, what in labels.items():
        text = text.replace(f"{{{{ $labels.{label} }}}}", what)
    return text


Told = tuple[dict[str, str], dict[str, str]]
"""Labels of the alert beside the deployment's, and samples of each series."""


def _of(series: str, name: str, more: Mapping[str, str] = MappingProxyType({})) -> str:
    labels = {"deployment": name, "model": "m", "version": "1", "shadow": "false", **more}
    return series + "{" + ",".join(f'{key}="{text}"' for key, text in labels.items()) + "}"


def _count(name: str, outcomes: Mapping[str, float], samples: int) -> dict[str, str]:
    metric = "modelyard_inference_requests_total"
    return {
        _of(metric, name, {"outcome": kind}): f"0+{number!r}x{samples}"
        for kind, number in outcomes.items()
    }


def _ratio(kind: str) -> Any:
    def series(rule: Rule, name: str, value: float, samples: int) -> Told:
        bad = value * _A_STEP
        return {}, _count(name, {"ok": _A_STEP - bad, kind: bad}, samples)

    return series


def _rate(rule: Rule, name: str, value: float, samples: int) -> Told:
    return {}, _count(name, {"ok": value * _STEP}, samples)


def _quantile(metric: str, share: float) -> Any:
    def series(rule: Rule, name: str, value: float, samples: int) -> Told:
        # one bucket from 0 on, in which the quantile is that share of its width
        told = _count(name, {"ok": _A_STEP}, samples)
        for bound in (repr(value / share), "+Inf"):
            told[_of(f"{metric}_bucket", name, {"le": bound})] = f"0+{_A_STEP}x{samples}"
        return {}, told

    return series


def _saturation(rule: Rule, name: str, value: float, samples: int) -> Told:
    told = _count(name, {"ok": _A_STEP}, samples)
    spent = {"queue": value, "request": 1.0}
    for what, part in spent.items():
        series = _of(f"modelyard_inference_{what}_duration_seconds_sum", name)
        told[series] = f"0+{part * _A_STEP!r}x{samples}"
    return {}, told


def _gauge(rule: Rule, name: str, value: float, samples: int) -> Told:
    if rule.signal in BY:
        metric = BY[rule.signal][0]
        more = {"feature": "age"} if rule.signal == "drift_score" else {
            "group": "sex", "metric": "selection_rate_ratio"
        }  # fmt: skip
    else:
        metric, more = GAUGED[rule.signal], {}
    return more, {_of(metric, name, more): f"{value!r}x{samples}"}


def _outputs(rule: Rule, name: str, value: float, samples: int) -> Told:
    metric = "modelyard_output_drift_score"
    return {}, {
        _of(metric, name, {"output": output}): f"{1.5 if place < value else 0.1}x{samples}"
        for place, output in enumerate(("predictions", "scores"))
    }


_DURATION: Final = "modelyard_inference_request_duration_seconds"
_SERIES: Final[Mapping[str, Any]] = {
    "error_rate": _ratio("model-failed"), "rejected_rate": _ratio("overloaded"),
    "request_rate": _rate, "latency_p50": _quantile(_DURATION, 0.5),
    "latency_p95": _quantile(_DURATION, 0.95), "latency_p99": _quantile(_DURATION, 0.99),
    "queue_p99": _quantile("modelyard_inference_queue_duration_seconds", 0.99),
    "saturation": _saturation, "drifted_outputs": _outputs,
}  # fmt: skip
