"""What monitoring says, as gauges and counters."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse
from tests.services.prometheus import installed, promtool

from modelyard.core.monitoring import (
    Alert,
    Anomaly,
    Column,
    Drift,
    DriftScore,
    GroupGap,
    Measured,
    Monitor,
    Performance,
    Schema,
    VersionMonitor,
)
from modelyard.monitoring.export.counted import ANOMALIES, Counted
from modelyard.monitoring.export.metrics import FEATURES, GAUGES, MOST, gauges
from modelyard.monitoring.folding import new_tile

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = datetime(2026, 11, 22, tzinfo=UTC)
PERFORMANCE = Performance(
    requests=100, rows=100, errors=0, rejected=0, outcomes={"ok": 100}, rate=1.0, p50=0.001,
    p95=0.002, p99=0.003, phases={}, batch=1.0, saturation=0.0, cold_starts=0,
)  # fmt: skip


def drift(column: str, score: float) -> Drift:
    scores = (DriftScore(test="psi", value=score * 0.1, threshold=0.1),
              DriftScore(test="ks", value=0.01, threshold=0.1))  # fmt: skip
    return Drift(
        column=column, kind="number", rows=1000, scores=scores, suspected=score >= 1,
        drifted=score >= 1, score=score,
    )  # fmt: skip


def version(number: int = 1) -> VersionMonitor:
    return VersionMonitor(
        model="flowers/iris", number=number, percent=100.0, shadow=False, performance=PERFORMANCE,
        reference=None,
        drift=(drift("predictions", 0.2), *(drift(f"x{n}", 3 - n / 10) for n in range(20))),
        columns=(),
        realized=(Measured(name="accuracy", value=0.9), Measured(name="miss_rate", value=0.2),
                  Measured(name="recall", value=0.8, label="b")),
        estimated=(Measured(name="accuracy", value=0.88, estimated=True),),
        fairness=(GroupGap(metric="selection_rate_ratio", column="sex", value=0.7, worst="f",
                           best="m", groups={}, fails=True),),
        label_lag=12.5, labelled=50,
    )  # fmt: skip


def monitor(*versions: VersionMonitor, name: str = "iris", firing: bool = False) -> Monitor:
    alert = Alert(
        id=1, deployment=name, rule="accuracy", severity="critical", state="firing", since=NOW,
        until=None, value=0.5, threshold=0.8, words="",
    )  # fmt: skip
    return Monitor(
        deployment=name, since=NOW, until=NOW, versions=versions, anomalies=(),
        alerts=(alert,) if firing else (),
    )  # fmt: skip


def values(text: str, name: str) -> dict[str, float]:
    """By the last label."""
    (family,) = [each for each in parse(text) if each.name == name]
    return {list(s.labels.values())[-1]: s.value for s in family.samples}


def test_only_the_features_that_moved_the_most_are_told() -> None:
    text = gauges([monitor(version())])
    (family,) = [each for each in parse(text) if each.name == "modelyard_feature_drift_score"]
    assert [s.labels["feature"] for s in family.samples] == [f"x{n}" for n in range(FEATURES)]
    assert {s.labels["test"] for s in family.samples} == {"psi"}, "the test that decides"
    assert 'modelyard_output_drift_score{deployment="iris"' in text
    assert values(text, "modelyard_drifted_features") == {"false": 20}


def test_quality_is_told_by_its_names() -> None:
    text = gauges([monitor(version(), firing=True)])
    assert values(text, "modelyard_realized_accuracy") == {"false": 0.9}
    assert values(text, "modelyard_estimated_accuracy") == {"false": 0.88}
    assert values(text, "modelyard_miss_rate") == {"false": 0.2}
    assert values(text, "modelyard_fairness_gap") == {"sex": pytest.approx(0.3)}
    assert values(text, "modelyard_label_lag_seconds") == {"false": 12.5}
    assert values(text, "modelyard_alerts_firing") == {"warning": 0, "critical": 1}


def test_an_estimate_that_is_not_valid_is_not_told() -> None:
    wrong = Measured(name="accuracy", value=0.9, estimated=True, valid=False, reason="drift")
    text = gauges([monitor(replace(version(), estimated=(wrong,)))])
    assert "modelyard_estimated_accuracy{" not in text


def test_series_are_bounded_and_the_worst_come_first() -> None:
    many = [monitor(version(), version(2), name=f"d{n:03}", firing=n == 77) for n in range(100)]
    lines = [line for line in gauges(many).splitlines() if not line.startswith("#")]
    assert len(lines) < MOST + 50
    assert any('deployment="d077"' in line for line in lines)


def test_promtool_finds_nothing_to_object_to(require: Callable[[str, object], None]) -> None:
    require("prometheus", installed())
    counted = Counted()
    counted.traffic("iris", "flowers/iris", 1, {0: new_tile(Schema(columns=()))})
    text = gauges([monitor(version())]) + counted.text(["iris"])
    assert {family.name for family in parse(text)} <= {
        *GAUGES, "modelyard_anomaly_events", "modelyard_data_quality_violations",
    }  # fmt: skip
    assert promtool("check", "metrics", text=text) == (0, "")


def anomaly(number: int, kind: str = "probing") -> Anomaly:
    return Anomaly(id=number, time=NOW, deployment="iris", kind=kind, severity="warning", words="")


def test_an_anomaly_that_lasts_is_counted_once() -> None:
    counted = Counted()
    counted.anomalies([anomaly(1), anomaly(2, "overload")])
    counted.anomalies([anomaly(1), anomaly(3)])
    found = values(counted.text(["iris", "other"]), "modelyard_anomaly_events_total"[:-6])
    assert (found["probing"], found["overload"]) == (0, 0), "of `other`, which comes last"
    assert set(found) == set(ANOMALIES)
    text = counted.text(["iris"])
    assert 'modelyard_anomaly_events_total{deployment="iris",kind="probing"} 2' in text


def test_violations_grow_with_the_tile_and_start_anew_with_another() -> None:
    counted, tile = Counted(), new_tile(Schema(columns=(Column(name="x", kind="number"),)))
    for nulls, total in ((3, 3), (5, 5), (1, 6)):  # the last is of a tile that was begun anew
        tile.numbers[0].nulls = nulls
        counted.traffic("iris", "flowers/iris", 1, {60: tile})
        found = values(counted.text(), "modelyard_data_quality_violations")
        assert found["null"] == total
