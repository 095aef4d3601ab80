"""MongoDB as a store, over its wire protocol."""

import pytest

from modelyard.store.mongodb import MongoBackend
from modelyard.testing import BackendTests


@pytest.fixture
def backend(mongodb_url):
    backend = MongoBackend(mongodb_url)
    yield backend
    backend.close()


class TestMongodb(BackendTests):
    @pytest.fixture
    def backend(self, backend):
        return backend
