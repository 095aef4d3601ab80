"""Answers that can't be right; and rows that show it, without what is redacted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
from tests.unit.monitoring.anomalies.requests import BEGUN, Data

from modelyard.monitoring.anomalies.evidence import shown
from modelyard.monitoring.anomalies.watchman import Watchman
from modelyard.monitoring.profiles import profile_from_rows
from modelyard.monitoring.rows import Rows

if TYPE_CHECKING:
    from modelyard.core.monitoring import Anomaly


@pytest.fixture(scope="module")
def data() -> Data:
    return Data()


def told(watchman: Watchman, data: Data, rows: Rows, seconds: int = 1) -> list[Anomaly]:
    found = []
    for second in range(seconds):
        watchman.rows(1, rows, data.profile)
        found += watchman.tick(BEGUN + second + 0.5)
    return found


def test_a_single_answer_that_is_no_number_is_told(data: Data) -> None:
    rows = data.rows(data.some(1000))
    assert rows.scores is not None
    rows.scores[17] = np.nan
    (anomaly,) = told(Watchman("svc"), data, rows)
    assert (anomaly.kind, anomaly.severity, anomaly.count) == ("not-finite-output", "warning", 1)
    (row,) = anomaly.evidence["rows"]
    assert row["request"] == "r17"
    assert row["scores"] == ["nan", "nan"]


def test_many_answers_that_are_no_numbers_are_critical(data: Data) -> None:
    rows = data.rows(data.some(100))
    assert rows.scores is not None
    rows.scores[::2] = np.inf
    (anomaly,) = told(Watchman("svc"), data, rows)
    assert (anomaly.severity, anomaly.count) == ("critical", 50)
    assert len(anomaly.evidence["rows"]) == 3


def test_answers_that_stay_the_same_whatever_is_asked_are_told(data: Data) -> None:
    watchman = Watchman("svc")
    assert told(watchman, data, data.rows(data.some(500)), 5) == []
    stuck = data.rows(data.some(250), scores=np.tile([0.3, 0.7], (250, 1)))
    (anomaly, *_) = told(watchman, data, stuck, 2)
    assert (anomaly.kind, anomaly.severity) == ("constant-output", "critical")


def test_the_same_question_again_and_again_has_the_same_answer(data: Data) -> None:
    rows = data.rows(np.tile(data.some(1), (250, 1)))
    assert told(Watchman("svc"), data, rows, 20) == []


def test_a_class_that_is_rare_may_not_come_for_long() -> None:
    random = np.random.default_rng(0)
    points = random.normal(size=(3000, 3))
    label = (random.random(3000) < 0.005).astype(np.int64)
    columns = {f"c{i}": points[:, i] for i in range(3)}
    profile = profile_from_rows(columns, {"label": label}, task="classification", classes=[0, 1])
    watchman = Watchman("svc")
    for second in range(8):
        rows = Rows(profile.schema, 250, random.normal(size=(250, 3)),
                    labels=np.zeros(250, np.int32))  # fmt: skip
        watchman.rows(1, rows, profile)
        assert watchman.tick(BEGUN + second) == []


def test_values_far_beyond_the_references_are_told() -> None:
    random = np.random.default_rng(0)
    points = random.normal(size=(3000, 3))
    columns = {f"c{i}": points[:, i] for i in range(3)}
    profile = profile_from_rows(columns, {"y": points @ [1.0, 2.0, 3.0]}, task="regression")
    watchman = Watchman("svc")
    values = points[:500] @ [1.0, 2.0, 3.0]
    rows = Rows(profile.schema, 500, points[:500], values=values)
    watchman.rows(1, rows, profile)
    assert watchman.tick(BEGUN) == []
    watchman.rows(1, Rows(profile.schema, 500, points[:500], values=values * 40), profile)
    (anomaly,) = watchman.tick(BEGUN + 1)
    assert anomaly.kind == "out-of-range-output"
    assert anomaly.evidence["rows"][0]["value"] == pytest.approx(
        float(anomaly.evidence["rows"][0]["value"])
    )


def test_labels_that_are_none_of_the_classes_are_told(data: Data) -> None:
    rows = data.rows(data.some(200))
    assert rows.labels is not None
    rows.labels[:20] = -1
    (anomaly,) = told(Watchman("svc"), data, rows)
    assert (anomaly.kind, anomaly.count) == ("out-of-range-output", 20)
    assert anomaly.evidence["rows"][0]["label"] is None


def test_evidence_can_be_written_as_json(data: Data) -> None:
    rows = data.rows(data.some(100) * [np.nan, 1, np.inf, 1, 1, 1, 1, 1])
    assert rows.scores is not None
    rows.scores[:] = np.nan
    (anomaly,) = told(Watchman("svc"), data, rows)
    assert msgspec.json.decode(msgspec.json.encode(anomaly.evidence)) == anomaly.evidence


# -- redacted ------------------------------------------------------------------------------------


def test_what_is_redacted_is_in_no_evidence(data: Data) -> None:
    rows = data.rows(data.some(50))
    assert rows.scores is not None
    rows.scores[:] = np.nan
    (anomaly,) = told(Watchman("svc", ["c3"]), data, rows)
    inputs = anomaly.evidence["rows"][0]["inputs"]
    assert inputs["c3"] == "redacted"
    assert isinstance(inputs["c4"], float)


def test_a_tensor_that_is_redacted_hides_all_its_elements(data: Data) -> None:
    columns = tuple(
        replace(column, name=f"input[{i}]") for i, column in enumerate(data.profile.schema.columns)
    )
    rows = data.rows(data.some(5))
    rows.schema = replace(rows.schema, columns=columns)
    (row,) = shown(rows, [0], frozenset({"input"}))
    assert set(row["inputs"].values()) == {"redacted"}


def test_a_redacted_name_that_is_no_column_hides_all_values(data: Data) -> None:
    rows: Any = data.rows(data.some(5))
    assert shown(rows, [0, 1], frozenset({"probability"})) == []
    assert len(shown(rows, [0, 1], frozenset())) == 2


def test_what_is_redacted_later_is_hidden_from_then_on(data: Data) -> None:
    rows = data.rows(data.some(50))
    assert rows.scores is not None
    rows.scores[:] = np.nan
    watchman = Watchman("svc")
    watchman.rows(1, rows, data.profile)
    watchman.redact = ["c3"]
    assert watchman.redact == {"c3"}
    (anomaly,) = watchman.tick(BEGUN)
    assert "rows" not in anomaly.evidence  # those that were kept are gone
    later = [one for i in range(70) for one in watchman.tick(BEGUN + i)]
    assert later == []
    watchman.rows(1, rows, data.profile)
    (anomaly,) = watchman.tick(BEGUN + 100)
    assert anomaly.evidence["rows"][0]["inputs"]["c3"] == "redacted"
