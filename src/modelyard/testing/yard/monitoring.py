"""Monitoring: what a yard says of deployments, and takes: references, truth, rules, silences."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from modelyard.core.deployment import DeploymentSpec, Share
from modelyard.errors import InvalidInput, NotFound
from modelyard.monitoring.evaluations import watch_evaluations
from modelyard.monitoring.opening import watch
from modelyard.testing.models import write_tree
from modelyard.testing.yard.case import YardCase, refused

if TYPE_CHECKING:
    from pathlib import Path

    from modelyard.core.watching import Monitoring
    from modelyard.core.yard import Yard

__all__ = ["MonitoringTests"]

ROWS = 400


class Threshold:
    """A model of our own: whether the first input is large."""

    def predict(self, inputs: Any) -> Any:
        return (np.asarray(inputs)[:, 0] > 0.5).astype(np.int64)


TRUSTED = (f"{Threshold.__module__}.Threshold",)


def rows() -> bytes:
    """Data with two inputs, the truth of which is nine times of ten what the model says."""
    rng = np.random.default_rng(8)
    lines = ["a,b,y"]
    for at, (a, b) in enumerate(rng.random((ROWS, 2))):
        truth = int(a > 0.5) if at % 10 else int(a <= 0.5)
        lines.append(f"{a:.4f},{b:.4f},{truth}")
    return ("\n".join(lines) + "\n").encode()


class MonitoringTests(YardCase):
    @pytest.fixture
    def watched(self, yard: Yard, tmp_path: Path) -> Monitoring:
        """A deployment `svc` of the only version of `m`, that nobody asked yet, and some data."""
        yard.commit("m", Threshold(), example=np.zeros((2, 2)))
        data = write_tree(tmp_path / "rows", {"rows.csv": rows()})
        yard.commit("data/rows", data, kind="dataset")
        shares = (Share(model="m", revision="1"),)
        yard.deployments.apply(DeploymentSpec(name="svc", shares=shares, trusted=TRUSTED))
        return watch(yard)

    # -- looking ---------------------------------------------------------------------------------

    def test_a_yard_without_deployments_has_nothing_to_watch(self, yard: Yard) -> None:
        watching = watch(yard)
        assert watching.fleet() == ()
        assert list(watching.anomalies()) == []
        assert list(watching.alerts()) == []
        assert watching.silences() == ()

    def test_what_nobody_asked_is_quiet(self, watched: Monitoring) -> None:
        (one,) = watched.fleet()
        assert (one.deployment, one.verdict, one.rate, one.alerts) == ("svc", "quiet", 0.0, 0)
        seen = watched.look("svc")
        assert (seen.deployment, seen.verdict, seen.alerts, seen.anomalies) == (
            "svc", "quiet", (), (),
        )  # fmt: skip
        assert timedelta(minutes=59) < seen.until - seen.since < timedelta(minutes=61)
        (version,) = seen.versions
        assert (version.model, version.number, version.percent) == ("m", 1, 100.0)
        assert version.performance.requests == 0
        assert version.performance.p99 is None

    def test_a_window_is_looked_at_as_it_is_asked_for(self, watched: Monitoring) -> None:
        until = datetime(2026, 1, 1, tzinfo=UTC)
        seen = watched.look("svc", since=until - timedelta(days=1), until=until)
        assert (seen.since, seen.until) == (until - timedelta(days=1), until)
        with refused(InvalidInput, "bad-window"):
            watched.look("svc", since=until, until=until - timedelta(days=1))

    def test_numbers_over_time_have_the_names_that_were_asked_for(
        self, watched: Monitoring
    ) -> None:
        found = watched.series("svc", ["requests", "latency_p99"], steps=10)
        assert {each.name for each in found} <= {"requests", "latency_p99"}
        for each in found:
            assert len(each.times) == len(each.values) <= 61
        with refused(InvalidInput, "no-series", hint=True):
            watched.series("svc", ["happiness"])

    def test_what_is_not_deployed_is_not_watched(self, watched: Monitoring) -> None:
        for call in (
            watched.look, watched.series, watched.rules,
            lambda name: watched.set_rules(name, "rules: {}"),
            lambda name: watched.silence(name, "errors"),
            lambda name: watched.feedback(name, [{"request": "a", "truth": 1}]),
            lambda name: list(watched.anomalies(name)), lambda name: list(watched.alerts(name)),
        ):  # fmt: skip
            with refused(NotFound, "no-deployment", hint=True):
                call("nobody")
        with refused(InvalidInput, "bad-name", hint=True):
            watched.look("No Name")

    # -- references ------------------------------------------------------------------------------

    def test_a_reference_is_made_of_a_dataset_and_kept(self, watched: Monitoring) -> None:
        with refused(NotFound, "no-profile", hint=True):
            watched.profile("m", 1)
        made = watched.make_profile("m", 1, "data/rows@1", target="y", trusted=TRUSTED)
        assert (made.model, made.number, made.rows, made.source) == ("m", 1, ROWS, "data")
        assert [column.name for column in made.schema.columns] == ["a", "b"]
        accuracy = next(each for each in made.measures if each.name == "accuracy")
        assert accuracy.value == pytest.approx(0.9)
        assert watched.profile("m", "latest") == made
        (version,) = watched.look("svc").versions
        assert version.reference == made

    def test_a_reference_needs_a_version_and_data_that_are_there(self, watched: Monitoring) -> None:
        with refused(NotFound, "no-version"):
            watched.make_profile("m", 9, "data/rows@1", trusted=TRUSTED)
        with refused(NotFound):
            watched.make_profile("m", 1, "data/none@1", trusted=TRUSTED)
        with refused(InvalidInput):
            watched.make_profile("m", 1, "data/rows@1", target="z", trusted=TRUSTED)
        with refused(NotFound, "no-profile"):
            watched.profile("m", 1)

    def test_a_file_of_this_machine_makes_a_reference_and_so_does_an_evaluation(
        self, yard: Yard, watched: Monitoring, tmp_path: Path
    ) -> None:
        file = tmp_path / "rows" / "rows.csv"
        watch_evaluations()
        yard.evaluate("m", 1, data=file, target="y", trusted=TRUSTED)
        left = watched.profile("m", 1)
        assert (left.source, left.rows, left.data) == ("evaluation", ROWS, "rows.csv")
        made = watched.make_profile("m", 1, file, target="y", trusted=TRUSTED)
        assert (made.source, made.rows) == ("data", ROWS)
        assert made.measures == left.measures
        yard.evaluate("m", 1, data=file, target="y", trusted=TRUSTED)
        assert watched.profile("m", 1) == made, "what somebody chose stays"

    # -- truth -----------------------------------------------------------------------------------

    def test_the_truth_of_what_nobody_asked_waits_for_a_while(self, watched: Monitoring) -> None:
        truths = [{"request": f"r{at}", "truth": at % 2} for at in range(5)]
        told = watched.feedback("svc", truths)
        assert (told.joined, told.unknown, told.late, told.conflicting) == (0, 5, 0, 0)
        nothing = watched.feedback("svc", [])
        assert (nothing.joined, nothing.unknown, nothing.problems) == (0, 0, ())

    # -- rules and silences ----------------------------------------------------------------------

    def test_rules_are_the_usual_ones_until_a_deployment_has_its_own(
        self, watched: Monitoring
    ) -> None:
        usual = watched.rules("svc")
        assert usual.source == "default"
        assert any(rule.signal == "error_rate" for rule in usual.rules)
        own = watched.set_rules("svc", "rules:\n  picky:\n    when: error_rate > 0.1%\n")
        assert own.source == "deployment"
        (picky,) = (rule for rule in own.rules if rule.name == "picky")
        assert (picky.signal, picky.op, picky.value) == ("error_rate", ">", 0.001)
        assert watched.rules("svc") == own
        assert watched.set_rules("svc", None) == usual

    def test_rules_that_say_nothing_are_refused_and_change_nothing(
        self, watched: Monitoring
    ) -> None:
        for text in (
            "[", "rules: 5", "other: {}", "rules: {a: {when: nothing > 1}}",
            "rules: {a: {when: error_rate}}",
        ):  # fmt: skip
            with refused(InvalidInput, "bad-rules"):
                watched.set_rules("svc", text)
        assert watched.rules("svc").source == "default"

    def test_a_silence_holds_until_it_is_ended(self, watched: Monitoring) -> None:
        made = watched.silence("svc", "errors", seconds=600, reason="we know")
        assert (made.deployment, made.rule, made.reason) == ("svc", "errors", "we know")
        assert timedelta(minutes=9) < made.until - datetime.now(UTC) < timedelta(minutes=11)
        assert [each.id for each in watched.silences()] == [made.id]
        watched.unsilence(made.id)
        assert watched.silences() == ()
        with refused(NotFound, "no-silence", hint=True):
            watched.unsilence(made.id)
        with refused(InvalidInput):
            watched.silence("svc", seconds=0)
