"""The same promises over HTTP: a real server process, and the suite of every yard."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.server.forking import Nursery

from modelyard.client.remote import RemoteYard
from modelyard.testing import YardTests

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from modelyard.core.yard import Yard

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    nursery = Nursery(tmp_path_factory.mktemp("nursery") / "servers.log")
    yield nursery
    nursery.close()


def opened(url: str, folder: Path) -> RemoteYard:
    """A client that keeps what it keeps in a folder of its own."""
    surroundings = {"XDG_CACHE_HOME": str(folder / "cache"), "HOME": str(folder)}
    return RemoteYard.at(url, author="tester", environment=surroundings)


class TestRemoteYard(YardTests):
    @pytest.fixture
    def yard(self, nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
        folder = tmp_path_factory.mktemp("remote")
        with nursery.serving(folder / "yard") as url, opened(url, folder) as yard:
            yield yard
