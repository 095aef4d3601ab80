"""Dashboards as plain values: what is shown, and the question to Prometheus behind it. Pure.

Counts of several servers are added; what monitoring says is the same on all of them, and of
several the largest is taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from modelyard.monitoring import performance

__all__ = ["BOARDS", "ERRORS", "REJECTED", "Board", "Panel", "Query"]

ERRORS: Final = "|".join(sorted(performance.ERRORS))
REJECTED: Final = "|".join(sorted(performance.REJECTED))
Kind = Literal["stat", "lines", "bars", "table", "heatmap"]


@dataclass(frozen=True, slots=True)
class Query:
    """One expression, and what its series are called."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture."""

    title: str
    words: str
    queries: tuple[Query, ...]
    unit: str = "short"
    """As Grafana calls it: `s`, `reqps`, `percentunit`, `bytes`."""
    kind: Kind = "lines"
    width: int = 8
    """Of 24."""
    limits: tuple[float, float] | None = None
    """From where on it is yellow, and red; where the second is smaller, low is bad."""


@dataclass(frozen=True, slots=True)
class Board:
    """One dashboard."""

    uid: str
    title: str
    words: str
    rows: tuple[tuple[str, tuple[Panel, ...]], ...]
    """Panels below their headings."""
    one: bool = True
    """Whether it is of one deployment, which is chosen above it."""


def _rate(name: str, labels: str = "") -> str:
    return f"rate(modelyard_{name}{{{labels}}}[$__rate_interval])"


def _share(of: str, by: str, labels: str = "") -> str:
    """Requests with some outcomes, of all of them."""
    before = f"{labels}," if labels else ""
    some = _rate("inference_requests_total", f'{before}outcome=~"{of}"')
    every = _rate("inference_requests_total", labels)
    total = f"sum by ({by})" if by else "sum"
    return f"{total} ({some}) / ({total} ({every}) > 0)"


def _quantile(q: float, name: str, by: str, labels: str = "") -> str:
    buckets = _rate(f"inference_{name}_duration_seconds_bucket", labels)
    return f"histogram_quantile({q}, sum by (le, {by}) ({buckets}))"


_LIVE: Final = 'shadow="false"'
_OF: Final = 'deployment="$deployment",version=~"$version"'

FLEET: Final = Board(
    uid="modelyard-fleet", title="modelyard: all deployments", one=False,
    words="How all deployments of a yard do, worst first.",
    rows=(
        ("Now", (
            Panel("Requests", "Answered and refused, a second.", (
                Query(f"sum({_rate('inference_requests_total', _LIVE)})"),),
                "reqps", "stat", 4),
            Panel("Errors", "Part of the requests that a model or the server failed.", (
                Query(_share(ERRORS, "", _LIVE)),),
                "percentunit", "stat", 4, (0.001, 0.01)),
            Panel("Slowest p99", "Of the deployment that is slowest.", (
                Query(f"max({_quantile(0.99, 'request', 'deployment', _LIVE)})"),),
                "s", "stat", 4),
            Panel("Alerts", "That fire, warnings and critical ones.", (
                Query("sum(max by (deployment, severity) (modelyard_alerts_firing))"),),
                "short", "stat", 4, (1, 3)),
            Panel("Drifted features", "Of all versions that answer.", (
                Query("sum(max by (deployment, version) (modelyard_drifted_features))"),),
                "short", "stat", 4, (1, 5)),
            Panel("Versions awake", "Loaded, on all servers.", (
                Query("sum(modelyard_model_awake)"),), "short", "stat", 4),
        )),
        ("Traffic", (
            Panel("Requests", "A second, by deployment.", (
                Query(f"sum by (deployment) ({_rate('inference_requests_total', _LIVE)})",
                      "{{deployment}}"),), "reqps"),
            Panel("Errors", "Part of the requests that failed, by deployment.", (
                Query(_share(ERRORS, "deployment", _LIVE), "{{deployment}}"),),
                "percentunit", limits=(0.001, 0.01)),
            Panel("Refused", "Overloaded, late, too many: by deployment.", (
                Query(_share(REJECTED, "deployment", _LIVE), "{{deployment}}"),), "percentunit"),
            Panel("Latency, p99", "By deployment.", (
                Query(_quantile(0.99, "request", "deployment", _LIVE), "{{deployment}}"),), "s"),
            Panel("In flight", "Requests that are being answered.", (
                Query("sum by (deployment) (modelyard_inference_in_flight)", "{{deployment}}"),)),
            Panel("Waiting rows", "That wait or are computed.", (
                Query("sum by (deployment) (modelyard_inference_waiting_rows)",
                      "{{deployment}}"),)),
        )),
        ("Quality", (
            Panel("Alerts", "That fire, by deployment.", (
                Query("sum by (deployment) (max by (deployment, severity)"
                      " (modelyard_alerts_firing))", "{{deployment}}"),), kind="bars"),
            Panel("Accuracy", "From truth; where none is known, as scores let expect it.", (
                Query("max by (deployment, version) (modelyard_realized_accuracy)"
                      " or max by (deployment, version) (modelyard_estimated_accuracy)",
                      "{{deployment}} {{version}}"),), "percentunit"),
            Panel("Drifted features", "By deployment and version.", (
                Query("max by (deployment, version) (modelyard_drifted_features)",
                      "{{deployment}} {{version}}"),)),
            Panel("Anomalies", "Found in the last hour, by kind.", (
                Query("sum by (deployment, kind)"
                      " (increase(modelyard_anomaly_events_total[1h]))",
                      "{{deployment}} {{kind}}"),), kind="bars", width=12),
            Panel("What answers", "Versions, and what they are.", (
                Query("max by (deployment, model, version, format, mode, digest)"
                      " (modelyard_model_info)"),), kind="table", width=12),
        )),
        ("Servers", (
            Panel("Requests to pages and API", "A second, by part.", (
                Query("sum by (area) (rate(modelyard_http_request_duration_seconds_count"
                      "[$__rate_interval]))", "{{area}}"),), "reqps"),
            Panel("Memory", "Of each process.", (
                Query("process_resident_memory_bytes", "{{instance}}"),), "bytes"),
            Panel("Not monitored", "Requests that monitoring could not take, a second.", (
                Query(f"sum by (instance) ({_rate('monitor_dropped_rows_total')})",
                      "{{instance}}"),), "reqps", limits=(0.1, 10)),
        )),
    ),
)  # fmt: skip

DEPLOYMENT: Final = Board(
    uid="modelyard-deployment", title="modelyard: a deployment",
    words="Rate, errors, latency and saturation of one deployment, by version.",
    rows=(
        ("Traffic", (
            Panel("Requests", "A second, by version.", (
                Query(f"sum by (version, shadow) ({_rate('inference_requests_total', _OF)})",
                      "{{version}} shadow={{shadow}}"),), "reqps"),
            Panel("Outcomes", "A second, by what became of them.", (
                Query(f"sum by (outcome) ({_rate('inference_requests_total', _OF)})",
                      "{{outcome}}"),), "reqps"),
            Panel("Errors and refusals", "Part of the requests.", (
                Query(_share(ERRORS, "version", _OF), "{{version}} failed"),
                Query(_share(REJECTED, "version", _OF), "{{version}} refused")),
                "percentunit", limits=(0.001, 0.01)),
            Panel("Rows", "Predicted, a second.", (
                Query(f"sum by (version) ({_rate('inference_rows_total', _OF)})",
                      "{{version}}"),), "rowsps"),
            Panel("Shares", "Part of the requests that each version gets: rollouts.", (
                Query(f"max by (version, shadow) (modelyard_deployment_share_ratio{{{_OF}}})",
                      "{{version}} shadow={{shadow}}"),), "percentunit"),
            Panel("What answers", "Versions, and what they are.", (
                Query("max by (model, version, format, mode, digest)"
                      f" (modelyard_model_info{{{_OF}}})"),), kind="table"),
        )),
        ("Latency", (
            Panel("Latency", "Half, 95 of 100 and 99 of 100 are faster.", tuple(
                Query(_quantile(q, "request", "version", _OF), f"{{{{version}}}} p{q * 100:g}")
                for q in (0.5, 0.95, 0.99)), "s"),
            Panel("Phases, p99", "Waiting, reading, computing, writing.", tuple(
                Query(_quantile(0.99, phase, "deployment", _OF), phase)
                for phase in ("queue", "preprocess", "predict", "postprocess")), "s"),
            Panel("Phases, mean", "Where the time of a request goes.", tuple(
                Query(f"sum({_rate(f'inference_{phase}_duration_seconds_sum', _OF)}) /"
                      f" (sum({_rate(f'inference_{phase}_duration_seconds_count', _OF)}) > 0)",
                      phase)
                for phase in ("queue", "preprocess", "predict", "postprocess")), "s"),
            Panel("Latency, all of it", "Requests by how long they took.", (
                Query(f"sum by (le) (increase(modelyard_inference_request_duration_seconds_bucket"
                      f"{{{_OF}}}[$__rate_interval]))", "{{le}}"),), "s", "heatmap", 24),
        )),
        ("Saturation", (
            Panel("In flight", "Requests that are being answered.", (
                Query(f"sum by (version) (modelyard_inference_in_flight{{{_OF}}})",
                      "{{version}}"),)),
            Panel("Waiting rows", "That wait or are computed.", (
                Query(f"sum by (version) (modelyard_inference_waiting_rows{{{_OF}}})",
                      "{{version}}"),)),
            Panel("Time waited", "In queues, of the time of all requests.", (
                Query(f"sum by (version) ({_rate('inference_queue_duration_seconds_sum', _OF)}) /"
                      " (sum by (version)"
                      f" ({_rate('inference_request_duration_seconds_sum', _OF)}) > 0)",
                      "{{version}}"),), "percentunit"),
            Panel("Batch size", "Rows computed together, in the mean.", (
                Query(f"sum by (version) ({_rate('inference_batch_size_sum', _OF)}) /"
                      f" (sum by (version) ({_rate('inference_batch_size_count', _OF)}) > 0)",
                      "{{version}}"),)),
            Panel("Cold starts", "Requests that waited for a version, in an hour.", (
                Query("sum by (version)"
                      f" (increase(modelyard_inference_cold_starts_total{{{_OF}}}[1h]))",
                      "{{version}}"),)),
            Panel("Loaded", "Processes in which a version is awake.", (
                Query(f"sum by (version) (modelyard_model_awake{{{_OF}}})", "{{version}}"),)),
        )),
    ),
)  # fmt: skip

DRIFT: Final = Board(
    uid="modelyard-quality", title="modelyard: drift and quality",
    words="Whether a deployment is still right: drift, accuracy, fairness, anomalies.",
    rows=(
        ("Drift", (
            Panel("Features that moved the most", "1 and more: surely moved, and enough to"
                  " matter.", (
                Query("max by (version, feature)"
                      f" (modelyard_feature_drift_score{{{_OF}}})",
                      "{{version}} {{feature}}"),), limits=(0.8, 1), width=12),
            Panel("Predictions and scores", "How far they moved.", (
                Query(f"max by (version, output) (modelyard_output_drift_score{{{_OF}}})",
                      "{{version}} {{output}}"),), limits=(0.8, 1), width=6),
            Panel("Drifted features", "In 2 of the last 3 windows.", (
                Query(f"max by (version) (modelyard_drifted_features{{{_OF}}})",
                      "{{version}}"),), limits=(1, 5), width=6),
            Panel("Violations", "Values missing, not finite, out of range or unknown, a second.", (
                Query("sum by (version, kind)"
                      f" ({_rate('data_quality_violations_total', _OF)})",
                      "{{version}} {{kind}}"),), "ops", width=12),
            Panel("Anomalies", "Found in an hour, by kind.", (
                Query("sum by (kind) (increase(modelyard_anomaly_events_total"
                      '{deployment="$deployment"}[1h]))', "{{kind}}"),), kind="bars", width=12),
        )),
        ("Quality", (
            Panel("Accuracy", "From truth, and as scores let expect it.", (
                Query(f"max by (version) (modelyard_realized_accuracy{{{_OF}}})",
                      "{{version}} from truth"),
                Query(f"max by (version) (modelyard_estimated_accuracy{{{_OF}}})",
                      "{{version}} expected")), "percentunit"),
            Panel("Missed, false alarms", "Of two classes.", (
                Query(f"max by (version) (modelyard_miss_rate{{{_OF}}})", "{{version}} missed"),
                Query(f"max by (version) (modelyard_false_alarm_rate{{{_OF}}})",
                      "{{version}} false alarms")), "percentunit"),
            Panel("Bias and calibration", "Predicted minus true; probabilities against truth.", (
                Query(f"max by (version) (modelyard_prediction_bias{{{_OF}}})",
                      "{{version}} bias"),
                Query(f"max by (version) (modelyard_calibration_error{{{_OF}}})",
                      "{{version}} calibration"))),
            Panel("Fairness", "How differently groups are treated.", (
                Query(f"max by (version, metric, group) (modelyard_fairness_gap{{{_OF}}})",
                      "{{version}} {{metric}} {{group}}"),), width=12),
            Panel("Truth", "Rows whose truth is known.", (
                Query(f"max by (version) (modelyard_labelled_rows{{{_OF}}})", "{{version}}"),),
                width=6),
            Panel("Lag of truth", "From an answer to its truth: the median.", (
                Query(f"max by (version) (modelyard_label_lag_seconds{{{_OF}}})",
                      "{{version}}"),), "s", width=6),
            Panel("Alerts", "That fire.", (
                Query("max by (severity) (modelyard_alerts_firing"
                      '{deployment="$deployment"})', "{{severity}}"),), kind="bars", width=24),
        )),
    ),
)  # fmt: skip

BOARDS: Final = (FLEET, DEPLOYMENT, DRIFT)
"""All dashboards."""
