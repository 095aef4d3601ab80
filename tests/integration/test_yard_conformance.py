"""The whole conformance suite over a yard in a folder, its catalog on each database."""

from __future__ import annotations

import uuid

import pytest
import sqlalchemy as sa

from modelyard.testing import YardTests


class TestFolderYard(YardTests):
    @pytest.fixture
    def yard(self, tmp_path):
        from modelyard.registry import create

        yard = create(tmp_path / "yard")
        yield yard
        yard.close()


def _database(address: str, driver: str):
    """One database for all tests, emptied before each: making the tables takes servers long."""
    server = sa.make_url(address)
    name = f"db_yards_{uuid.uuid4().hex[:8]}"
    engine = sa.create_engine(server.set(drivername=driver), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    yield server.set(database=name).render_as_string()
    with engine.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name}")
    engine.dispose()


@pytest.fixture(scope="module")
def postgres_database(service):
    yield from _database(service("postgres"), "postgresql+psycopg")


@pytest.fixture(scope="module")
def mariadb_database(service):
    yield from _database(service("mariadb"), "mysql+pymysql")


@pytest.mark.slow
class TestPostgresqlYard(YardTests):
    @pytest.fixture
    def yard(self, tmp_path, postgres_database):
        yield from _yard(tmp_path, postgres_database)


@pytest.mark.slow
class TestMariadbYard(YardTests):
    @pytest.fixture
    def yard(self, tmp_path, mariadb_database):
        yield from _yard(tmp_path, mariadb_database)


def _yard(folder, url: str):
    from modelyard.registry import create

    _empty(url)
    yard = create(folder / "yard", catalog=url)
    yield yard
    yard.close()


def _empty(url: str) -> None:
    from modelyard.catalog.engine import Catalog
    from modelyard.catalog.migrate import migrate
    from modelyard.catalog.queries.facts import GATE

    catalog = Catalog.open(url)
    migrate(catalog)

    def work(connection: sa.Connection) -> None:
        for name in sa.inspect(connection).get_table_names():
            if name not in ("alembic_version", "fact"):
                connection.execute(sa.delete(sa.table(name)))
        connection.execute(sa.text("DELETE FROM fact WHERE name <> :gate"), {"gate": GATE})

    catalog.write(work)
    catalog.close()
