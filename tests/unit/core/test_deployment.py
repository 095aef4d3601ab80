"""Deployments as values: what can be wished, and what servers make of it."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from modelyard.core.decoding import decode_json
from modelyard.core.deployment import (
    Deployment,
    DeploymentSpec,
    Limits,
    Rollout,
    ServedVersion,
    ServerStatus,
    Share,
    check_name,
)
from modelyard.core.wire import encode
from modelyard.errors import InvalidInput

if TYPE_CHECKING:
    from modelyard.core.deployment import ServedState

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def share(number: int, percent: float = 100.0, **rest: Any) -> Share:
    return Share(
        model="m", revision=str(number), percent=percent, number=number, commit=f"c{number}", **rest
    )


def deployment(*servers: ServerStatus) -> Deployment:
    spec = DeploymentSpec(
        name="svc", shares=(share(1, 95.0), share(2, 5.0), share(3, 50.0, shadow=True))
    )
    return Deployment(spec=spec, generation=3, created=NOW, updated=NOW, who="ann", servers=servers)


def server(*states: ServedState, generation: int = 3) -> ServerStatus:
    versions = tuple(
        ServedVersion(model="m", number=at, commit=f"c{at}", state=state)
        for at, state in enumerate(states, 1)
    )
    return ServerStatus(server="a", generation=generation, seen=NOW, versions=versions)


@pytest.mark.parametrize(
    ("servers", "state"),
    [
        ((), "waiting"),
        ((server("ready", "ready", "ready"),), "ready"),
        ((server("ready", "ready", "failed"),), "ready"),  # a shadow answers nobody
        ((server("ready", "asleep"),), "ready"),
        ((server("asleep", "asleep"),), "asleep"),
        ((server("ready"),), "loading"),  # nothing is known of the canary
        ((server("ready", "loading"),), "loading"),
        ((server("ready", "ready", generation=2),), "loading"),
        ((server("ready", "ready"), server("ready", "ready", generation=2)), "loading"),
        ((server("ready", "failed"),), "failed"),
        ((server("ready", "ready"), server("failed", "ready", generation=2)), "failed"),
    ],
)
def test_its_state_is_the_worst_of_what_answers(
    servers: tuple[ServerStatus, ...], state: ServedState
) -> None:
    assert deployment(*servers).state == state


def test_its_state_is_told_in_json_and_found_anew_from_it() -> None:
    one = deployment(server("ready", "failed"))
    text = encode(one)
    assert b'"state":"failed"' in text
    assert decode_json(text, Deployment) == one


@pytest.mark.parametrize("name", ["a", "fraud-eu", "v1.2_x", "0", "a" * 63])
def test_a_name_that_urls_and_metrics_take(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "shares",
    [
        (), (share(1, 50.0),), (share(1, 60.0), share(2, 60.0)), (share(1), share(1, 0.0)),
        (share(1, shadow=True),),
    ],
)  # fmt: skip
def test_shares_of_what_answers_make_a_whole(shares: tuple[Share, ...]) -> None:
    with pytest.raises(InvalidInput) as caught:
        DeploymentSpec(name="svc", shares=shares)
    assert caught.value.kind == "bad-share"


@pytest.mark.parametrize("steps", [(), (5,), (50, 25, 100), (5, 5, 100), (0, 100), (100, 100)])
def test_steps_grow_to_a_hundred(steps: tuple[float, ...]) -> None:
    with pytest.raises(InvalidInput) as caught:
        Rollout(steps=steps, every=60)
    assert caught.value.kind == "bad-steps"


@pytest.mark.parametrize("every", [0, -1, float("nan"), float("inf")])
def test_there_is_time_between_steps(every: float) -> None:
    with pytest.raises(InvalidInput):
        Rollout(steps=(100,), every=every)


def test_a_canary_grows_and_is_promoted_and_shadows_stay() -> None:
    spec = deployment().spec
    grown = spec.with_canary(25)
    assert [each.percent for each in grown.shares] == [75.0, 25, 50.0]
    done = replace(grown, rollout=Rollout(steps=(100,), every=1)).promoted()
    assert [(each.number, each.percent) for each in done.shares] == [(2, 100.0), (3, 50.0)]
    assert done.rollout is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"deadline": 0.0}, {"deadline": 3601.0}, {"deadline": math.nan}, {"idle": math.inf},
        {"idle": 0.0}, {"idle": 1e12}, {"queue_rows": 0}, {"per_minute": 0}, {"threads": -1},
    ],
)  # fmt: skip
def test_limits_that_nobody_can_keep_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as caught:
        Limits(**wrong)
    assert caught.value.kind == "bad-limits"


@pytest.mark.parametrize("every", [0, math.inf, math.nan, 367 * 86_400.0])
def test_steps_come_within_a_year(every: float) -> None:
    with pytest.raises(InvalidInput) as caught:
        Rollout(steps=(5, 100), every=every)
    assert caught.value.kind == "bad-steps"
