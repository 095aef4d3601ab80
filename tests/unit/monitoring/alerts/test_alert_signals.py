"""Facts say what is known of a deployment, under names that rules may use, and no more."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from modelyard.core.monitoring import (
    Anomaly,
    Drift,
    DriftScore,
    GroupGap,
    Measured,
    Monitor,
    Performance,
    ProfileInfo,
    Schema,
    VersionMonitor,
)
from modelyard.monitoring.alerts.signals import (
    FACT_SPANS,
    ONGOING,
    SIGNALS,
    facts_of_anomalies,
    facts_of_live,
    facts_of_monitor,
    facts_of_performance,
)

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def performance(**given: Any) -> Performance:
    return Performance(**{
        "requests": 100, "rows": 100, "errors": 7, "rejected": 3, "rate": 10.0,
        "outcomes": {"ok": 90, "model-failed": 7, "overloaded": 3}, "p50": 0.001, "p95": 0.004,
        "p99": 0.01, "phases": {"queue": (0.0, 0.0, 0.002)}, "batch": 1.5, "saturation": 0.1,
        "cold_starts": 0, **given,
    })  # fmt: skip


def version(**given: Any) -> VersionMonitor:
    return VersionMonitor(**{
        "model": "m", "number": 3, "percent": 100.0, "shadow": False, "performance": performance(),
        "reference": None, "drift": (), "columns": (), "realized": (), "estimated": (),
        "fairness": (), **given,
    })  # fmt: skip


def monitor(*versions: VersionMonitor, **given: Any) -> Monitor:
    return Monitor(deployment="svc", since=NOW, until=NOW, versions=versions, anomalies=(),
                   alerts=(), **given)  # fmt: skip


def drift(column: str, *, drifted: bool, score: float = 2.0, **given: Any) -> Drift:
    return Drift(column=column, kind="number", rows=1000, suspected=drifted, drifted=drifted,
                 scores=(DriftScore(test="psi", value=0.3),), score=score, **given)  # fmt: skip


def told(facts: list) -> dict:
    return {(fact.signal, fact.subject): fact.value for fact in facts}


def test_how_requests_went():
    found = told(facts_of_performance("svc", 3, performance()))
    assert found["error_rate", ""] == 0.07
    assert found["rejected_rate", ""] == 0.03
    assert found["latency_p99", ""] == 0.01
    assert found["queue_p99", ""] == 0.002
    assert all(SIGNALS[signal].fast for signal, _ in found)


def test_without_requests_only_their_rate_is_known():
    none = performance(requests=0, errors=0, rejected=0, outcomes={}, rate=0.0, p50=None, p95=None,
                       p99=None, phases={})  # fmt: skip
    assert told(facts_of_performance("svc", 3, none)) == {("request_rate", ""): 0.0}


def test_the_evidence_names_the_worst_outcomes():
    (fact,) = (f for f in facts_of_performance("svc", 3, performance()) if f.signal == "error_rate")
    assert fact.evidence["outcomes"] == {"model-failed": 7, "overloaded": 3}


@pytest.mark.parametrize(("a_second", "used"), [(5.0, 10.0), (1.0, 60.0), (0.1, 180.0)])
def test_live_facts_look_back_no_longer_than_they_must(a_second, used):
    asked = []

    def of_last(seconds):
        asked.append(seconds)
        return performance(requests=int(a_second * seconds))

    facts_of_live("svc", 3, of_last)
    assert asked[-1] == used
    assert set(asked) <= set(FACT_SPANS)


def test_drift_counts_columns_and_outputs_apart():
    seen = version(drift=(
        drift("age", drifted=True), drift("income", drifted=False, score=0.2),
        drift("predictions", drifted=True), drift("few", drifted=False, reason="too few rows"),
    ))  # fmt: skip
    found = told(facts_of_monitor(monitor(seen)))
    assert found["drifted_columns", ""] == 1
    assert found["drifted_outputs", ""] == 1
    assert found["drift_score", "age"] == 2.0
    assert ("drift_score", "few") not in found


@pytest.mark.parametrize(("rows", "told"), [(12, []), (3_000, [0.5])])
def test_the_range_of_a_few_rows_makes_no_violations(rows, told):
    reference = ProfileInfo(
        model="m", number=3, created=NOW, source="evaluation", rows=rows, data=None,
        data_digest=None, schema=Schema(columns=()),
    )  # fmt: skip
    moved = drift("age", drifted=False, violations={"out-of-range": 500})
    found = facts_of_monitor(monitor(version(reference=reference, drift=(moved,))))
    assert [fact.value for fact in found if fact.signal == "violation_rate"] == told


def test_no_reference_no_fact_of_drift():
    found = told(facts_of_monitor(monitor(version())))
    assert ("drifted_columns", "") not in found


def test_accuracy_is_lost_only_as_far_as_is_sure():
    measured = Measured(name="accuracy", value=0.9, low=0.88, high=0.92, rows=400, reference=0.95)
    found = told(facts_of_monitor(monitor(version(realized=(measured,)))))
    assert found["accuracy", ""] == 0.9
    assert found["accuracy_drop", ""] == pytest.approx(0.03)


def test_measures_of_one_class_speak_for_two_and_of_many_for_themselves():
    def recall(label, value):
        return Measured(name="recall", value=value, rows=10, label=label)

    def found(*some):
        return {
            subject: value
            for (signal, subject), value in told(
                facts_of_monitor(monitor(version(realized=some)))
            ).items()
            if signal == "recall"
        }

    assert found(recall("1", 0.8)) == {"": 0.8}
    assert found(recall("a", 0.8), recall("b", 0.7)) == {"a": 0.8, "b": 0.7}
    assert found(recall(None, 0.75), recall("a", 0.8), recall("b", 0.7)) == {"": 0.75}


def test_what_leaks_is_told_under_its_own_name():
    leak = Measured(name="membership_exposure", value=0.7, rows=500, estimated=True)
    found = told(facts_of_monitor(monitor(version(estimated=(leak,)))))
    assert found["membership_exposure", ""] == 0.7


def test_what_is_not_valid_is_no_fact():
    measured = Measured(name="accuracy", value=0.1, rows=400, estimated=True, valid=False,
                        reason="not calibrated", reference=0.9)  # fmt: skip
    found = told(facts_of_monitor(monitor(version(estimated=(measured,)))))
    assert not [signal for signal, _ in found if "accuracy" in signal]


def test_groups_that_fail_are_counted():
    groups = {"f": (0.2, 0.1, 0.3, 100), "m": (0.6, 0.5, 0.7, 150)}
    gap = GroupGap(metric="selection_rate_ratio", column="sex", value=0.33, worst="f", best="m",
                   groups=groups, fails=True)  # fmt: skip
    found = told(facts_of_monitor(monitor(version(fairness=(gap,)))))
    assert found["unfair_groups", ""] == 1


@pytest.mark.parametrize(
    ("metric", "value", "gap"),
    [("selection_rate_ratio", 0.8, 0.2), ("error_ratio", 1.5, 0.5), ("accuracy_gap", 0.1, 0.1),
     ("selection_rate_ratio", 1.0, 0.0), ("error_ratio", 1.0, 0.0)],
)  # fmt: skip
def test_whatever_the_measure_no_fairness_gap_is_zero(metric, value, gap):
    seen = GroupGap(metric=metric, column="sex", value=value, worst="f", best="m", groups={},
                    fails=False)  # fmt: skip
    found = told(facts_of_monitor(monitor(version(fairness=(seen,)))))
    assert found["fairness_gap", f"{metric} of sex"] == pytest.approx(gap)


def test_a_shadow_speaks_for_nobody():
    found = facts_of_monitor(monitor(version(shadow=True, drift=(drift("age", drifted=True),))))
    assert {fact.signal for fact in found} == {"dropped_rows"}


def test_every_fact_has_a_signal():
    measures = [
        Measured(name=name, value=0.5, rows=10, reference=0.6, estimated=estimated)
        for name in ("accuracy", "mae", "bias", "auc", "other")
        for estimated in (True, False)
    ]
    seen = version(drift=(drift("a", drifted=True, violations={"null": 10}),), label_lag=3.0,
                   labelled=5, realized=tuple(measures))  # fmt: skip
    for fact in facts_of_monitor(monitor(seen, dropped=4)):
        assert not SIGNALS[fact.signal].fast


def test_anomalies_go_on_for_a_minute():
    event = Anomaly(id=7, time=NOW, deployment="svc", kind="probing", severity="critical",
                    words="many", count=40)  # fmt: skip
    now = NOW.timestamp()
    assert told(facts_of_anomalies("svc", [event], now + ONGOING - 1)) == {
        ("anomalies", ""): 0, ("critical_anomalies", ""): 0, ("critical_anomalies", "probing"): 1
    }  # fmt: skip
    assert told(facts_of_anomalies("svc", [event], now + ONGOING + 1)) == {
        ("anomalies", ""): 0, ("critical_anomalies", ""): 0
    }  # fmt: skip
