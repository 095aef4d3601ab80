"""The engine on Ray keeps what engines promise, with a cluster of its own on this machine."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.serving.engines.zoo import case_of, fill, kill

from modelyard.registry.local import LocalYard
from modelyard.serving.engines.ray import RayEngine, RaySettings
from modelyard.testing.engine import EngineTests

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.serving.interface import Engine, Served
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
