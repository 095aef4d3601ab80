"""The engine of one machine keeps what engines promise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.serving.engines.zoo import case_of, fill, kill

from modelyard.registry.local import LocalYard
from modelyard.serving.engines.embedded import Embedded
from modelyard.testing.engine import EngineTests

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.serving.interface import Served
    from modelyard.testing.engine import EngineCase

pytestmark = pytest.mark.slow


@pytest.fixture(scope="class")
def case(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineCase]:
    zoo = fill(tmp_path_factory.mktemp("zoo"))
    with LocalYard.at(zoo.folder) as yard:

        def kill_workers(engine: Any, served: Served) -> None:
            for pid in engine._held[served].opened.pids:
                kill(pid)

        with case_of(zoo, lambda: Embedded(yard.desk), kill_workers) as case:
            yield case


class TestEmbedded(EngineTests):
    """All of them."""
