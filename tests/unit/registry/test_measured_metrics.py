"""What evaluations found is told wherever a version's metrics are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from modelyard.core.evaluation import LEARNED
from modelyard.registry import create

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

pytest.importorskip("sklearn")

from sklearn import datasets, linear_model

LATENCY = {
    "p50": 1.5, "p95": 2.0, "p99": 3.0, "asked": 10, "batch_rows": 5, "batch_p50": 1.0,
    "batch_p95": 1.0, "batch_p99": 1.0, "rows_per_second": 1000.0,
}  # fmt: skip


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Any]:
    with create(tmp_path / "yard") as made:
        for number in (1, 2):
            (tmp_path / "rows.txt").write_text(f"version {number}")
            metrics = {"accuracy": 0.95} if number == 2 else {"loss": 0.5}
            made.commit("a/m", tmp_path / "rows.txt", metrics=metrics)
        yield made


def keep(yard: Any, number: int, accuracy: float, **more: Any) -> None:
    content: Mapping[str, Any] = {"measures": [{"name": "accuracy", "value": accuracy}], **more}
    yard.keep_report("a/m", number, "evaluation", content, suite="classification")


def changes(yard: Any) -> dict[str, tuple[Any, Any]]:
    return {each.name: (each.old, each.new) for each in yard.diff("a/m@1", "a/m@2").metrics}


def test_a_difference_knows_what_an_evaluation_found(yard: Any) -> None:
    assert changes(yard) == {"accuracy": (None, 0.95), "loss": (0.5, None)}
    keep(yard, 1, 0.6118)
    assert changes(yard) == {"accuracy": (0.6118, 0.95), "loss": (0.5, None)}
    assert "accuracy 0.6118 -> 0.95" in yard.diff("a/m@1", "a/m@2").text


def test_what_only_one_of_two_was_evaluated_for_is_no_difference(yard: Any) -> None:
    keep(yard, 1, 0.6, notes=["as it is"])
    yard.keep_report(
        "a/m", 1, "evaluation", {"measures": [{"name": "f1", "value": 0.5}]}, suite="classification"
    )
    assert "f1" not in changes(yard)


def test_a_comparison_has_the_latency_that_an_earlier_proof_measured(yard: Any) -> None:
    for number in (1, 2):
        keep(yard, number, 0.9, latency=LATENCY)
        keep(yard, number, 0.9)
    for each in yard.compare("a/m", [1, 2]).evaluations:
        assert each.latency is not None
        assert each.latency.p50 == 1.5


def test_a_latency_of_another_machine_is_not_taken_over(yard: Any) -> None:
    for number in (1, 2):
        keep(yard, number, 0.9, latency=LATENCY, environment={"platform": "other"})
        keep(yard, number, 0.9)
    assert all(each.latency is None for each in yard.compare("a/m", [1, 2]).evaluations)


@pytest.fixture
def flowers(yard: Any, tmp_path: Path) -> Path:
    data, target = datasets.load_iris(return_X_y=True, as_frame=True)
    path = tmp_path / "iris.csv"
    data.assign(species=target).to_csv(path, index=False)
    data.assign(species=target).iloc[::2].to_csv(tmp_path / "half.csv", index=False)
    line = linear_model.LogisticRegression(max_iter=500).fit(data, target)
    yard.commit("a/line", line, example=data[:5], data=path)
    yard.commit(
        "a/line", line, example=data[:5], data={"train": path, "test": tmp_path / "half.csv"}
    )
    return path


def test_whoever_measures_on_the_rows_of_the_training_is_told(yard: Any, flowers: Path) -> None:
    assert LEARNED in yard.evaluate("a/line", 1, data=flowers, target="species").notes
    half = flowers.with_name("half.csv")
    assert LEARNED not in yard.evaluate("a/line", 1, data=half, target="species").notes


def test_rows_that_were_kept_for_a_test_were_not_learned_from(yard: Any, flowers: Path) -> None:
    half = flowers.with_name("half.csv")
    assert LEARNED not in yard.evaluate("a/line", 2, data=half, target="species").notes
    assert LEARNED in yard.evaluate("a/line", 2, data=flowers, target="species").notes
