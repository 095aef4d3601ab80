"""What monitoring says of deployments, as gauges for Prometheus. Pure.

Only what alerts and overviews need: of each version the features that moved the most, not all of
them; everything else is in the yard's own pages. All servers of a yard say the same, so queries
take `max by (...)`, never sums.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from modelyard.core.exposition import Exposition
from modelyard.monitoring.quality.fairness import unfairness

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from modelyard.core.monitoring import Drift, Measured, Monitor, VersionMonitor

__all__ = ["FEATURES", "GAUGES", "MOST", "gauges"]

FEATURES: Final = 5
"""Features of a version whose drift is told: those that moved the most."""
MOST: Final = 300
"""Series of all deployments together; the worst come first."""
_GAPS: Final = 8
_OUTPUTS: Final = frozenset({"predictions", "scores"})
_RANK: Final = {"critical": 0, "warning": 1, "fine": 2, "quiet": 3}

GAUGES: Final = {
    "modelyard_feature_drift_score":
        "How far a feature moved: its main test over its threshold; 1 and more is suspected.",
    "modelyard_output_drift_score":
        "How far predictions or scores moved, as modelyard_feature_drift_score.",
    "modelyard_drifted_features": "Features that drifted in 2 of the last 3 windows.",
    "modelyard_realized_accuracy": "Part of the rows with known truth that were right.",
    "modelyard_estimated_accuracy":
        "Accuracy as the model's own scores let expect it; absent where that is not valid.",
    "modelyard_miss_rate": "Part of the positive rows that were missed.",
    "modelyard_false_alarm_rate": "Part of the negative rows that were called positive.",
    "modelyard_calibration_error": "How far probabilities are from what came true.",
    "modelyard_prediction_bias": "Mean of what was predicted minus what was true.",
    "modelyard_mean_absolute_error": "Of predicted numbers.",
    "modelyard_root_mean_square_error": "Of predicted numbers.",
    "modelyard_fairness_gap":
        "How differently groups are treated: 0 is fair; 1 - selection_rate_ratio, error_ratio - 1.",
    "modelyard_labelled_rows": "Rows of the window whose truth is known.",
    "modelyard_label_lag_seconds": "Time from an answer to its truth: the median.",
    "modelyard_alerts_firing": "Alerts that fire.",
}  # fmt: skip
"""Names and what they mean."""
_MEASURES: Final = {
    "accuracy": "modelyard_realized_accuracy",
    "miss_rate": "modelyard_miss_rate",
    "false_alarm_rate": "modelyard_false_alarm_rate",
    "calibration_error": "modelyard_calibration_error",
    "bias": "modelyard_prediction_bias",
    "mae": "modelyard_mean_absolute_error",
    "rmse": "modelyard_root_mean_square_error",
}


def gauges(monitors: Iterable[Monitor]) -> str:
    """Prometheus' text of what monitoring says; of the worst deployments if there are many."""
    told = Exposition()
    for name, words in GAUGES.items():
        told.begin(name, "gauge", words)
    for monitor in sorted(monitors, key=lambda one: (_RANK[one.verdict], one.deployment)):
        if told.samples >= MOST:
            break
        _alerts(told, monitor)
        for version in monitor.versions:
            _version(told, monitor.deployment, version)
    return told.text()


def _alerts(told: Exposition, monitor: Monitor) -> None:
    firing = Counter(alert.severity for alert in monitor.alerts if alert.state == "firing")
    for severity in ("warning", "critical"):
        labels = Exposition.labels(deployment=monitor.deployment, severity=severity)
        told.add("modelyard_alerts_firing", labels, firing[severity])


def _version(told: Exposition, deployment: str, version: VersionMonitor) -> None:
    of = {"deployment": deployment, "model": version.model, "version": version.number,
          "shadow": str(version.shadow).lower()}  # fmt: skip
    labels = Exposition.labels(**of)
    if version.drift:
        inputs = [drift for drift in version.drift if drift.column not in _OUTPUTS]
        outputs = [drift for drift in version.drift if drift.column in _OUTPUTS]
        told.add("modelyard_drifted_features", labels, sum(d.drifted for d in inputs))
        known = sorted((d for d in inputs if d.reason is None), key=lambda d: -d.score)
        for name, label, some in (
            ("modelyard_feature_drift_score", "feature", known[:FEATURES]),
            ("modelyard_output_drift_score", "output", outputs),
        ):
            for drift in some:
                if drift.reason is None:
                    about = {**of, label: drift.column, "test": _test(drift)}
                    told.add(name, Exposition.labels(**about), drift.score)
    for one in _overall(version.realized):
        if (name := _MEASURES.get(one.name, "")) and one.value is not None and one.valid:
            told.add(name, labels, one.value)
    for one in _overall(version.estimated):
        if one.name == "accuracy" and one.value is not None and one.valid:
            told.add("modelyard_estimated_accuracy", labels, one.value)
    for gap in version.fairness[:_GAPS]:
        if (value := unfairness(gap)) is not None:
            about = {**of, "metric": gap.metric, "group": gap.column}
            told.add("modelyard_fairness_gap", Exposition.labels(**about), value)
    if version.labelled:
        told.add("modelyard_labelled_rows", labels, version.labelled)
        if version.label_lag is not None:
            told.add("modelyard_label_lag_seconds", labels, version.label_lag)


def _overall(measured: Sequence[Measured]) -> list[Measured]:
    """Those that are not of one class alone; of those, the first of each name."""
    found: dict[str, Measured] = {}
    for one in measured:
        if one.label is None:
            found.setdefault(one.name, one)
    for one in measured:  # precision and the like of two classes are those of the second
        found.setdefault(one.name, one)
    return list(found.values())


def _test(drift: Drift) -> str:
    """The test that decides: its value over its threshold is the score."""
    decisive = [one for one in drift.scores if one.threshold]
    if not decisive:
        return drift.scores[0].test if drift.scores else ""
    return min(decisive, key=lambda one: abs(one.value / (one.threshold or 1) - drift.score)).test
