"""How deployments are told of in a terminal."""

from __future__ import annotations

import dataclasses
import io
from contextlib import redirect_stdout

import pytest
from tests.unit.cli.monitored import fleet, monitor, series

from modelyard.cli.output import Output
from modelyard.cli.text import spark, width
from modelyard.cli.views.fleet import FeedbackView, FleetView, seconds
from modelyard.cli.views.monitoring import MonitorView
from modelyard.core.monitoring import FeedbackSummary, Monitor
from modelyard.core.wire import decode, encode


def told(view) -> str:
    with redirect_stdout(io.StringIO()) as stdout:
        Output().show(view)
    return stdout.getvalue()


def test_alerts_come_first_and_then_each_version():
    lines = told(MonitorView(monitor(), series())).splitlines()
    assert lines[0].startswith("fraud, critical, ")
    assert "error_rate is 0.31, more than 0.05" in lines[1]
    assert lines[3] == "risk/fraud@4  90 %"
    assert any("44,640 in all, 1,204 errors (2.7 %), 12 rejected" in line for line in lines)
    assert any("p50 1.2 ms, p95 3 ms, p99 41 ms" in line for line in lines)


def test_the_worst_column_comes_first_with_its_bar_and_what_broke_it():
    text = told(MonitorView(monitor()))
    assert "1 of 3 columns drifted, 1 suspected, compared with loans@3" in text
    amount = next(line for line in text.splitlines() if line.startswith("    amount"))
    assert "█" * 12 in amount
    assert "drifted" in amount
    assert "4,012 out-of-range" in amount
    assert "1 column can't be told yet" in text


def test_texts_that_are_no_categories_are_named():
    one = monitor()
    version = one.versions[0]
    drift = dataclasses.replace(version.drift[1], violations={"unknown-category": 35})
    columns = tuple(
        dataclasses.replace(each, others={"NL": 30, "BE": 5}) if each.column.kind == "category"
        else each for each in version.columns
    )  # fmt: skip
    version = dataclasses.replace(version, drift=(drift,), columns=columns)
    text = told(MonitorView(dataclasses.replace(one, versions=(version,))))
    assert "35 unknown-category (NL 30, BE 5)" in text


def test_what_is_not_to_be_believed_is_marked_and_says_why():
    line = next(x for x in told(MonitorView(monitor())).splitlines() if x.startswith("    auc"))
    assert "0.97 ?" in line
    assert "scores are not calibrated on the reference" in line


def test_a_version_without_requests_says_so():
    text = told(MonitorView(monitor()))
    assert "requests none in this window" in text
    assert "yard profile risk/fraud@5 --data" in text


def test_a_deployment_without_versions_is_told_in_one_line():
    assert len(told(MonitorView(dataclasses.replace(
        monitor(), versions=(), alerts=(), anomalies=(), dropped=0
    ))).splitlines()) == 1  # fmt: skip


def test_the_json_is_the_value_itself():
    assert decode(encode(MonitorView(monitor()).json()), Monitor) == monitor()


def test_names_of_columns_can_not_steer_the_terminal():
    one = monitor()
    version = one.versions[0]
    drift = dataclasses.replace(version.drift[0], column="a\x1b[2Jb")
    hostile = dataclasses.replace(
        one, versions=(dataclasses.replace(version, drift=(drift,)),)
    )  # fmt: skip
    text = told(MonitorView(hostile))
    assert "\x1b" not in text
    assert "a\\x1b[2Jb" in text


def test_the_fleet_is_one_line_each_with_a_small_picture():
    lines = told(FleetView(fleet())).splitlines()
    assert lines[1].startswith("fraud       critical")
    assert "▁▂▃▄▅█▃" in lines[1]
    assert "~0.970" in lines[2]
    assert "estimated without truth" in lines[3]
    assert told(FleetView(())) == "no deployments\n"


def test_feedback_tells_what_became_of_each_truth():
    text = told(FeedbackView("fraud", FeedbackSummary(
        joined=4210, late=3, duplicate=10, unknown=12, conflicting=1, problems=("no row 3",)
    )))  # fmt: skip
    assert text.startswith("4,210 joined with answers of fraud\n")
    for word in ("10  known already", "1  conflicting", "3  late", "12  unknown", "! no row 3"):
        assert word in text


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, "-"), (0.00042, "420 us"), (0.0012, "1.2 ms"), (3.4, "3.4 s"), (190.0, "3.17 min"),
     (7300.0, "2.03 h"), (260_000.0, "3.01 d")],
)  # fmt: skip
def test_times_are_told_in_the_unit_that_people_would_take(value, words):
    assert seconds(value) == words


@pytest.mark.parametrize(
    ("values", "drawn"),
    [((), ""), ((0.0, 0.0), "▁▁"), ((0, 4, None, 8), "▁▅ █"), ((float(2**70), 1.0), "█▁")],
)
def test_a_line_of_bars_is_as_high_as_its_largest_value(values, drawn):
    assert spark(values) == drawn


@pytest.mark.parametrize("count", [1, 23, 24, 25, 100, 1000])
def test_a_line_of_bars_is_never_longer_than_its_cells(count):
    assert 0 < width(spark([1.0] * count, cells=24)) <= 24
