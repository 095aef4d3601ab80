"""Tests under load: by a program in C, only against 127.0.0.1, with bounded counts and times."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.benchmarks.serving import environments, models

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.serving.models import Models


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, require) -> Models:
    """The models that are served."""
    try:
        environments.load_program()
    except FileNotFoundError as error:
        require("a C compiler", None)
        raise AssertionError from error
    return models.make(tmp_path_factory.mktemp("models"))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where a yard is made; logs of its server lie beside it."""
    return tmp_path / "yard"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/serving/load/" in item.path.as_posix():
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.xdist_group("load"))
