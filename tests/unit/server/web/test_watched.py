"""What pages of monitoring show: windows, lines of charts, versions, measures side by side."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from modelyard.core.deployment import DeploymentChange, DeploymentSpec, Share
from modelyard.core.monitoring import (
    Alert,
    Drift,
    Measured,
    Monitor,
    Performance,
    Series,
    VersionMonitor,
)
from modelyard.errors import InvalidInput, NotFound
from modelyard.server.web.watched import (
    SERIES,
    Window,
    alert_lines,
    charts_of,
    chosen,
    features_of,
    happened,
    qualities_of,
    steps_of,
    versions_of,
    window_of,
)

NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
SPEC = DeploymentSpec(
    name="risk",
    shares=(
        Share(model="a/net", revision="prod", percent=90, number=4),
        Share(model="a/net", revision="5", percent=10, number=5),
        Share(model="a/net", revision="6", percent=20, number=6, shadow=True),
    ),
)


def _version(number: int, **more: object) -> VersionMonitor:
    nothing = Performance(
        requests=0, rows=0, errors=0, rejected=0, outcomes={}, rate=0.0, p50=None, p95=None,
        p99=None, phases={}, batch=None, saturation=0.0, cold_starts=0,
    )  # fmt: skip
    told = {
        "model": "a/net", "number": number, "percent": 0.0, "shadow": False,
        "performance": nothing, "reference": None, "drift": (), "columns": (), "realized": (),
        "estimated": (), "fairness": (), **more,
    }  # fmt: skip
    return VersionMonitor(**told)  # type: ignore[arg-type]


def _monitor(*versions: VersionMonitor) -> Monitor:
    return Monitor(
        deployment="risk", since=NOW, until=NOW, versions=versions, anomalies=(), alerts=()
    )


def _series(name: str, number: int | None, *values: float | None) -> Series:
    times = tuple(60.0 * at for at in range(len(values)))
    return Series(name=name, number=number, unit="1", times=times, values=values)


def test_a_named_window_ends_now_and_goes_on() -> None:
    window = window_of("6h", None, None)
    assert window.is_live
    assert window.until - window.since == timedelta(hours=6)
    assert datetime.now(UTC) - window.until < timedelta(seconds=5)


def test_a_window_out_of_a_chart_stays_where_it_is() -> None:
    window = window_of("1h", 1_795_000_000, 1_795_000_900)
    assert not window.is_live
    assert (window.until - window.since).total_seconds() == 900
    since, until = window.wider
    assert until - since == pytest.approx(1800, abs=2)
    assert window_of("1h", 1_795_000_000, 1_795_000_001).since.timestamp() == 1_794_999_941


@pytest.mark.parametrize(
    ("name", "since", "until"),
    [("2h", None, None), ("", None, None), ("1h", 10.0, 5.0), ("1h", -5.0, 5.0), ("1h", 0.0, 9e9),
     ("1h", 1e300, 2e300)],
)  # fmt: skip
def test_a_window_that_is_none_is_refused(
    name: str, since: float | None, until: float | None
) -> None:
    with pytest.raises(InvalidInput) as refused:
        window_of(name, since, until)
    assert refused.value.kind == "bad-window"


def test_versions_come_with_what_they_are_in_the_deployment() -> None:
    found = versions_of(_monitor(*map(_version, (3, 6, 5, 4))), SPEC)
    assert [(one.name, one.kind) for one in found] == [
        ("a/net@4", "stable"), ("a/net@5", "canary"), ("a/net@6", "shadow"), ("a/net@3", "former"),
    ]  # fmt: skip
    assert chosen(found, "") == found[0]
    assert chosen(found, "a/net@6") == found[2]
    assert chosen((), "") is None
    with pytest.raises(NotFound):
        chosen(found, "a/net@77")


def test_charts_show_all_together_or_version_against_version() -> None:
    found = versions_of(_monitor(_version(4), _version(5)), SPEC)
    series = [
        _series(name, number, 1.0, None, 3.0)
        for name in ("requests", "latency_p50", "latency_p99", "error_rate")
        for number in (None, 4, 5)
    ]
    together = {one.name: one for one in charts_of(series, found, by_version=False)}
    assert [line.name for line in together["latency"].lines] == ["latency_p50", "latency_p99"]
    assert {line.number for line in together["rate"].lines} == {None}
    assert set(together) == {"rate", "latency", "errors", "saturation"}
    apart = {one.name: one for one in charts_of(series, found, by_version=True)}
    assert [(line.name, line.number, line.kind) for line in apart["latency"].lines] == [
        ("latency_p99", 4, "stable"), ("latency_p99", 5, "canary"),
    ]  # fmt: skip


def test_quality_over_time_is_of_the_version_that_is_shown() -> None:
    found = versions_of(_monitor(_version(4), _version(5)), SPEC)
    series = [
        _series("accuracy", 4, 0.9), _series("accuracy", 5, 0.8),
        _series("estimated_accuracy", 4, None),
    ]  # fmt: skip
    shown = [one for one in charts_of(series, found[::-1], by_version=False)
             if one.name == "accuracy"]  # fmt: skip
    assert [line.values for chart in shown for line in chart.lines] == [(0.8,)]


def test_series_that_are_asked_for_are_known() -> None:
    from modelyard.monitoring.seeing_series import NAMES

    assert {name for names in SERIES.values() for name in names} <= set(NAMES)


def test_charts_are_a_table_too_with_few_rows() -> None:
    values = [float(at) for at in range(120)]
    charts = charts_of([_series("requests", None, *values)], (), by_version=False)
    steps = steps_of(charts)
    assert len(steps) <= 24
    assert steps[0].values == (119.0,)
    assert steps[0].time > steps[-1].time


def test_what_is_known_last_is_told() -> None:
    (chart, *_) = charts_of([_series("requests", None, 1.0, 2.0, None)], (), by_version=False)
    assert chart.lines[0].last == 2.0


def test_measures_stand_side_by_side() -> None:
    accuracy = Measured(name="accuracy", value=0.9, reference=0.95)
    guess = Measured(name="accuracy", value=0.91, estimated=True)
    alone = Measured(name="recall", label="yes", value=0.7)
    version = _version(4, realized=(accuracy, alone), estimated=(guess,))
    told = qualities_of(version)
    assert [(one.name, one.label, one.reference) for one in told] == [
        ("accuracy", None, 0.95), ("recall", "yes", None),
    ]  # fmt: skip
    assert told[0].estimated == guess
    (found,) = versions_of(_monitor(version), SPEC)
    assert (found.accuracy, found.estimated) == (0.9, 0.91)


def test_a_column_without_a_picture_is_told_of() -> None:
    drift = Drift(
        column="embedding", kind="vector", rows=9, scores=(), suspected=False, drifted=False,
        score=0.0,
    )  # fmt: skip
    (feature,) = features_of(_version(4, drift=(drift,)))
    assert feature.window is None


def test_changes_within_the_window_are_marked() -> None:
    def change(generation: int, minutes: int) -> DeploymentChange:
        when = NOW - timedelta(minutes=minutes)
        return DeploymentChange(
            generation=generation, time=when, who="Ann <a@b.c>", action="deploy", spec=SPEC
        )

    window = Window("1h", NOW - timedelta(hours=1), NOW)
    found = happened([change(4, -5), change(3, 10), change(2, 50), change(1, 90)], window)
    assert [(one.generation, one.who) for one in found] == [(2, "Ann"), (3, "Ann")]


def test_alerts_are_told_in_the_unit_of_their_signal() -> None:
    alert = Alert(
        id=1, deployment="risk", rule="errors", severity="critical", state="firing", since=NOW,
        until=None, value=0.125, threshold=0.05, words="", evidence={"signal": "error_rate"},
    )  # fmt: skip
    (line,) = alert_lines([alert])
    assert (line.value, line.limit) == ("12.5 %", "5 %")
