"""What tests of the store share: an index, threads, and backends that count or misbehave."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from modelyard.catalog.engine import Catalog
from modelyard.catalog.index import CatalogIndex
from modelyard.catalog.migrate import migrate
from modelyard.store.interface import Facts
from modelyard.store.memory import MemoryBackend


class FarBackend(MemoryBackend):
    """Objects in memory, as if behind a network: counts, waits, and fails when told to."""

    def __init__(self, max_object=None, max_parallel=4, wait=0.0):
        super().__init__()
        self.facts = Facts(max_object=max_object, is_local=False, max_parallel=max_parallel)
        self.wait = wait
        self.gets = []
        self.puts = []
        self.most_at_once = 0
        self.before_put = lambda key: None
        self.before_get = lambda key, start: None
        self._now = 0
        self._count = threading.Lock()

    def put(self, key, data):
        with self._counted(self.puts, (key, len(data))):
            self.before_put(key)
            super().put(key, data)

    def get(self, key, start=0, end=None):
        with self._counted(self.gets, (key, start, end)):
            self.before_get(key, start)
            return super().get(key, start, end)

    def _counted(self, seen, entry):
        return _Counted(self, seen, entry)


class _Counted:
    def __init__(self, backend, seen, entry):
        self.backend, self.seen, self.entry = backend, seen, entry

    def __enter__(self):
        with self.backend._count:
            self.seen.append(self.entry)
            self.backend._now += 1
            self.backend.most_at_once = max(self.backend.most_at_once, self.backend._now)
        time.sleep(self.backend.wait)

    def __exit__(self, *_):
        with self.backend._count:
            self.backend._now -= 1


@pytest.fixture
def far():
    """Makes backends that are far away."""
    return FarBackend


@pytest.fixture
def index(tmp_path):
    catalog = Catalog.open(f"sqlite:///{tmp_path / 'catalog.db'}")
    migrate(catalog)
    yield CatalogIndex(catalog)
    catalog.close()


@pytest.fixture
def pool():
    with ThreadPoolExecutor(2) as threads:
        yield threads
