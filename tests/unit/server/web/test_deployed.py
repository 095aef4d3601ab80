"""A deployment as pages tell of it: its versions on all servers together, and its changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from modelyard.core.deployment import (
    Deployment,
    DeploymentChange,
    DeploymentSpec,
    Limits,
    Rollout,
    ServedVersion,
    ServerStatus,
    Share,
)
from modelyard.server.web.deployed import (
    Difference,
    deployed_as,
    differences,
    parts_of,
    seconds_left,
    totals_of,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def share(revision: str, number: int, percent: float = 100.0, **more: Any) -> Share:
    return Share(
        model="flowers/iris", revision=revision, number=number, commit=f"{number:040x}",
        percent=percent, **more,
    )  # fmt: skip


def served(number: int, state: Any = "ready", **more: Any) -> ServedVersion:
    return ServedVersion(
        model="flowers/iris", number=number, commit=f"{number:040x}", state=state, **more
    )


def deployment(spec: DeploymentSpec, *servers: tuple[ServedVersion, ...]) -> Deployment:
    statuses = tuple(
        ServerStatus(server=f"s{at}", generation=1, seen=NOW, versions=versions)
        for at, versions in enumerate(servers)
    )
    return Deployment(
        spec=spec, generation=1, created=NOW, updated=NOW, who="Ann", servers=statuses
    )


PLAIN = DeploymentSpec(name="iris", shares=(share("champion", 5),))
CANARY = replace(PLAIN, shares=(share("champion", 5, 90), share("6", 6, 10)))


def change(spec: DeploymentSpec, action: Any = "deploy", generation: int = 1) -> DeploymentChange:
    return DeploymentChange(generation=generation, time=NOW, who="Ann", action=action, spec=spec)


def test_versions_of_several_servers_are_told_together() -> None:
    one = served(5, requests=10, failures=1, rate=2.0, memory=100, median=0.1, mode="inline")
    two = served(5, requests=30, failures=2, rate=3.0, memory=50, median=0.2, mode="process")
    (part,) = parts_of(deployment(PLAIN, (one,), (two,)))
    assert (part.requests, part.failures, part.rate, part.memory) == (40, 3, 5.0, 150)
    assert part.median == 0.2
    assert part.modes == ("inline", "process")


def test_a_version_is_as_ready_as_on_the_server_that_is_worst() -> None:
    bad = served(5, "failed", reason="it has no graph")
    (part,) = parts_of(deployment(PLAIN, (served(5),), (bad,)))
    assert (part.state, part.reason) == ("failed", "it has no graph")
    (part,) = parts_of(deployment(PLAIN, (served(5),), ()))
    assert part.state == "loading"
    (part,) = parts_of(deployment(PLAIN))
    assert part.state == "waiting"


def test_what_is_kept_for_going_back_stands_at_the_end() -> None:
    parts = parts_of(deployment(CANARY, (served(5), served(4, "asleep"), served(6))))
    assert [(part.kind, part.number) for part in parts] == [
        ("stable", 5), ("canary", 6), ("former", 4),
    ]  # fmt: skip
    assert parts[-1].source == "flowers/iris@4"


def test_totals_leave_copies_out() -> None:
    spec = replace(PLAIN, shares=(share("champion", 5), share("3", 3, 50, shadow=True)))
    parts = parts_of(deployment(spec, (served(5, requests=7, rate=1.0), served(3, requests=9))))
    totals = totals_of(parts)
    assert (totals.requests, totals.rate) == (7, 1.0)


def test_a_page_of_a_version_tells_where_it_is_served() -> None:
    one = deployment(CANARY, (served(5), served(6)))
    assert [(d.number, d.percent) for d in deployed_as([one], "flowers/iris")] == [(5, 90), (6, 10)]
    assert [d.kind for d in deployed_as([one], "flowers/iris", 6)] == ["canary"]
    assert deployed_as([one], "flowers/other") == ()


def test_a_change_tells_what_it_changed() -> None:
    old = change(PLAIN)
    new = change(replace(CANARY, sticky="x-user", limits=Limits(deadline=5)), generation=2)
    assert differences(new, old) == (
        Difference("share", "flowers/iris@champion", "100 %", "90 %"),
        Difference("share", "flowers/iris@6", "", "10 %"),
        Difference("sticky", "", "", "x-user"),
        Difference("deadline", "", "30", "5"),
    )
    assert differences(old, None) == ()


def test_a_followed_name_that_moved_is_told() -> None:
    moved = replace(PLAIN, shares=(share("champion", 6),))
    assert differences(change(moved, "follow", 2), change(PLAIN)) == (
        Difference("version", "flowers/iris@champion", "@5", "@6"),
    )


def test_the_time_to_the_next_step_ends_with_a_pause() -> None:
    due = datetime.now(UTC) + timedelta(seconds=90)
    going = replace(CANARY, rollout=Rollout(steps=(10, 100), every=600, due=due))
    left = seconds_left(going)
    assert left is not None
    assert 80 < left <= 90
    assert seconds_left(replace(going, paused=True)) is None
    assert seconds_left(PLAIN) is None
    late = replace(going, rollout=Rollout(steps=(10, 100), every=600, due=due - timedelta(hours=1)))
    assert seconds_left(late) == 0
