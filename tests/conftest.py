"""What all tests share: hypothesis profiles, a yard in a temporary folder, and when to skip."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

import modelyard.core.sqlite  # noqa: F401 - before whatever brings a SQLite of its own

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from modelyard.core.yard import Yard

pytest.register_assert_rewrite("modelyard.testing")
pytest_plugins = ["tests.services.fixtures"]

# Processes that tests start find compiled modules, as those of users do.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# A job in the background of a shell ignores Ctrl-C, and so would all that it starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

IN_CI = os.environ.get("CI", "").lower() in ("1", "true")

_CHECKS = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]
settings.register_profile("dev", deadline=None, suppress_health_check=_CHECKS, database=None)
settings.register_profile("ci", settings.get_profile("dev"), derandomize=True)
settings.register_profile("long", settings.get_profile("dev"), max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if IN_CI else "dev"))


_LIBRARIES = (
    "unit/frameworks/", "unit/runtimes/", "unit/formats/test_tables", "integration/test_e",
    "cli/test_evaluate", "core/test_metrics", "core/test_mixing", "core/test_significance",
    "registry/test_mixing", "typing/", "tests/server/", "test_remote_", "test_import_",
)  # fmt: skip
_QUICK = ("test_pickling.py", "test_python.py", "test_torch_plan.py", "test_wire.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of libraries, services, servers and statistics are slow: `make test` runs them."""
    for item in items:
        path = item.path.as_posix()
        library = any(place in path for place in _LIBRARIES) and not path.endswith(_QUICK)
        if library or "service" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)


def missing(service: str) -> None:
    """Skip a test whose service is not here; in CI a missing service is a failure."""
    if IN_CI:
        pytest.fail(f"{service} is not here, and CI=true says that it should be", pytrace=False)
    pytest.skip(f"{service} is not here")


@pytest.fixture(scope="session")
def require() -> object:
    """`require("postgresql", found)` goes on only where the service was found."""

    def check(service: str, found: object) -> None:
        if not found:
            missing(service)

    return check


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the `yard` fixture keeps its yard: for tests that open it a second time."""
    return tmp_path / "yard"


@pytest.fixture
def yard(folder: Path) -> Iterator[Yard]:
    """A new yard in a folder."""
    from modelyard.registry import create

    opened = create(folder)
    yield opened
    opened.close()
