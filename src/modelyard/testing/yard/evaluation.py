"""Evaluations: kept, found by, compared, and the best chosen without taking chance for skill."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from modelyard.errors import Conflict, InvalidInput, NotFound
from modelyard.testing.yard.case import Desk, YardCase, refused

if TYPE_CHECKING:
    from pathlib import Path

    from modelyard.core.yard import Yard

__all__ = ["Bench", "EvaluationTests"]

ROWS = 2000
EXPLANATION = {
    "model": "m", "number": 1, "data": "", "digest": "", "rows": 2, "seed": 0, "score": "output",
    "baseline": 0.0, "importances": [{"feature": "a", "mean": 1.5, "deviation": 0.0}],
    "dependences": [],
}  # fmt: skip


class Bench:
    """Commits versions whose answers are made up, and keeps evaluations of them."""

    def __init__(self, yard: Yard, desk: Desk) -> None:
        self.yard = yard
        self.desk = desk
        rng = np.random.default_rng(7)
        self.truth = rng.integers(0, 2, ROWS)
        self.hardness = rng.random(ROWS)

    def data(self, name: str = "test.csv") -> Path:
        """A file that stands for the data."""
        path = self.desk.folder().parent / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"a,y\n1,{name}\n")
        return path

    def version(self, content: bytes = b"", **rest: Any) -> int:
        """A version that nobody has measured."""
        made = self.desk.commit(content or self.desk.folder().name.encode(), **rest)
        return made.number

    def answers(self, skill: float, seed: int) -> np.ndarray:
        """Labels that are right about as often as `skill` says; hard rows are hard for all."""
        noise = np.random.default_rng(seed).normal(scale=0.02, size=ROWS)
        wrong = self.hardness + noise > skill
        return np.where(wrong, 1 - self.truth, self.truth)

    def measure(
        self, number: int, label: np.ndarray, data: Path, **content: Any
    ) -> float:  # fmt: skip
        """Keep an evaluation of these labels; gives the accuracy."""
        accuracy = float((label == self.truth).mean())
        spread = 1.96 * float(np.sqrt(accuracy * (1 - accuracy) / ROWS))
        measure = {
            "name": "accuracy", "value": accuracy, "low": accuracy - spread,
            "high": accuracy + spread,
        }  # fmt: skip
        told = {"measures": [measure], "target": "y", "rows": ROWS, "labels": ["n", "y"], **content}
        outcomes = {"truth": self.truth.astype("u1"), "label": label.astype("u1")}
        self.yard.keep_report(
            "m", number, "evaluation", told,
            data=data, suite="classification", outcomes=outcomes,
        )  # fmt: skip
        return accuracy

    def measured(self, skill: float, data: Path, **content: Any) -> int:
        """A version of some skill."""
        number = self.version()
        self.measure(number, self.answers(skill, number), data, **content)
        return number


class EvaluationTests(YardCase):
    @pytest.fixture
    def bench(self, yard: Yard, desk: Desk) -> Bench:
        return Bench(yard, desk)

    # -- kept --------------------------------------------------------------------------------------

    def test_an_evaluation_is_kept_with_its_version(self, yard: Yard, bench: Bench) -> None:
        number, data = bench.version(), bench.data()
        accuracy = bench.measure(number, bench.answers(0.9, 1), data)
        (found,) = yard.evaluations("m", number)
        measure = found.measure("accuracy")
        assert measure is not None
        assert measure.value == accuracy
        assert measure.low is not None
        assert measure.low < accuracy
        assert (found.number, found.suite, found.data, found.target) == (
            number, "classification", "test.csv", "y",
        )  # fmt: skip
        assert len(found.data_digest) == 64
        assert [each.id for each in yard.evaluations("m")] == [found.id]

    def test_measures_are_metrics_and_the_latest_evaluation_wins(
        self, yard: Yard, bench: Bench
    ) -> None:
        number = bench.version(metrics={"accuracy": 0.1, "other": 3.0})
        bench.measure(number, bench.answers(0.8, 1), bench.data())
        latest = bench.measure(number, bench.answers(0.9, 2), bench.data("other.csv"))
        assert yard.resolve("m", number).metrics == {"accuracy": latest, "other": 3.0}
        assert [v.number for v in yard.search("metric.accuracy>0.85").items] == [number]
        assert yard.search("metric.accuracy<0.85").items == ()

    def test_reports_come_newest_first_and_by_kind(self, yard: Yard, bench: Bench) -> None:
        first, second = bench.version(), bench.version()
        yard.keep_report("m", first, "explanation", EXPLANATION)
        yard.keep_report("m", second, "profile", {"columns": []}, data=bench.data())
        bench.measure(first, bench.answers(0.9, 1), bench.data())
        assert [r.kind for r in yard.reports("m")] == ["evaluation", "profile", "explanation"]
        assert [r.kind for r in yard.reports("m", first)] == ["evaluation", "explanation"]
        (found,) = yard.reports("m", kind="explanation")
        assert (found.number, found.content, found.data) == (first, EXPLANATION, "")

    def test_what_is_no_report_is_refused(self, yard: Yard, bench: Bench) -> None:
        number = bench.version()
        for kind, content in (
            ("gossip", {}),
            ("evaluation", {}),
            ("evaluation", {"measures": [{"name": "accuracy"}]}),
            ("evaluation", {"measures": [{"name": "a", "value": 1.0}], "slices": "many"}),
            ("evaluation", {"measures": [{"name": "a", "value": "0.9"}]}),
            ("evaluation", {"measures": [{"name": "a", "value": float("nan")}]}),
            ("evaluation", {"measures": [{"name": "a", "value": 0.9}], "rows": "2"}),
            ("explanation", {"importance": {"a": 1.5}}),
            ("explanation", {**EXPLANATION, "baseline": float("inf")}),
            ("explanation", {**EXPLANATION, "importances": [{"feature": "a"}]}),
            ("profile", {"a": [{"b": float("nan")}]}),
            ("profile", {"a": object()}),
        ):
            with refused(InvalidInput, "bad-report"):
                yard.keep_report("m", number, kind, content)
        with refused(NotFound, "no-version"):
            yard.keep_report("m", 99, "profile", {})
        assert list(yard.reports("m")) == []

    def test_reports_of_a_deleted_version_come_back_with_it_unless_purged(
        self, yard: Yard, bench: Bench
    ) -> None:
        kept, gone = bench.measured(0.9, bench.data()), bench.measured(0.8, bench.data())
        yard.delete_version("m", gone)
        assert [e.number for e in yard.evaluations("m")] == [kept]
        yard.restore("m", gone)
        assert [e.number for e in yard.evaluations("m")] == [gone, kept]
        yard.delete_version("m", gone, purge=True)
        yard.gc()
        assert [e.number for e in yard.evaluations("m")] == [kept]

    # -- compared ----------------------------------------------------------------------------------

    def test_a_clear_difference_is_called_one(self, yard: Yard, bench: Bench) -> None:
        data = bench.data()
        weak, strong = bench.measured(0.8, data), bench.measured(0.9, data)
        found = yard.compare("m", [weak, strong])
        assert (found.metric, found.leader) == ("accuracy", strong)
        (pair,) = found.pairs
        assert (pair.a, pair.b, pair.significant, pair.test) == (strong, weak, True, "McNemar")
        assert pair.difference < 0
        assert pair.low is not None
        assert pair.high is not None
        assert pair.low <= pair.difference <= pair.high < 0
        assert "worse" in pair.verdict

    def test_chance_is_called_no_significant_difference(self, yard: Yard, bench: Bench) -> None:
        data = bench.data()
        numbers = [bench.measured(0.85, data) for _ in range(3)]
        found = yard.compare("m", numbers)
        assert not any(pair.significant for pair in found.pairs)
        assert all("no significant difference" in pair.verdict for pair in found.pairs)
        assert "no significant difference" in found.sentence

    def test_what_was_not_measured_alike_is_not_compared(self, yard: Yard, bench: Bench) -> None:
        one, other = bench.measured(0.8, bench.data()), bench.measured(0.9, bench.data("b.csv"))
        fresh = bench.version()
        with refused(NotFound, "not-evaluated", hint=True) as caught:
            yard.compare("m", [one, fresh])
        assert f"yard evaluate m@{fresh}" in str(caught.value.hint)
        with refused(InvalidInput, "different-data", hint=True):
            yard.compare("m", [one, other])
        with refused(InvalidInput, "too-few-versions"):
            yard.compare("m", [one, one])
        bench.measure(other, bench.answers(0.9, 5), bench.data())
        assert yard.compare("m", [one, other]).leader == other
        with refused(InvalidInput, "no-metric", hint=True):
            yard.compare("m", [one, other], metric="rmse")

    def test_other_targets_suites_and_groups_are_other_measurements(
        self, yard: Yard, bench: Bench
    ) -> None:
        data = bench.data()
        one, other = bench.measured(0.8, data), bench.measured(0.9, data, target="z")
        with refused(InvalidInput, "different-data", hint=True) as caught:
            yard.compare("m", [one, other])
        assert "classification of z" in str(caught.value)
        bench.measure(other, bench.answers(0.9, 5), data)
        bench.measure(one, bench.answers(0.99, 6), data, target="z", group="q")
        assert yard.compare("m", [one, other]).leader == other
        found = yard.best("m", metric="accuracy", data=str(data))
        assert [number for number, _ in found.ranking] == [other, one]
        assert "classification of y" in found.sentence
        third = bench.measured(0.99, data, target="z")
        found = yard.best("m", metric="accuracy")
        assert {number for number, _ in found.ranking} in ({one, other}, {other, third})
        assert len(found.excluded) == 1
        assert "measured in another way" in found.excluded[0].reason

    def test_rows_that_labels_do_not_explain_are_not_tested(self, yard: Yard, bench: Bench) -> None:
        data = bench.data()
        one, other = bench.measured(0.8, data), bench.measured(0.9, data, labels=["n"])
        (pair,) = yard.compare("m", [one, other]).pairs
        assert pair.test == "intervals"
        third = bench.measured(0.7, data, labels=["y", "n", "x"])
        (pair,) = yard.compare("m", [one, third]).pairs
        assert pair.test == "McNemar"

    def test_data_is_known_by_its_content(self, yard: Yard, bench: Bench) -> None:
        data, strange = bench.data(), bench.data("strange.csv")
        one, other = bench.measured(0.8, data), bench.measured(0.9, data)
        bench.version(metrics={"accuracy": 0.99})
        digest = yard.best("m", metric="accuracy").data_digest
        copy = data.parent / "elsewhere.csv"
        copy.write_bytes(data.read_bytes())
        for told in (str(data), str(copy), digest, "test.csv"):
            assert yard.best("m", metric="accuracy", data=told).winner == other
            assert yard.compare("m", [one, other], data=told).leader == other
        for told in (str(strange), "data/none@3", "0" * 64):
            with refused(NotFound, "not-evaluated", hint=True):
                yard.best("m", metric="accuracy", data=told)
            with refused(NotFound, "not-evaluated", hint=True):
                yard.compare("m", [one, other], data=told)

    # -- chosen ------------------------------------------------------------------------------------

    def test_the_best_of_fifty_is_found(self, yard: Yard, bench: Bench) -> None:
        data = bench.data()
        skills = [0.80] * 50
        skills[31] = 0.9
        numbers = [bench.measured(skill, data) for skill in skills]
        found = yard.best("m", metric="accuracy", alias="champion")
        assert (found.winner, found.tied) == (numbers[31], ())
        assert found.ranking[0][0] == numbers[31]
        assert len(found.ranking) == 50
        assert yard.resolve("m", "champion").number == numbers[31]

    def test_a_tie_is_not_called_a_win(self, yard: Yard, bench: Bench) -> None:
        data = bench.data()
        weak = bench.measured(0.7, data)
        equals = [bench.measured(0.88, data) for _ in range(3)]
        found = yard.best("m", metric="accuracy")
        assert found.winner is None
        assert found.tied
        assert {found.leader, *found.tied} <= set(equals)
        assert "not significantly worse" in found.sentence
        assert "best" not in found.sentence
        assert weak not in found.tied

    def test_in_a_tie_the_alias_stays_or_goes_to_the_smallest(
        self, yard: Yard, bench: Bench
    ) -> None:
        data = bench.data()
        large, small = bench.version(b"x" * 5000), bench.version(b"x")
        for number in (large, small):
            bench.measure(number, bench.answers(0.9, number), data)
        found = yard.best("m", metric="accuracy", alias="champion")
        assert (found.winner, found.points_at) == (None, small)
        assert "smallest" in found.sentence
        yard.alias("m", "champion", large)
        found = yard.best("m", metric="accuracy", alias="champion")
        assert found.points_at == large
        assert yard.resolve("m", "champion").number == large
        assert len(list(yard.reflog("m", "champion"))) == 2

    def test_conditions_exclude_and_say_why(self, yard: Yard, bench: Bench) -> None:
        data = bench.data()
        speed = {"p50": 9.0, "p95": 9.0, "p99": 9.0, "asked": 1, "batch_rows": 1, "batch_p50": 1.0,
                 "batch_p95": 1.0, "batch_p99": 1.0, "rows_per_second": 1.0}  # fmt: skip
        slow = bench.measured(0.95, data, latency=speed)
        large = bench.version(b"x" * 3_000_000)
        bench.measure(large, bench.answers(0.94, 2), data, latency={**speed, "p50": 1.0})
        other = bench.version(params={"C": 5.0})
        bench.measure(other, bench.answers(0.93, 3), data, latency={**speed, "p50": 1.0})
        good = bench.version(params={"C": 0.5}, labels={"use": "test"})
        bench.measure(good, bench.answers(0.9, 4), data, latency={**speed, "p50": 1.0})
        fresh = bench.version(params={"C": 0.1})
        found = yard.best(
            "m", metric="accuracy",
            where="size<1MB latency_p50<5ms params.C<1 label:use=test accuracy>=80%",
        )  # fmt: skip
        assert (found.winner, found.leader) == (good, good)
        reasons = {each.number: each.reason for each in found.excluded}
        assert set(reasons) == {slow, large, other, fresh}
        assert "latency_p50 is 9 ms" in reasons[slow]
        assert "size is 3.0 MB" in reasons[large]
        assert "params.C" in reasons[other]
        assert "not evaluated on" in reasons[fresh]
        with refused(NotFound, "nothing-fits", hint=True):
            yard.best("m", metric="accuracy", where="size<1B")
        for bad in ("size<many", "latency_p50<5kB", "sort:size", "wat:x"):
            with refused(InvalidInput, "bad-query", hint=True):
                yard.best("m", metric="accuracy", where=bad)

    def test_committed_metrics_decide_where_nothing_was_evaluated(
        self, yard: Yard, bench: Bench
    ) -> None:
        for value in (0.7, 0.9, 0.8):
            bench.version(metrics={"accuracy": value, "happiness": value})
        bench.version()
        found = yard.best("m", metric="accuracy", alias="champion")
        assert (found.leader, found.winner, found.points_at) == (2, None, None)
        assert "nobody can tell" in found.sentence
        assert "champion is not set" in found.sentence
        with refused(NotFound, "no-version"):
            yard.resolve("m", "champion")
        yard.alias("m", "champion", 1)
        assert yard.best("m", metric="accuracy", alias="champion").points_at == 1
        assert [each.number for each in found.excluded] == [4]
        with refused(InvalidInput, "metric-direction", hint=True):
            yard.best("m", metric="happiness")
        assert yard.best("m", metric="happiness", higher=True).leader == 2
        assert yard.best("m", metric="happiness", higher=False).leader == 1

    def test_what_nobody_measured_has_no_best(self, yard: Yard, bench: Bench) -> None:
        bench.version()
        with refused(NotFound, "not-evaluated", hint=True):
            yard.best("m", metric="accuracy")
        bench.measured(0.9, bench.data())
        with refused(NotFound, "not-evaluated"):
            yard.best("m", metric="rmse")
        with refused(Conflict, "ref-exists"):
            yard.best("m", metric="accuracy", alias="main")
