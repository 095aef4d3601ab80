"""Optimizations: recipes that were run, their trials, and what came of them, are kept."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from modelyard.core.evaluation import Measure
from modelyard.core.optimization import (
    Candidate,
    Constraint,
    Goal,
    PassDone,
    Recipe,
    Step,
    Trial,
    Verdict,
)
from modelyard.errors import Conflict, InvalidInput, NotFound
from modelyard.testing.yard.case import Desk, YardCase, refused

if TYPE_CHECKING:
    from modelyard.core.optimization import OptimizationState
    from modelyard.core.yard import Yard

__all__ = ["OptimizationTests"]

RECIPE = Recipe(
    name="small",
    steps=(
        Step("prune", {"sparsity": [0.5, 0.9]}, optional=True),
        Step("quantize", {"kind": "static", "bits": {"low": 4, "high": 8}}),
    ),
    goals=(Goal.parse("quality max"), Goal.parse("size min")),
    constraints=(Constraint.parse("quality_drop<=0.005"), Constraint.parse("size<=5MB")),
    data="data/digits@1", target="label", seed=7, trials=12, seconds=90.0,
    description="smaller, and as good",
)  # fmt: skip
"""One that uses all that a recipe can say."""


def trial(number: int, **rest: object) -> Trial:
    """One that ended well."""
    done = PassDone(
        name="prune", params={"sparsity": 0.5}, seconds=1.5, before={"quality": 0.9},
        after={"quality": 0.89}, notes=("half of it is zero",),
        changed=({"layer": "fc1", "change": 0.25, "sparsity": 0.5, "shape": [10, 3]},),
    )  # fmt: skip
    made = Trial(
        number=number, params={"0.prune.sparsity": 0.5, "1.quantize": False}, state="done",
        values={"quality": 0.89, "size": 1234.0}, steps=(done,),
        excess={"quality_drop<=0.005": 0.005}, scores={"epoch 1": 0.75}, seconds=2.0,
        digest="ab" * 32, on_front=True,
    )  # fmt: skip
    return replace(made, **rest)  # type: ignore[arg-type]


class OptimizationTests(YardCase):
    @pytest.fixture
    def improved(self, yard: Yard, desk: Desk) -> Yard:
        """A model `m` with two versions."""
        desk.commit(b"one")
        desk.commit(b"two")
        return yard

    def test_what_begins_is_kept(self, improved: Yard) -> None:
        kept = improved.optimizations
        made = kept.begin("m", 1, RECIPE, engine="ray", alias="candidate")
        assert (made.model, made.number, made.state, made.title) == ("m", 1, "running", "m@1")
        assert (made.engine, made.alias, made.done) == ("ray", "candidate", 0)
        assert made.recipe == RECIPE
        assert made.who
        assert kept.get(made.id) == made
        assert kept.trials(made.id) == ()

    def test_the_latest_version_is_improved_if_none_is_named(self, improved: Yard) -> None:
        assert improved.optimizations.begin("m", None, RECIPE).number == 2

    def test_a_version_that_is_not_there_is_not_improved(self, improved: Yard) -> None:
        with refused(NotFound, "no-version"):
            improved.optimizations.begin("m", 9, RECIPE)
        with refused(NotFound, "no-model"):
            improved.optimizations.begin("other", None, RECIPE)
        assert list(improved.optimizations.list()) == []

    def test_they_are_listed_newest_first(self, improved: Yard, desk: Desk) -> None:
        desk.commit(b"three", "other")
        kept = improved.optimizations
        ids = [kept.begin(model, None, RECIPE).id for model in ("m", "other", "m")]
        assert [each.id for each in kept.list()] == ids[::-1]
        assert [each.id for each in kept.list("m")] == [ids[2], ids[0]]
        assert [each.model for each in kept.list("other")] == ["other"]
        with refused(NotFound, "no-model"):
            list(kept.list("nobody"))

    def test_all_of_many_are_listed(self, improved: Yard) -> None:
        kept = improved.optimizations
        ids = [kept.begin("m", 1, RECIPE).id for _ in range(103)]
        assert [each.id for each in kept.list("m")] == ids[::-1]

    def test_trials_are_kept_and_may_change(self, improved: Yard) -> None:
        kept = improved.optimizations
        made = kept.begin("m", 1, RECIPE)
        assert kept.keep(replace(made, done=1), [trial(0), trial(1, state="running")])
        assert kept.keep(replace(made, done=2), [trial(2, reason="it crashed", state="failed")])
        assert kept.get(made.id).done == 2
        assert kept.trials(made.id) == (
            trial(0), trial(1, state="running"), trial(2, reason="it crashed", state="failed"),
        )  # fmt: skip
        assert kept.keep(made, [trial(1)])
        assert kept.trials(made.id, after=0) == (
            trial(1), trial(2, reason="it crashed", state="failed")
        )  # fmt: skip
        assert kept.trials(made.id, after=2) == ()

    def test_what_came_of_it_is_kept(self, improved: Yard) -> None:
        kept = improved.optimizations
        made = kept.begin("m", 1, RECIPE, alias="candidate")
        verdict = Verdict(
            about="size min", holds=True, before=100.0, after=25.0, difference=0.25,
            sentence="4x smaller",
        )  # fmt: skip
        chosen = Candidate(
            trial=0, version=2, chosen=True, before=(Measure("accuracy", 0.9, 0.88, 0.92),),
            after=(Measure("accuracy", 0.9, 0.88, 0.92),), verdicts=(verdict,), digest="ab" * 32,
        )  # fmt: skip
        other = Candidate(trial=1, sentence="it is worse")
        ended = replace(
            made, state="done", done=2, candidates=(other, chosen), sentence="m@2 is 4x smaller",
            reasons=("one was not better",), environment={"cpu": "avx2"}, seconds=12.5, warm=3,
            before={"quality": 0.9}, data_digest="cd" * 32,
        )  # fmt: skip
        assert kept.keep(ended)
        found = kept.get(made.id)
        assert replace(found, changed=ended.changed) == ended
        assert found.published == (2,)
        assert str(found) == "m@2 is 4x smaller"

    def test_who_keeps_does_not_change_what_it_is(self, improved: Yard) -> None:
        kept = improved.optimizations
        made = kept.begin("m", 1, RECIPE)
        assert kept.keep(replace(made, model="other"))
        assert kept.get(made.id).title == made.title

    def test_who_keeps_does_not_change_what_is_read_and_where(self, improved: Yard) -> None:
        kept = improved.optimizations
        made = kept.begin("m", 1, RECIPE, engine="ray", alias="candidate")
        recipe = replace(RECIPE, data="/etc/passwd", target="root", trials=2)
        told = replace(made, recipe=recipe, engine="ray@evil:1", alias="champion", number=2)
        assert kept.keep(replace(told, who="somebody else"))
        found = kept.get(made.id)
        assert found.recipe == replace(RECIPE, trials=2)
        assert replace(found, recipe=RECIPE, changed=made.changed) == made

    def test_nobody_takes_up_what_somebody_works_on(self, improved: Yard) -> None:
        kept = improved.optimizations
        made = kept.begin("m", 1, RECIPE)
        with refused(Conflict, "optimization-runs", hint=True):
            kept.claim(made.id)

    def test_what_has_stopped_or_failed_is_taken_up_once(self, improved: Yard) -> None:
        kept = improved.optimizations
        made = kept.begin("m", 1, RECIPE)
        for state in ("stopped", "failed"):
            assert kept.keep(replace(made, state=state), [trial(0)])
            assert kept.get(made.id).state == state
            made = kept.claim(made.id)
            assert made.state == "running"
            assert kept.trials(made.id) == (trial(0),)
            with refused(Conflict, "optimization-runs"):
                kept.claim(made.id)

    def test_who_worked_on_it_before_has_no_more_say(self, improved: Yard) -> None:
        kept = improved.optimizations
        old = kept.begin("m", 1, RECIPE)
        kept.keep(replace(old, state="stopped"), [trial(0)])
        new = kept.claim(old.id)
        assert new.claims == old.claims + 1
        for state in ("running", "failed", "done"):
            assert not kept.keep(replace(old, state=state, done=9), [trial(0, seconds=9.0)])
        assert kept.get(old.id).done == 0
        assert kept.keep(replace(new, done=1), [trial(1)])
        assert kept.trials(old.id) == (trial(0), trial(1))

    def test_what_is_over_stays_as_it_is(self, improved: Yard) -> None:
        kept = improved.optimizations
        for state in ("done", "failed"):
            made = kept.begin("m", 1, RECIPE)
            ended = replace(made, state=state, sentence="as it was")
            assert kept.keep(ended, [trial(0)])
            assert kept.keep(ended)
            assert not kept.keep(made)
            forged = replace(ended, candidates=(Candidate(trial=0, chosen=True),))
            assert not kept.keep(forged, [trial(0, seconds=9.0), trial(1)])
            found = kept.get(made.id)
            assert (found.state, found.candidates, found.sentence) == (state, (), "as it was")
            assert kept.trials(made.id) == (trial(0),)

    def test_what_is_over_is_not_taken_up(self, improved: Yard) -> None:
        kept = improved.optimizations
        made = kept.begin("m", 1, RECIPE)
        kept.keep(replace(made, state="done"))
        with refused(Conflict, "optimization-ended"):
            kept.claim(made.id)
        with refused(Conflict, "optimization-ended"):
            kept.cancel(made.id)

    def test_who_works_on_it_learns_that_it_was_cancelled(self, improved: Yard) -> None:
        kept = improved.optimizations
        made = kept.begin("m", 1, RECIPE)
        assert kept.keep(made, [trial(0)])
        assert kept.cancel(made.id).state == "cancelled"
        assert not kept.keep(replace(made, done=9), [trial(1)])
        found = kept.get(made.id)
        assert (found.state, found.done) == ("cancelled", 0)
        assert [each.number for each in kept.trials(made.id)] == [0]
        with refused(Conflict, "optimization-ended"):
            kept.cancel(made.id)
        with refused(Conflict, "optimization-ended"):
            kept.claim(made.id)

    def test_once_it_is_over_no_trial_runs_any_more(self, improved: Yard) -> None:
        kept = improved.optimizations
        under_way = [trial(0), trial(1, state="running", reason="prune")]
        told: dict[OptimizationState, str] = {
            "cancelled": "it was cancelled", "done": "it ended before", "failed": "it failed",
        }  # fmt: skip
        for state, reason in told.items():
            made = kept.begin("m", 1, RECIPE)
            assert kept.keep(made, under_way)
            assert [each.state for each in kept.trials(made.id)] == ["done", "running"]
            if state == "cancelled":
                kept.cancel(made.id)
            else:
                assert kept.keep(replace(made, state=state))
            whole, given_up = kept.trials(made.id)
            assert whole == trial(0)
            assert given_up == trial(1, state="pruned", reason=reason)

    def test_what_was_under_way_when_it_failed_is_gone_on_with(self, improved: Yard) -> None:
        kept = improved.optimizations
        made = kept.begin("m", 1, RECIPE)
        kept.keep(replace(made, state="failed"), [trial(0, state="running", reason="prune")])
        kept.claim(made.id)
        assert kept.trials(made.id) == (trial(0, state="running", reason="prune"),)

    def test_an_alias_that_can_not_be_pointed_is_refused_before_anything_runs(
        self, improved: Yard
    ) -> None:
        kept = improved.optimizations
        improved.tag("m", "release", 1)
        for name in ("main", "release"):
            with refused(Conflict, "ref-exists", hint=True):
                kept.begin("m", 1, RECIPE, alias=name)
        with refused(InvalidInput, "bad-ref-name", hint=True):
            kept.begin("m", 1, RECIPE, alias="a b")
        improved.alias("m", "prod", 1)
        assert kept.begin("m", 1, RECIPE, alias="prod").alias == "prod"
        assert len(list(kept.list())) == 1

    def test_one_that_is_not_there_is_not_found(self, improved: Yard) -> None:
        kept = improved.optimizations
        made = kept.begin("m", 1, RECIPE)
        for call in (kept.get, kept.trials, kept.claim, kept.cancel):
            with refused(NotFound, "no-optimization"):
                call(made.id + 1)
        with refused(NotFound, "no-optimization"):
            kept.keep(replace(made, id=made.id + 1))

    def test_it_goes_by_the_new_name_of_its_model(self, improved: Yard) -> None:
        kept = improved.optimizations
        made = kept.begin("m", 1, RECIPE)
        improved.rename("m", "n")
        assert kept.get(made.id).title == "n@1"
        assert [each.id for each in kept.list("n")] == [made.id]

    def test_it_goes_and_comes_with_its_model(self, improved: Yard) -> None:
        kept = improved.optimizations
        made = kept.begin("m", 1, RECIPE)
        improved.delete_model("m")
        with refused(NotFound, "no-optimization"):
            kept.get(made.id)
        assert list(kept.list()) == []
        improved.restore("m")
        assert kept.get(made.id).title == "m@1"
