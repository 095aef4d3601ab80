"""SQLite, PostgreSQL and MariaDB as stores: what any backend promises, and what databases do."""

import os
import threading
import time
import uuid
from urllib.parse import urlsplit

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.store.databases import killed_in_the_middle, puts, puts_while

from modelyard.errors import Corrupt, Denied, InvalidInput, NotFound, Unavailable
from modelyard.store.sql import SqlBackend
from modelyard.testing import BackendTests
from modelyard.testing.strategies import few

MIB = 1 << 20
CONTENT = np.random.default_rng(5).bytes(4 * MIB)


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


@pytest.fixture(params=["sqlite", "postgres", "mariadb"])
def url(request):
    return request.getfixturevalue(f"{request.param}_url")


@pytest.fixture
def backend(url):
    yield from _opened(url)


@pytest.fixture
def ask(url):
    """`ask("SELECT ...")`: what the database holds, past the backend."""
    drivers = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql"}
    engine = sa.create_engine(drivers.get(urlsplit(url).scheme, "sqlite") + url[url.index(":") :])

    def ask(statement):
        with engine.begin() as connection:
            result = connection.execute(sa.text(statement))
            return result.scalar() if result.returns_rows else None

    yield ask
    engine.dispose()


@few(12)
@given(data=st.data(), parts=st.integers(0, 3), more=st.sampled_from([-1, 0, 1, 5000]))
def test_any_range_of_any_number_of_parts_is_the_slice(backend, data, parts, more):
    size = max(parts * MIB + more, 0)
    backend.put(f"of/{size}", CONTENT[:size])
    near = st.sampled_from([at * MIB + off for at in range(4) for off in (-1, 0, 1, 4096)])
    start = min(max(data.draw(near), 0), size)
    end = min(max(data.draw(near), start), size)
    assert backend.get(f"of/{size}", start, end) == CONTENT[start:end]
    assert backend.get(f"of/{size}", start) == CONTENT[start:size]
    backend.delete(f"of/{size}")


def test_bytes_that_mean_something_in_sql_come_back(backend):
    content = bytes(range(256)) * 3 + b"'; DROP TABLE x; -- \\' %s %(a)s ? :a \\" + b"'" * 5000
    backend.put("k", content)
    assert backend.get("k") == content


def test_a_second_put_takes_the_place_of_the_first_whole(backend, ask):
    backend.put("k", CONTENT[: 3 * MIB])
    assert backend.get("k", 5, 10) == CONTENT[5:10]
    other = SqlBackend(backend._database._url.render_as_string())
    other.put("k", CONTENT[MIB : 2 * MIB])
    other.close()
    assert backend.get("k", 5, 10) == CONTENT[MIB + 5 : MIB + 10]
    assert ask("SELECT count(*) FROM yard_store_part") == 1
    assert ask("SELECT count(*) FROM yard_store_object") == 1


def test_a_lost_part_is_told(backend, ask):
    backend.put("k", CONTENT[: 3 * MIB])
    ask("DELETE FROM yard_store_part WHERE number = 1")
    assert backend.get("k", 0, MIB) == CONTENT[:MIB]
    with pytest.raises(Corrupt) as caught:
        backend.get("k")
    assert caught.value.kind == "short-object"


def test_delete_leaves_nothing(backend, ask):
    backend.put("k", CONTENT)
    backend.delete("k")
    assert ask("SELECT count(*) FROM yard_store_part") == 0
    assert ask("SELECT count(*) FROM yard_store_upload") == 0


@pytest.mark.slow
def test_64_mib_are_put_in_little_memory(url):
    process = puts(url, 64 * MIB)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    assert int(said.split()[1]) < 24 * MIB


@pytest.mark.slow
def test_a_put_that_is_killed_leaves_nothing_to_see_and_little_to_clean(backend, url, ask):
    backend.put("kept", b"kept")
    killed_in_the_middle(url, 512 * MIB, lambda: ask("SELECT count(*) FROM yard_store_upload"))
    assert list(backend.keys()) == ["kept", "warm"]
    assert backend.stat("big") is None
    assert backend.remove_leftovers() == 0  # it may be alive, for all we know
    assert backend.remove_leftovers(-1.0) == 1
    assert ask("SELECT count(*) FROM yard_store_part") == 4
    assert backend.get("kept") == b"kept"


@pytest.mark.slow
def test_two_processes_put_one_key_at_once(backend, url, ask):
    processes = [puts(url, 20 * MIB, 4) for _ in range(2)]
    for process in processes:
        process.communicate(timeout=120)
        assert process.returncode == 0
    assert backend.get("big", 19 * MIB) == bytes(range(256)) * (MIB >> 8)
    assert list(backend.keys()) == ["big", "warm"]
    assert ask("SELECT count(*) FROM yard_store_part") == 20 + 3
    assert ask("SELECT count(*) FROM yard_store_upload") == 0


def test_tables_are_made_once_by_many_at_once(url):
    backends = [SqlBackend(url) for _ in range(6)]
    threads = [
        threading.Thread(target=backend.put, args=(f"k/{number}", b"x"))
        for number, backend in enumerate(backends)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(backends[0].keys()) == [f"k/{number}" for number in range(6)]
    for backend in backends:
        backend.close()


def test_a_swept_upload_is_written_again(backend, ask):
    """Its writer slept longer than gc waits, then goes on."""
    swept, stop = [], threading.Event()

    def sweep():
        while not swept and not stop.is_set():
            if backend.remove_leftovers(-1.0):
                swept.append(True)

    backend.put("first", b"")
    sweeper = threading.Thread(target=sweep)
    sweeper.start()
    for _ in range(20):
        backend.put("k", CONTENT * 5)
        if swept:
            break
    stop.set()
    sweeper.join()
    assert swept
    assert backend.get("k") == CONTENT * 5
    assert ask("SELECT count(*) FROM yard_store_part") == 20


SECRET = "correct-horse-battery"


def _put_and_close(url):
    backend = SqlBackend(url)
    try:
        backend.put("k", b"environment")
    finally:
        backend.close()


def _refused(url):
    with pytest.raises((Denied, NotFound, Unavailable, InvalidInput)) as caught:
        _put_and_close(url)
    assert SECRET not in f"{caught.value} {caught.value.hint}"
    return type(caught.value), caught.value.kind


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
def test_a_password_in_the_url_is_refused(scheme):
    for url in (f"{scheme}://u:{SECRET}@h/db", f"{scheme}://h/db?password={SECRET}"):
        assert _refused(url) == (InvalidInput, "secret-in-url")


@pytest.mark.parametrize(
    "url",
    ["x", "sqlite:///", "oracle://h/d", "mysql://h", "postgresql://127.0.0.1/d?no_such_option=1"],
)
def test_a_url_of_no_database_is_refused(url):
    assert _refused(url) == (InvalidInput, "bad-store-url")


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
def test_an_unknown_host_is_told_at_once(scheme):
    begin = time.monotonic()
    found = _refused(f"{scheme}://yard@no-such-host.invalid/db")
    assert found == (Unavailable, "store-unavailable")
    assert time.monotonic() - begin < 12


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
def test_a_server_that_is_not_there_is_told_soon(scheme):
    begin = time.monotonic()
    assert _refused(f"{scheme}://yard@127.0.0.1:1/db") == (Unavailable, "store-unavailable")
    assert time.monotonic() - begin < 12


def test_a_database_that_is_not_there_is_told(postgres_url, mariadb_url):
    for url in (postgres_url, mariadb_url):
        assert _refused(f"{url.rpartition('/')[0]}/no_such_db") == (NotFound, "no-database")


def test_a_file_that_is_no_database_is_damaged(tmp_path):
    (tmp_path / "store.db").write_bytes(os.urandom(5000))
    with pytest.raises(Corrupt) as caught:
        SqlBackend(f"sqlite:///{tmp_path}/store.db").stat("k")
    assert caught.value.kind == "store-damaged"


def test_the_catalogs_own_file_is_refused(tmp_path):
    """SQLite has one writer at a time, and a catalog's transaction waits for the store."""
    engine = sa.create_engine(f"sqlite:///{tmp_path}/catalog.db")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num TEXT)")
    engine.dispose()
    assert _refused(f"sqlite:///{tmp_path}/catalog.db") == (InvalidInput, "bad-store-url")


def test_a_file_that_may_only_be_read_is_read(tmp_path):
    whole = SqlBackend(f"sqlite:///{tmp_path}/store.db")
    whole.put("k", b"x")
    reading = SqlBackend(f"sqlite:///file:{tmp_path}/store.db?mode=ro&uri=true")
    assert reading.get("k") == b"x"
    with pytest.raises(Denied) as caught:
        reading.put("k", b"y")
    assert caught.value.kind == "store-permission"
    reading.close()
    whole.close()


def test_a_database_that_may_only_be_read_is_told(postgres_url):
    read_only = "?options=-c%20default_transaction_read_only%3Don"
    assert _refused(postgres_url + read_only) == (Denied, "store-permission")


def test_rights_that_are_missing_are_told(mariadb_url, monkeypatch):
    user, name = f"u{uuid.uuid4().hex[:10]}", mariadb_url.rpartition("/")[2]
    engine = sa.create_engine("mysql+pymysql" + mariadb_url[len("mysql") :])
    theirs = mariadb_url.replace("yard@", f"{user}@")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE USER {user}@localhost IDENTIFIED BY '{SECRET}'")
        try:
            connection.exec_driver_sql(f"GRANT SELECT ON {name}.* TO {user}@localhost")
            assert _refused(theirs) == (Denied, "store-credentials")
            monkeypatch.setenv("YARD_STORE_PASSWORD", f"not-{SECRET}")
            assert _refused(theirs) == (Denied, "store-credentials")
            monkeypatch.setenv("YARD_STORE_PASSWORD", SECRET)
            assert _refused(theirs) == (Denied, "store-permission")
        finally:
            connection.exec_driver_sql(f"DROP USER {user}@localhost")
    engine.dispose()


@pytest.fixture
def passwords(mariadb_url):
    """A user of MariaDB with a password, and all rights on the database."""
    user, name = f"u{uuid.uuid4().hex[:10]}", mariadb_url.rpartition("/")[2]
    engine = sa.create_engine("mysql+pymysql" + mariadb_url[len("mysql") :])
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE USER {user}@localhost IDENTIFIED BY '{SECRET}'")
        connection.exec_driver_sql(f"GRANT ALL ON {name}.* TO {user}@localhost")
        yield user
        connection.exec_driver_sql(f"DROP USER {user}@localhost")
    engine.dispose()


@pytest.mark.parametrize("variable", ["YARD_STORE_PASSWORD", "MYSQL_PWD"])
def test_mysql_takes_the_password_from_the_environment(
    mariadb_url, passwords, monkeypatch, variable
):
    monkeypatch.setenv(variable, SECRET)
    backend = SqlBackend(mariadb_url.replace("yard@", f"{passwords}@"))
    backend.put("k", b"x")
    backend.close()


def test_mysql_takes_user_and_password_from_the_users_file(
    mariadb_url, passwords, monkeypatch, tmp_path
):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".my.cnf").write_text(f"[client]\nuser={passwords}\npassword='{SECRET}'\n")
    backend = SqlBackend(mariadb_url.replace("yard@", ""))
    backend.put("k", b"x")
    backend.close()


def _do(url, *statements):
    drivers = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql"}
    engine = sa.create_engine(drivers[urlsplit(url).scheme] + url[url.index(":") :])
    with engine.connect() as connection:
        for statement in statements:
            result = connection.exec_driver_sql(statement)
        connection.commit()
        found = result.scalar() if result.returns_rows else None
    engine.dispose()
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", ["postgres", "mariadb"])
def test_puts_outlive_a_crash_of_the_database(own_service, name):
    server = own_service(name)
    backend = SqlBackend(server.url)
    backend.put("before", CONTENT)
    acknowledged = puts_while(backend, CONTENT, lambda: server.restart(kill=True))
    for key, content in {**acknowledged, "before": CONTENT}.items():
        assert backend.get(key) == content
    backend.close()


@pytest.mark.slow
def test_a_server_that_takes_little_at_once_gets_smaller_parts(own_service):
    server = own_service("mariadb")
    _do(server.url, "SET GLOBAL max_allowed_packet = 1048576")
    content = b"'" * (2 * MIB) + CONTENT  # quotes are sent as two bytes each
    backend = SqlBackend(server.url)
    backend.put("k", content)
    assert backend.get("k") == content
    assert backend.get("k", 2 * MIB - 5, 2 * MIB + 5) == content[2 * MIB - 5 : 2 * MIB + 5]
    backend.close()
    assert _do(server.url, "SELECT max(length(data)) FROM yard_store_part") < MIB // 2


@pytest.mark.slow
def test_postgres_takes_the_password_from_where_libpq_looks(own_service, monkeypatch, tmp_path):
    server = own_service("postgres")
    access = "('host all locked 127.0.0.1/32 scram-sha-256'), ('host all all 127.0.0.1/32 trust')"
    _do(
        server.url,
        f"CREATE ROLE locked SUPERUSER LOGIN PASSWORD '{SECRET}'",
        f"COPY (VALUES {access}) TO '{_do(server.url, 'SHOW hba_file')}'",
        "SELECT pg_reload_conf()",
    )
    url = server.url.replace("yard@", "locked@")
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "pgpass"))
    assert _refused(url) == (Denied, "store-credentials")
    monkeypatch.setenv("PGPASSWORD", f"not-{SECRET}")
    assert _refused(url) == (Denied, "store-credentials")
    monkeypatch.setenv("YARD_STORE_PASSWORD", SECRET)
    _put_and_close(url)
    monkeypatch.delenv("YARD_STORE_PASSWORD")
    monkeypatch.delenv("PGPASSWORD")
    (tmp_path / "pgpass").write_text(f"*:*:*:locked:{SECRET}\n")
    (tmp_path / "pgpass").chmod(0o600)
    backend = SqlBackend(url)
    assert backend.get("k") == b"environment"
    backend.close()
