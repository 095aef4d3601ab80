"""Deployments: what is wished is kept, followed, changed by steps, and always taken back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from modelyard.core.deployment import DeploymentSpec, Limits, Rollout, Share
from modelyard.errors import Conflict, Denied, InvalidInput, NotFound, Unsupported
from modelyard.testing.yard.case import Desk, YardCase, refused

if TYPE_CHECKING:
    from modelyard.core.deployment import Deployment
    from modelyard.core.yard import Yard

__all__ = ["DeploymentTests"]


class Scale:
    """A model of our own."""

    def __init__(self, by: float) -> None:
        self.by = by

    def predict(self, inputs: Any) -> Any:
        return self.by * np.asarray(inputs).sum(axis=1)


TRUSTED = (f"{Scale.__module__}.Scale",)


def of(*shares: Share, **rest: Any) -> DeploymentSpec:
    return DeploymentSpec(**{"name": "svc", "shares": shares, "trusted": TRUSTED, **rest})


def share(revision: str, percent: float = 100.0, **rest: Any) -> Share:
    return Share(**{"model": "m", "revision": revision, "percent": percent, **rest})


def shares_of(deployment: Deployment) -> list[tuple[str, int | None, float]]:
    return [(each.revision, each.number, each.percent) for each in deployment.spec.shares]


def wish_of(deployment: Deployment) -> Deployment:
    """Without what servers say, who may be there."""
    return replace(deployment, servers=())


def actions(yard: Yard) -> list[str]:
    """What was done to it, in order."""
    return [str(change.action) for change in yard.deployments.changes("svc")][::-1]


class DeploymentTests(YardCase):
    @pytest.fixture
    def served(self, yard: Yard) -> Yard:
        """A model `m` with versions 1, 2, 3 of objects, and an alias at the first."""
        for by in (1.0, 2.0, 3.0):
            yard.commit("m", Scale(by))
        yard.alias("m", "prod", 1)
        return yard

    # -- wishing ---------------------------------------------------------------------------------

    def test_what_is_wished_is_kept(self, served: Yard) -> None:
        assert served.deployments.list() == ()
        spec = of(
            share("1", 90.0), share("2", 10.0), share("3", 5.0, shadow=True), sticky="x-user",
            replicas=2, placement="process", limits=Limits(deadline=2.0, idle=60.0), sample=0.5,
            redact=("age",),
        )  # fmt: skip
        made = served.deployments.apply(spec)
        assert made.generation == 1
        commit = served.resolve("m", 1).commit
        assert made.spec.stable == replace(spec.stable, number=1, commit=commit)
        assert [each.number for each in made.spec.shares] == [1, 2, 3]
        assert replace(made.spec, shares=spec.shares) == spec
        assert wish_of(served.deployments.get("svc")) == wish_of(made)
        (listed,) = served.deployments.list()
        assert wish_of(listed) == wish_of(made)

    def test_wishing_again_changes_it_and_each_change_is_history(self, served: Yard) -> None:
        first = served.deployments.apply(of(share("1")))
        second = served.deployments.apply(of(share("2")))
        assert (first.generation, second.generation) == (1, 2)
        assert second.created == first.created
        newest, oldest = served.deployments.changes("svc")
        assert (newest.generation, newest.action) == (2, "deploy")
        assert (newest.spec, oldest.spec) == (second.spec, first.spec)
        assert newest.who
        assert newest.time >= oldest.time
        assert [c.generation for c in served.deployments.changes("svc", before=2)] == [1]

    def test_who_has_not_seen_the_last_change_makes_none(self, served: Yard) -> None:
        seen = served.deployments.apply(of(share("1")), generation=0)
        served.deployments.apply(of(share("2")), generation=seen.generation)
        for generation in (0, seen.generation):
            with refused(Conflict, "deployment-changed", hint=True):
                served.deployments.apply(of(share("3")), generation=generation)
        assert served.deployments.get("svc").spec.stable.number == 2

    def test_a_rollback_that_is_asked_for_twice_is_made_once(self, served: Yard) -> None:
        every = served.deployments
        every.apply(of(share("1")))
        every.apply(of(share("2")))
        seen = every.apply(of(share("2", 95.0), share("3", 5.0))).generation
        assert shares_of(every.roll_back("svc", generation=seen)) == [("2", 2, 100.0)]
        with refused(Conflict, "deployment-changed", hint=True):
            every.roll_back("svc", generation=seen)
        with refused(Conflict, "deployment-changed", hint=True):
            every.promote("svc", generation=seen)
        with refused(Conflict, "deployment-changed", hint=True):
            every.roll_out("svc", [5, 100], 60, generation=seen)
        assert shares_of(every.get("svc")) == [("2", 2, 100.0)]

    def test_only_what_is_there_is_deployed(self, served: Yard, desk: Desk) -> None:
        for wished in (share("9"), share("nobody"), share("1", model="nobody")):
            with refused(NotFound):
                served.deployments.apply(of(wished))
        desk.commit(b"no model at all", model="text")
        with refused(Unsupported, "no-framework", hint=True):
            served.deployments.apply(of(share("1", model="text")))
        with refused(Denied, "untrusted", hint=True) as caught:
            served.deployments.apply(of(share("1"), trusted=()))
        assert TRUSTED[0] in caught.value.message
        assert served.deployments.list() == ()
        assert served.deployments.apply(of(share("1"), trusted=("*",))).generation == 1

    @pytest.mark.parametrize("name", ["", "A", "a/b", "-a", "a" * 64, "ä"])
    def test_a_name_is_a_part_of_urls(self, served: Yard, name: str) -> None:
        with refused(InvalidInput, "bad-name", hint=True):
            of(share("1"), name=name)
        with refused(InvalidInput, "bad-name", hint=True):
            served.deployments.get(name)

    def test_what_is_not_deployed_is_not_found(self, served: Yard) -> None:
        every = served.deployments
        for call in (every.get, every.promote, every.pause, every.resume, every.roll_back,
                     every.undeploy, lambda name: list(every.changes(name)),
                     lambda name: every.roll_out(name, [100], 1)):  # fmt: skip
            with refused(NotFound, "no-deployment", hint=True):
                call("nobody")

    # -- following -------------------------------------------------------------------------------

    def test_an_alias_is_followed_unless_it_is_paused(self, served: Yard) -> None:
        served.deployments.apply(of(share("prod")))
        served.alias("m", "prod", 2)
        assert shares_of(served.deployments.get("svc")) == [("prod", 2, 100.0)]
        paused = served.deployments.pause("svc")
        assert paused.spec.paused
        served.alias("m", "prod", 3)
        held = served.deployments.get("svc")
        assert shares_of(held) == [("prod", 2, 100.0)]
        assert held.spec.stable.commit == served.resolve("m", 2).commit
        assert wish_of(served.deployments.pause("svc")) == wish_of(held), "it is paused already"
        resumed = served.deployments.resume("svc")
        assert shares_of(resumed) == [("prod", 3, 100.0)]
        assert not resumed.spec.paused

    def test_a_branch_and_the_latest_are_followed_and_a_number_stays(self, served: Yard) -> None:
        for name, revision in (("by-branch", "main"), ("by-latest", "latest"), ("by-number", "3"),
                               ("by-default", "")):  # fmt: skip
            served.deployments.apply(of(share(revision), name=name))
        served.commit("m", Scale(4.0))
        found = {each.name: each.spec.stable.number for each in served.deployments.list()}
        assert found == {"by-branch": 4, "by-default": 4, "by-latest": 4, "by-number": 3}
        assert served.deployments.get("by-default").spec.stable.revision == "main"

    def test_a_deployment_goes_with_the_new_name_of_its_model(self, served: Yard) -> None:
        served.deployments.apply(of(share("prod")))
        served.rename("m", "renamed")
        assert served.deployments.get("svc").spec.stable.source == "renamed@prod"
        served.deployments.apply(of(share("2", model="renamed")))
        assert served.deployments.roll_back("svc").spec.stable.source == "renamed@prod"
        assert {c.spec.stable.model for c in served.deployments.changes("svc")} == {"renamed"}

    def test_rolling_back_goes_to_where_the_alias_was(self, served: Yard) -> None:
        served.deployments.apply(of(share("prod")))
        served.alias("m", "prod", 2)
        back = served.deployments.roll_back("svc")
        assert (shares_of(back), back.spec.paused) == ([("prod", 1, 100.0)], True)

    # -- steps -----------------------------------------------------------------------------------

    def test_a_canary_grows_by_steps_and_is_promoted(self, served: Yard) -> None:
        served.deployments.apply(of(share("1", 99.0), share("2", 1.0)))
        begun = served.deployments.roll_out("svc", [5, 25, 100], 600)
        assert shares_of(begun) == [("1", 1, 95.0), ("2", 2, 5.0)]
        rollout = begun.spec.rollout
        assert rollout is not None
        assert (rollout.steps, rollout.every, rollout.step) == ((5.0, 25.0, 100.0), 600.0, 0)
        assert rollout.due is not None
        assert 590 < (rollout.due - begun.updated).total_seconds() < 610
        promoted = served.deployments.promote("svc")
        assert shares_of(promoted) == [("2", 2, 100.0)]
        assert promoted.spec.rollout is None
        assert actions(served) == ["deploy", "rollout", "promote"]

    def test_what_is_paused_takes_no_step(self, served: Yard) -> None:
        served.deployments.apply(of(share("1", 99.0), share("2", 1.0)))
        served.deployments.roll_out("svc", [5, 100], 600)
        paused = served.deployments.pause("svc").spec.rollout
        assert paused is not None
        assert paused.due is None
        resumed = served.deployments.resume("svc").spec.rollout
        assert resumed is not None
        assert resumed.due is not None
        assert actions(served) == ["deploy", "rollout", "pause", "resume"]

    def test_a_rollout_can_be_wished_with_the_canary(self, served: Yard) -> None:
        wished = Rollout(steps=(5.0, 100.0), every=60.0)
        made = served.deployments.apply(of(share("1", 95.0), share("2", 5.0), rollout=wished))
        assert made.spec.rollout is not None
        assert made.spec.rollout.due is not None

    def test_an_edit_takes_a_canary_nothing_away(self, served: Yard) -> None:
        served.deployments.apply(of(share("1", 99.0), share("2", 1.0)))
        begun = served.deployments.roll_out("svc", [5, 25, 100], 600)
        edited = served.deployments.apply(replace(begun.spec, sample=0.5))
        assert edited.spec.rollout == begun.spec.rollout, "its next step comes when it would"
        wished = replace(begun.spec, rollout=Rollout(steps=(5.0, 25.0, 100.0), every=60.0))
        sooner = served.deployments.apply(wished).spec.rollout
        assert sooner is not None
        assert (sooner.step, sooner.every) == (0, 60.0)

    def test_a_rollout_that_is_wished_begins_with_its_first_step(self, served: Yard) -> None:
        steps = Rollout(steps=(25.0, 100.0), every=60.0)
        made = served.deployments.apply(of(share("1", 99.0), share("2", 1.0), rollout=steps))
        assert shares_of(made) == [("1", 1, 75.0), ("2", 2, 25.0)]
        two = (share("1", 90.0), share("2", 5.0), share("3", 5.0))
        with refused(Conflict, "no-canary", hint=True):
            served.deployments.apply(of(*two, rollout=steps))
        at_once = replace(steps, steps=(100.0,))
        whole = served.deployments.apply(of(share("1", 99.0), share("3", 1.0), rollout=at_once))
        assert (shares_of(whole), whole.spec.rollout) == ([("3", 3, 100.0)], None)

    def test_without_a_canary_nothing_is_rolled_out_or_promoted(self, served: Yard) -> None:
        served.deployments.apply(of(share("1")))
        with refused(Conflict, "no-canary", hint=True):
            served.deployments.promote("svc")
        with refused(Conflict, "no-canary", hint=True):
            served.deployments.roll_out("svc", [5, 100], 60)
        for steps in ([], [5], [5, 5, 100], [100, 5], [0, 100], [5, 101]):
            with refused(InvalidInput):
                served.deployments.roll_out("svc", steps, 60)
        with refused(InvalidInput):
            served.deployments.roll_out("svc", [5, 100], 0)

    # -- back ------------------------------------------------------------------------------------

    def test_rolling_back_drops_a_canary_first_and_then_goes_further_back(
        self, served: Yard
    ) -> None:
        served.deployments.apply(of(share("1")))
        served.deployments.apply(of(share("2")))
        served.deployments.apply(of(share("2", 95.0), share("3", 5.0)))
        assert shares_of(served.deployments.roll_back("svc")) == [("2", 2, 100.0)]
        assert shares_of(served.deployments.roll_back("svc")) == [("1", 1, 100.0)]
        with refused(Conflict, "nothing-before", hint=True):
            served.deployments.roll_back("svc")
        assert actions(served) == ["deploy"] * 3 + ["rollback"] * 2

    def test_rolling_back_undoes_a_promotion(self, served: Yard) -> None:
        served.deployments.apply(of(share("1", 95.0), share("2", 5.0)))
        served.deployments.promote("svc")
        assert shares_of(served.deployments.roll_back("svc")) == [("1", 1, 100.0)]

    def test_rolling_back_to_a_generation_takes_its_shares(self, served: Yard) -> None:
        served.deployments.apply(of(share("1", 60.0), share("2", 40.0), share("3", shadow=True)))
        served.deployments.apply(of(share("3")))
        back = served.deployments.roll_back("svc", to=1)
        assert shares_of(back) == [("1", 1, 60.0), ("2", 2, 40.0), ("3", 3, 100.0)]
        again = served.deployments.roll_back("svc", to=2)
        assert shares_of(again) == [("3", 3, 100.0)], "a rollback is undone in the same way"
        with refused(Conflict, "nothing-before"):
            served.deployments.roll_back("svc", to=99)

    def test_rolling_back_to_a_generation_takes_all_that_was_wished(self, served: Yard) -> None:
        first = served.deployments.apply(of(share("1"), sample=0.5, limits=Limits(deadline=2.0)))
        then = served.deployments.apply(of(share("2"), sticky="x-user", replicas=2))
        assert served.deployments.roll_back("svc").spec.sticky == "x-user", "shares alone"
        assert served.deployments.roll_back("svc", to=1).spec == first.spec
        assert served.deployments.roll_back("svc", to=2).spec == then.spec
        served.deployments.pause("svc")
        assert served.deployments.roll_back("svc").spec.paused, "nothing follows until it goes on"

    def test_what_followed_an_alias_is_held_when_it_is_rolled_back(self, served: Yard) -> None:
        served.deployments.apply(of(share("prod")))
        served.deployments.apply(of(share("2")))
        served.alias("m", "prod", 3)
        back = served.deployments.roll_back("svc")
        assert shares_of(back) == [("prod", 1, 100.0)]
        assert back.spec.paused, "it would go to version 3 at once"
        assert shares_of(served.deployments.get("svc")) == [("prod", 1, 100.0)]
        assert shares_of(served.deployments.resume("svc")) == [("prod", 3, 100.0)]

    # -- the end ---------------------------------------------------------------------------------

    def test_what_is_undeployed_keeps_its_history_and_its_name_is_free(self, served: Yard) -> None:
        served.deployments.apply(of(share("1")))
        assert served.deployments.undeploy("svc").generation == 2
        assert served.deployments.list() == ()
        for call in (served.deployments.get, served.deployments.undeploy):
            with refused(NotFound, "no-deployment"):
                call("svc")
        assert actions(served) == ["deploy", "undeploy"]
        assert served.deployments.apply(of(share("2")), generation=0).generation == 3
        with refused(Conflict, "nothing-before"):
            served.deployments.roll_back("svc")

    def test_what_is_deployed_is_not_deleted(self, served: Yard) -> None:
        served.deployments.apply(of(share("1", 95.0), share("2", 5.0)))
        for number in (1, 2):
            served.delete_ref("m", "prod") if number == 1 else None
            for purge in (False, True):
                with refused(Conflict, "protected", hint=True) as caught:
                    served.delete_version("m", number, purge=purge)
                assert "svc" in caught.value.message
        with refused(Conflict, "protected", hint=True):
            served.delete_model("m")
        served.deployments.promote("svc")
        assert served.delete_version("m", 1).number == 1
        with refused(Conflict, "nothing-before"):
            served.deployments.roll_back("svc")
        served.deployments.undeploy("svc")
        assert served.delete_model("m").name == "m"
