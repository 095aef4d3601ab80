"""Fixtures: `server`, one real server for all tests of a module, and `api`, its admin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.server.running import Running, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx2


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A real server of a new yard."""
    with running(tmp_path_factory.mktemp("server") / "yard") as one:
        yield one


@pytest.fixture
def api(server: Running) -> Iterator[httpx2.Client]:
    """The admin's client of `server`."""
    with server.client() as client:
        yield client
