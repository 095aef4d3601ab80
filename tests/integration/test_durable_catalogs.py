"""What a catalog acknowledges is on the disk of its server."""

import sqlalchemy as sa

from modelyard.catalog.engine import Catalog


def test_a_database_that_acknowledges_early_is_told_not_to(postgres_url):
    catalog = Catalog.open(postgres_url)
    name = sa.make_url(postgres_url).database
    with catalog.engine.begin() as connection:
        connection.exec_driver_sql(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
    catalog.close()
    catalog = Catalog.open(postgres_url)
    with catalog.engine.begin() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"
    with catalog.engine.begin() as connection:
        connection.exec_driver_sql(f'ALTER DATABASE "{name}" RESET synchronous_commit')
    catalog.close()
