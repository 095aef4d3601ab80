"""The engine on Ray keeps what engines promise, with a cluster of its own on this machine."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.serving.engines.running import yard_up
from tests.serving.engines.zoo import case_of, fill, kill

from modelyard.registry.local import LocalYard
from modelyard.serving.engines.ray import RayEngine, RaySettings
from modelyard.serving.interface import Timing
from modelyard.testing.engine import EngineTests

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.serving.interface import Engine, Outputs, Served, Wanted
    from modelyard.testing.engine import EngineCase

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # of Ray itself
]


@pytest.fixture(scope="class")
def case(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineCase]:
    pytest.importorskip("ray")
    zoo = fill(tmp_path_factory.mktemp("zoo"))
    place = str(zoo.folder)

    def make() -> Engine:
        return RayEngine(partial(LocalYard.at, place), place, RaySettings(cpus=2))

    with case_of(zoo, make, _kill_replica) as case:
        yield case


class TestRay(EngineTests):
    """All of them."""


def _kill_replica(_engine: Engine, served: Served) -> None:
    """Ray names its processes; the model's own end with the replica."""
    name = f"ServeReplica:{served.model.replace('/', '.')}--{served.number}--".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            told = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if name[:30] in told:
            kill(int(folder.name))


def test_replicas_fetch_their_version_from_a_server_and_are_as_many_as_wished(
    tmp_path: Path,
) -> None:
    """Where machines of the cluster don't see the yard's folder."""
    pytest.importorskip("ray")
    zoo = fill(tmp_path)
    two = replace(zoo.first.wanted, replicas=2)

    async def ask(engine: RayEngine, wanted: Wanted) -> Outputs:
        served = await engine.apply(wanted)
        feeds, rows = zoo.first.feeds, len(zoo.first.feeds["x"])
        return await served.executor.submit(feeds, rows, None, time.monotonic() + 60, Timing())  # type: ignore[misc]

    async def run(url: str) -> None:
        settings = RaySettings(source=url, opener="modelyard.client.places:open_place", most=2)
        engine = RayEngine(settings.open_yard("/nowhere"), url, settings)
        try:
            for wanted in (zoo.first.wanted, two):
                found = await ask(engine, wanted)
                np.testing.assert_array_equal(found["y"], zoo.first.expected["y"])
            assert await engine.replicas(two) == 2
            assert await engine.replicas(zoo.first.wanted) >= 1
        finally:
            await engine.close()

    with yard_up(zoo.folder, tmp_path) as (_, url):
        asyncio.run(run(url))


def test_a_cluster_that_is_not_there_is_told_of_soon() -> None:
    pytest.importorskip("ray")
    program = """
from modelyard.serving.engines.ray import RaySettings
from modelyard.serving.engines.ray.cluster import Cluster
Cluster(RaySettings(address="127.0.0.1:1")).connect()
"""
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )  # a process of its own: this one may be connected to Ray already
    assert "nobody answers at 127.0.0.1:1" in done.stderr
    assert time.monotonic() - begun < 30
