"""The conformance suite over the backends of the ground floor."""

from __future__ import annotations

import pytest

from modelyard.store.local import LocalBackend
from modelyard.store.memory import MemoryBackend
from modelyard.testing import BackendTests


class TestLocalBackend(BackendTests):
    @pytest.fixture
    def backend(self, tmp_path):
        backend = LocalBackend(tmp_path / "store")
        yield backend
        backend.close()


class TestMemoryBackend(BackendTests):
    @pytest.fixture
    def backend(self):
        return MemoryBackend()


class TestLimitedBackend(BackendTests):
    """As MongoDB or MySQL would: objects have a largest size."""

    @pytest.fixture
    def backend(self):
        return MemoryBackend(max_object=4 << 20)
