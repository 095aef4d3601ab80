"""What is paused stays as it is until it is resumed; names that are gone mean what they meant."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from tests.unit.registry.test_deployments import LATER, Scale

from modelyard.core.deployment import DeploymentSpec, Limits, Share
from modelyard.registry.deployments import due, poll
from modelyard.registry.local import LocalYard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from modelyard.core.deployment import Deployment


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[LocalYard]:
    """`own/m` with five versions, and `svc` that went back from the bad version 4 to 2."""
    with LocalYard.create(tmp_path / "yard", author="ann") as yard:
        for by in range(5):
            yard.commit("own/m", Scale(by))
        yard.alias("own/m", "prod", 2)
        wish(yard, share("prod"))
        yard.alias("own/m", "prod", 4)
        poll(yard.house)
        yard.deployments.roll_back("svc")
        yield yard


def share(revision: str, percent: float = 100.0, number: int | None = None) -> Share:
    return Share(model="own/m", revision=revision, percent=percent, number=number)


def wish(yard: LocalYard, *shares: Share, paused: bool = False) -> Deployment:
    return yard.deployments.apply(
        DeploymentSpec(name="svc", trusted=("*",), shares=shares, paused=paused)
    )


def serves(one: Deployment) -> list[tuple[str, int | None, float]]:
    return [(each.revision, each.number, each.percent) for each in one.spec.shares]


def now(yard: LocalYard) -> Deployment:
    """As servers see it at their next look."""
    poll(yard.house)
    return yard.deployments.get("svc")


@pytest.mark.parametrize("number", [2, None])
def test_a_canary_beside_what_was_rolled_back_does_not_let_it_go_on(
    yard: LocalYard, number: int | None
) -> None:
    made = wish(yard, share("prod", 95, number), share("3", 5))
    assert made.spec.paused
    assert serves(now(yard)) == [("prod", 2, 95), ("3", 3, 5)]
    assert serves(yard.deployments.resume("svc")) == [("prod", 4, 95), ("3", 3, 5)]


def test_a_rollout_goes_on_with_the_version_itself(yard: LocalYard) -> None:
    before = yard.deployments.get("svc").spec
    stable = replace(before.stable, percent=95)
    yard.deployments.apply(replace(before, shares=(stable, share("3", 5))))
    made = yard.deployments.roll_out("svc", [10, 50, 100], 60)
    assert not made.spec.paused
    assert serves(now(yard)) == [("2", 2, 90), ("3", 3, 10)]
    assert due(yard.house, datetime.now(UTC) + LATER) == ("svc",)
    assert serves(now(yard)) == [("2", 2, 50), ("3", 3, 50)]


def test_an_edit_that_says_no_numbers_keeps_the_versions_it_has(yard: LocalYard) -> None:
    before = yard.deployments.get("svc").spec
    made = yard.deployments.apply(
        replace(before, shares=(share("prod"),), limits=Limits(deadline=2.0))
    )
    assert made.spec.paused
    assert serves(now(yard)) == [("prod", 2, 100)]


def test_an_edit_looks_into_the_files_of_the_version_that_is_held(yard: LocalYard) -> None:
    yard.commit("own/m", {"notes.txt": b"no model"})
    yard.alias("own/m", "prod", 6)
    made = wish(yard, share("prod"), paused=True)
    assert serves(made) == [("prod", 2, 100)]


def test_what_is_promoted_is_the_version_that_ran_as_canary(yard: LocalYard) -> None:
    yard.alias("own/m", "next", 2)
    wish(yard, share("1", 95), share("next", 5))
    yard.deployments.pause("svc")
    yard.alias("own/m", "next", 4)
    made = yard.deployments.promote("svc")
    assert made.spec.paused, "it would go to version 4 at once"
    assert serves(now(yard)) == [("next", 2, 100)]


def test_another_version_ends_the_pause(yard: LocalYard) -> None:
    made = wish(yard, share("5"))
    assert not made.spec.paused
    assert serves(now(yard)) == [("5", 5, 100)]


def test_a_name_that_still_means_the_same_is_followed_again(yard: LocalYard) -> None:
    yard.alias("own/m", "prod", 2)
    assert not wish(yard, share("prod", 95), share("3", 5)).spec.paused


# -- names that are gone ---------------------------------------------------------------------------


def test_an_alias_that_is_gone_does_not_stop_a_rollback(yard: LocalYard) -> None:
    wish(yard, share("5"))
    yard.delete_ref("own/m", "prod")
    assert serves(yard.deployments.roll_back("svc")) == [("prod", 2, 100)]


def test_an_alias_that_is_gone_stops_no_step_and_no_edit(yard: LocalYard) -> None:
    yard.deployments.resume("svc")
    yard.alias("own/m", "next", 5)
    wish(yard, share("prod", 95), share("next", 5))
    for name in ("prod", "next"):
        yard.delete_ref("own/m", name)
    spec = yard.deployments.get("svc").spec
    made = yard.deployments.apply(replace(spec, limits=Limits(deadline=2.0)))
    assert serves(made) == [("prod", 4, 95), ("next", 5, 5)]
    yard.deployments.roll_out("svc", [10, 50, 100], 60)
    assert due(yard.house, datetime.now(UTC) + LATER) == ("svc",)
    assert serves(yard.deployments.promote("svc")) == [("next", 5, 100)]
    assert serves(yard.deployments.roll_back("svc")) == [("prod", 4, 100)]


def test_a_canary_is_dropped_though_the_stable_alias_is_gone(yard: LocalYard) -> None:
    yard.deployments.resume("svc")
    wish(yard, share("prod", 95), share("3", 5))
    yard.delete_ref("own/m", "prod")
    assert serves(yard.deployments.roll_back("svc")) == [("prod", 4, 100)]
