"""Conformance suites, strategies and tiny models for testing yards, backends, runtimes and engines.

Subclass a suite, give it the fixture it asks for, and pytest runs every promise against yours:

    class TestMyYard(YardTests):
        @pytest.fixture
        def yard(self, tmp_path):
            with closing(my_yard(tmp_path)) as yard:
                yield yard

Needs pytest and hypothesis, which modelyard itself does not. For readable failures put
`pytest.register_assert_rewrite("modelyard.testing")` first in your `conftest.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modelyard.testing.backend import BackendTests
    from modelyard.testing.engine import EngineTests
    from modelyard.testing.runtime import RuntimeTests
    from modelyard.testing.yard import YardTests

__all__ = ["BackendTests", "EngineTests", "RuntimeTests", "YardTests"]

_HOMES = {
    "BackendTests": "modelyard.testing.backend",
    "EngineTests": "modelyard.testing.engine",
    "RuntimeTests": "modelyard.testing.runtime",
    "YardTests": "modelyard.testing.yard",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
