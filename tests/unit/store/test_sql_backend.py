"""SQLite, PostgreSQL and MariaDB as stores: what any backend promises, and what databases do."""

import pytest

from modelyard.store.sql import SqlBackend
from modelyard.testing import BackendTests


def _opened(url):
    backend = SqlBackend(url)
    yield backend
    backend.close()


@pytest.fixture
def sqlite_url(tmp_path):
    return f"sqlite:///{tmp_path}/store.db"


class TestSqlite(BackendTests):
    @pytest.fixture
    def backend(self, sqlite_url):
        yield from _opened(sqlite_url)


class TestPostgres(BackendTests):
    @pytest.fixture
    def backend(self, postgres_url):
        yield from _opened(postgres_url)


class TestMariadb(BackendTests):
    @pytest.fixture
    def backend(self, mariadb_url):
        yield from _opened(mariadb_url)
