"""`yard deploy --engine ray` on a real server: canary, rollback, and nothing left in the end."""

from __future__ import annotations

import json
import signal
import time
import urllib.request
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.serving.engines.running import yard_up
from tests.serving.engines.zoo import fill

from modelyard.client.remote import RemoteYard
from modelyard.core.deployment import DeploymentSpec, Share

if TYPE_CHECKING:
    from modelyard.core.deployment import Deployment

pytestmark = [pytest.mark.heavy, pytest.mark.slow]


@pytest.fixture
def yard_folder(tmp_path: Path) -> Path:
    pytest.importorskip("ray")
    return fill(tmp_path).folder


def test_deployments_on_ray_are_shared_out_and_rolled_back_like_all_others(
    yard_folder: Path, tmp_path: Path
) -> None:
    with yard_up(yard_folder, tmp_path) as (process, url), RemoteYard.at(url) as yard:
        yard.deployments.apply(_spec((1, 100.0)))
        _until_ready(yard)
        assert _versions(url, 20) == {1: 20}
        yard.deployments.apply(_spec((1, 50.0), (2, 50.0)))
        assert set(_versions(url, 5)) == {1}, "the new version gets nothing before it is ready"
        _until_ready(yard)
        seen = _versions(url, 200)
        assert 60 < seen[2] < 140
        yard.deployments.roll_back("linear")
        time.sleep(1)
        assert _versions(url, 20) == {1: 20}
        assert _of_ray(process.pid)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert _gone(process.pid)
    assert "SIGTERM" not in (tmp_path / "server.err").read_text()


def test_a_server_that_was_killed_leaves_no_process(yard_folder: Path, tmp_path: Path) -> None:
    with yard_up(yard_folder, tmp_path) as (process, url), RemoteYard.at(url) as yard:
        yard.deployments.apply(_spec((1, 100.0)))
        _until_ready(yard)
        before = _of_ray(process.pid)
        assert before
        process.kill()
        until = time.monotonic() + 90  # so long replicas wait for their cluster
        while alive := [pid for pid in before if _lives(pid)]:
            assert time.monotonic() < until, alive
            time.sleep(0.5)


def _spec(*shares: tuple[int, float]) -> DeploymentSpec:
    return DeploymentSpec(
        name="linear", engine="ray",
        shares=tuple(
            Share(model="zoo/linear", revision=str(number), percent=percent)
            for number, percent in shares
        ),
    )  # fmt: skip


def _until_ready(yard: Any) -> Deployment:
    until = time.monotonic() + 180
    while True:
        found: Deployment = yard.deployments.get("linear")
        assert found.state != "failed", found
        if found.state == "ready":
            return found
        assert time.monotonic() < until, found
        time.sleep(0.2)


def _versions(url: str, count: int) -> Counter[int]:
    """Which versions answered so many requests."""
    body = json.dumps({"rows": [[1, 2, 3, 4]]}).encode()
    seen: Counter[int] = Counter()
    for _ in range(count):
        request = urllib.request.Request(f"{url}/predict/linear", body)
        with urllib.request.urlopen(request, timeout=30) as answer:
            seen[json.load(answer)["version"]] += 1
    return seen


def _of_ray(pid: int) -> list[int]:
    """Processes that a server started, and those that they did."""
    parents: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents.setdefault(int(fields[1]), []).append(int(folder.name))
    found, look = [], [pid]
    while look:
        children = parents.get(look.pop(), [])
        found += children
        look += children
    return found


def _lives(pid: int) -> bool:
    """Whether it runs; in a container nobody may have taken notice of its end."""
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _gone(pid: int) -> bool:
    until = time.monotonic() + 20
    while any(map(_lives, _of_ray(pid))):
        if time.monotonic() > until:
            return False
        time.sleep(0.2)
    return True
