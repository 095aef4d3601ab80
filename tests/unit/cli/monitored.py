"""A deployment with trouble of each kind, by hand."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from modelyard.core.monitoring import (
    Alert,
    Anomaly,
    Column,
    ColumnWindow,
    Drift,
    DriftScore,
    GroupGap,
    Measured,
    Monitor,
    Overview,
    Performance,
    ProfileInfo,
    Schema,
    Series,
    VersionMonitor,
)

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def monitor():
    amount = Column(name="amount", kind="number", edges=(1.0, 5.0, 20.0, 80.0), low=0.0, high=100.0)
    country = Column(name="country", kind="category", categories=("DE", "FR", "US"))
    schema = Schema(
        columns=(amount, country),
        task="classification",
        classes=("bad", "good"),
        groups=("country",),
    )
    info = ProfileInfo(
        model="risk/fraud",
        number=4,
        created=NOW,
        source="data",
        rows=5000,
        data="loans@3",
        data_digest="ab",
        schema=schema,
        measures=(Measured(name="accuracy", value=0.95, rows=5000),),
    )
    perf = Performance(
        requests=44640,
        rows=44640,
        errors=1204,
        rejected=12,
        outcomes={"ok": 43424, "failed": 1204, "overloaded": 12},
        rate=12.4,
        p50=0.0012,
        p95=0.003,
        p99=0.041,
        phases={
            "queue": (0.0001, 0.0002, 0.0004),
            "preprocess": (0.00002, 0.0001, 0.0002),
            "predict": (0.0009, 0.002, 0.03),
            "postprocess": (0.00001, 0.00002, 0.0001),
        },
        batch=2.5,
        saturation=0.13,
        cold_starts=1,
    )
    drift = (
        Drift(
            column="amount",
            kind="number",
            rows=44640,
            scores=(
                DriftScore(test="psi", value=0.31, threshold=0.1, p=1e-9),
                DriftScore(test="ks", value=0.2),
                DriftScore(test="js", value=0.12),
                DriftScore(test="wasserstein", value=3.2),
            ),
            suspected=True,
            drifted=True,
            score=3.1,
            violations={"null": 120, "out-of-range": 4012},
        ),
        Drift(
            column="country",
            kind="category",
            rows=44640,
            scores=(DriftScore(test="psi", value=0.12, threshold=0.1),),
            suspected=True,
            drifted=False,
            score=1.2,
        ),
        Drift(
            column="predictions",
            kind="category",
            rows=44640,
            scores=(DriftScore(test="psi", value=0.01, threshold=0.1),),
            suspected=False,
            drifted=False,
            score=0.1,
        ),
        Drift(
            column="age",
            kind="number",
            rows=12,
            scores=(),
            suspected=False,
            drifted=False,
            score=0.0,
            reason="too few rows: 12",
        ),
    )
    realized = (
        Measured(name="accuracy", value=0.912, low=0.90, high=0.924, rows=4210, reference=0.95),
        Measured(name="miss_rate", value=0.14, low=0.1, high=0.17, rows=900, reference=0.05),
        Measured(name="recall", value=0.86, rows=900, label="good"),
    )
    estimated = (
        Measured(
            name="accuracy",
            value=0.931,
            low=0.92,
            high=0.94,
            rows=44640,
            estimated=True,
            reference=0.95,
        ),
        Measured(
            name="auc",
            value=0.97,
            rows=44640,
            estimated=True,
            valid=False,
            reason="scores are not calibrated on the reference",
        ),
    )
    fairness = (
        GroupGap(
            metric="selection_rate_ratio",
            column="country",
            value=0.62,
            worst="FR",
            best="US",
            groups={
                "DE": (0.3, 0.28, 0.32, 4000),
                "FR": (0.2, 0.18, 0.22, 4000),
                "US": (0.32, 0.3, 0.34, 4000),
            },
            fails=True,
        ),
    )
    columns = (
        ColumnWindow(
            column=amount,
            counts=(10, 20, 300, 400, 500),
            reference=(100, 100, 100, 100, 100),
            mean=40.0,
            std=12.0,
            reference_mean=20.0,
            reference_std=10.0,
        ),
        ColumnWindow(column=country, counts=(100, 300, 500, 2), reference=(200, 200, 200, 0)),
    )
    version = VersionMonitor(
        model="risk/fraud",
        number=4,
        percent=90.0,
        shadow=False,
        performance=perf,
        reference=info,
        drift=drift,
        columns=columns,
        realized=realized,
        estimated=estimated,
        fairness=fairness,
        label_lag=190.0,
        labelled=4210,
        notes=("near-duplicates of training rows: 0.2 %",),
    )
    quiet = VersionMonitor(
        model="risk/fraud",
        number=5,
        percent=10.0,
        shadow=False,
        performance=Performance(
            requests=0,
            rows=0,
            errors=0,
            rejected=0,
            outcomes={},
            rate=0.0,
            p50=None,
            p95=None,
            p99=None,
            phases={},
            batch=None,
            saturation=0.0,
            cold_starts=0,
        ),
        reference=None,
        drift=(),
        columns=(),
        realized=(),
        estimated=(),
        fairness=(),
    )
    alert = Alert(
        id=3,
        deployment="fraud",
        rule="errors",
        severity="critical",
        state="firing",
        since=NOW - timedelta(minutes=9),
        until=None,
        value=0.31,
        threshold=0.05,
        words="error_rate is 0.31, more than 0.05",
        number=4,
    )
    anomaly = Anomaly(
        id=7,
        time=NOW - timedelta(minutes=20),
        deployment="fraud",
        kind="extraction",
        severity="warning",
        words="client ab12 asks for near-duplicates: 812 of 900 rows",
        client="ab12",
        evidence={"rows": 900},
        count=3,
    )
    return Monitor(
        deployment="fraud",
        since=NOW - timedelta(hours=1),
        until=NOW,
        versions=(version, quiet),
        anomalies=(anomaly,),
        alerts=(alert,),
        dropped=3,
    )


def series():
    times = tuple(NOW.timestamp() - 3600 + 150 * i for i in range(24))
    return tuple(
        Series(
            name=name,
            number=4,
            unit=unit,
            times=times,
            values=tuple(None if i == 3 else scale * (1 + math.sin(i / 3)) for i in range(24)),
        )
        for name, unit, scale in (
            ("requests", "1/s", 12.0),
            ("errors", "1/s", 0.3),
            ("latency_p50", "s", 0.001),
            ("latency_p99", "s", 0.04),
            ("drift.amount", "1", 1.5),
            ("accuracy", "1", 0.45),
            ("estimated_accuracy", "1", 0.46),
        )
    )


def fleet():
    return (
        Overview(
            deployment="fraud",
            models=("risk/fraud@4", "risk/fraud@5"),
            verdict="critical",
            rate=12.4,
            error_rate=0.027,
            p99=0.041,
            drifted=1,
            accuracy=0.912,
            accuracy_estimated=False,
            alerts=1,
            anomalies=1,
            rates=(1, 2, 3, 4, 5, 9, 3),
            errors=(0,) * 7,
            latencies=(None, 0.1),
            drifts=(1.0,),
        ),
        Overview(
            deployment="digits",
            models=("vision/digits@1",),
            verdict="quiet",
            rate=0.0,
            error_rate=0.0,
            p99=None,
            drifted=0,
            accuracy=0.97,
            accuracy_estimated=True,
            alerts=0,
            anomalies=0,
        ),
    )
