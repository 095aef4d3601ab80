"""The services that the tests stand on do what the tests take for granted."""

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

import psycopg
import pymongo
import pymysql
import pytest
from tests.services.fault_proxy import LOSE, PASS, RESET, Cut, Pass, Reply
from tests.services.state import ROOT


def test_postgres_gives_each_test_an_empty_database(postgres_url):
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SELECT count(*) FROM pg_stat_user_tables").fetchone() == (0,)
        assert connection.execute("SHOW max_connections").fetchone() == ("200",)
        connection.execute("CREATE TABLE seen (name text)")


test_postgres_gives_the_next_test_another_one = test_postgres_gives_each_test_an_empty_database


def _mariadb(url):
    port, _, name = url.rpartition(":")[2].partition("/")
    return pymysql.connect(host="127.0.0.1", port=int(port), user="yard", database=name)


def test_mariadb_gives_each_test_an_empty_database(mariadb_url):
    with _mariadb(mariadb_url) as connection, connection.cursor() as cursor:
        assert cursor.execute("SHOW TABLES") == 0
        cursor.execute("SELECT @@max_allowed_packet, @@character_set_database")
        assert cursor.fetchone() == (16 << 20, "utf8mb4")
        cursor.execute("CREATE TABLE seen (name text)")


test_mariadb_gives_the_next_test_another_one = test_mariadb_gives_each_test_an_empty_database


def test_mongodb_gives_each_test_an_empty_database(mongodb_url):
    with pymongo.MongoClient(mongodb_url) as client:
        database = client.get_default_database()
        assert database.list_collection_names() == []
        database["seen"].insert_one({"_id": 1})


test_mongodb_gives_the_next_test_another_one = test_mongodb_gives_each_test_an_empty_database


def _opened(url, **changes):
    """An operator of OpenDAL on one of the URLs that our fixtures give."""
    import opendal

    scheme, _, rest = url.partition("://")
    place, _, query = rest.partition("?")
    name, _, root = place.partition("/")
    options = {"root": root, **dict(urllib.parse.parse_qsl(query))}
    if scheme == "webdav":
        options["endpoint"] = f"http://{name}"
    options |= {_SECRETS[key]: os.environ[key] for key in _SECRETS if key in os.environ}
    options[{"azblob": "container"}.get(scheme, "bucket")] = name
    return opendal.Operator(scheme, **{**options, **changes})


_SECRETS = {
    "AZURE_STORAGE_ACCOUNT_NAME": "account_name",
    "AZURE_STORAGE_ACCOUNT_KEY": "account_key",
    "ALIBABA_CLOUD_ACCESS_KEY_ID": "access_key_id",
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "access_key_secret",
    "WEBDAV_USERNAME": "username",
    "WEBDAV_PASSWORD": "password",
}


def _works_as_a_store(operator):
    assert list(operator.list("")) == []
    data = uuid.uuid4().bytes * 1000
    operator.write("packs/ab/one", data)
    assert operator.read("packs/ab/one") == data
    assert operator.stat("packs/ab/one").content_length == len(data)
    with operator.open("packs/ab/one", "rb") as file:
        file.seek(5)
        assert file.read(9) == data[5:14]
    assert [entry.path for entry in operator.list("packs/ab/")][-1] == "packs/ab/one"
    operator.delete("packs/ab/one")
    assert not operator.exists("packs/ab/one")


@pytest.mark.parametrize("kind", ["s3", "s3rver", "azblob", "oss", "oss_moto", "gcs", "webdav"])
def test_an_object_store_gives_each_test_an_empty_bucket(kind, request):
    _works_as_a_store(_opened(request.getfixturevalue(f"{kind}_url")))


def test_oss_refuses_a_wrong_secret(oss_url):
    import opendal

    _opened(oss_url).write("one", b"1")
    with pytest.raises(opendal.exceptions.PermissionDenied, match="SignatureDoesNotMatch"):
        _opened(oss_url, access_key_secret="wrong").read("one")
    with pytest.raises(opendal.exceptions.PermissionDenied, match="InvalidAccessKeyId"):
        _opened(oss_url, access_key_id="stranger").read("one")


def test_oss_refuses_to_overwrite_when_asked_to(oss_url):
    import opendal

    store = _opened(oss_url)
    store.write("one", b"first", if_not_exists=True)
    with pytest.raises(opendal.exceptions.ConditionNotMatch):
        store.write("one", b"second", if_not_exists=True)
    assert store.read("one") == b"first"


def test_oss_lists_more_keys_than_one_page_holds(oss_url):
    store = _opened(oss_url)
    names = [f"many/{number:04}" for number in range(250)]
    for name in names:
        store.write(name, b"")
    assert [entry.path for entry in store.list("many/")] == names
    rest = [entry.path for entry in store.list("many/", start_after="many/0200")]
    assert rest == names[201:]


def test_oss_takes_an_object_in_parts(oss_url):
    store = _opened(oss_url)
    with store.open("big", "wb", chunk=1 << 20) as file:
        for letter in b"abc":
            file.write(bytes([letter]) * (1 << 20))
    assert store.read("big") == b"".join(bytes([letter]) * (1 << 20) for letter in b"abc")


_BY_HOST = """
import os, opendal
store = opendal.Operator("oss", bucket=os.environ["BUCKET"], endpoint="http://oss.example.com",
    access_key_id=os.environ["ALIBABA_CLOUD_ACCESS_KEY_ID"],
    access_key_secret=os.environ["ALIBABA_CLOUD_ACCESS_KEY_SECRET"])
store.write("packs/one", b"by host")
print(store.read("packs/one"), [entry.path for entry in store.list("packs/")])
"""


def test_oss_knows_a_bucket_by_its_host(oss_url):
    """The client believes in a proxy: so it needs no name server to send `bucket.oss...`."""
    bucket = oss_url.split("/")[2]
    endpoint = oss_url.partition("endpoint=")[2].partition("&")[0]
    environ = {**os.environ, "BUCKET": bucket, "http_proxy": endpoint, "no_proxy": ""}
    done = subprocess.run([sys.executable, "-c", _BY_HOST], env=environ, capture_output=True)
    assert done.stdout == b"b'by host' ['packs/one']\n", done.stderr


def test_gcs_lets_nobody_in_without_a_token(gcs_url):
    import opendal

    store = _opened(gcs_url)
    store.write("one", b"first", if_not_exists=True)
    with pytest.raises(opendal.exceptions.ConditionNotMatch):
        store.write("one", b"second", if_not_exists=True)
    assert store.read("one") == b"first"
    with pytest.raises(opendal.exceptions.Unexpected, match="Login Required"):
        _opened(gcs_url, allow_anonymous="true", token="wrong").read("one")


def test_webdav_refuses_a_wrong_password(webdav_url):
    import opendal

    with pytest.raises(opendal.exceptions.Unexpected, match="status: 401"):
        _opened(webdav_url, password="wrong").read("one")


@pytest.fixture
def faulty_store(oss_url, faulty_http):
    """A bucket with one object of 1000 bytes behind a proxy; the proxy has seen nothing yet."""
    endpoint = oss_url.partition("endpoint=")[2].partition("&")[0]
    proxy = faulty_http(endpoint)
    _opened(oss_url).write("one", b"x" * 1000)
    return proxy, _opened(oss_url, endpoint=proxy.url), _opened(oss_url)


def test_the_proxy_passes_on_what_it_is_not_told_to_break(faulty_store):
    proxy, store, _ = faulty_store
    store.delete("one")
    _works_as_a_store(store)
    assert {line.action for line in proxy.log} == {PASS}
    assert [line.status for line in proxy.log if line.method == "PUT"] == [200]


def test_the_proxy_answers_in_place_of_the_service(faulty_store):
    proxy, _, direct = faulty_store
    proxy.plan([Reply(503, retry_after=2), Reply(500)])
    for status, wait in ((503, "2"), (500, None)):
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(urllib.request.Request(f"{proxy.url}/a", b"x", method="PUT"))
        with caught.value as answer:
            assert (answer.code, answer.headers["Retry-After"]) == (status, wait)
    assert [(line.method, line.path, line.size, line.status) for line in proxy.log] == [
        ("PUT", "/a", 1, None)
    ] * 2
    assert direct.exists("one")


def test_the_proxy_loses_the_reply_to_a_write_that_took_effect(faulty_store):
    import opendal

    proxy, store, direct = faulty_store
    proxy.plan([LOSE])
    with pytest.raises(opendal.exceptions.Unexpected):
        store.write("two", b"written")
    assert direct.read("two") == b"written"
    assert proxy.log[-1].status == 200


def test_the_proxy_resets_a_connection_before_anything_took_effect(faulty_store):
    proxy, _, direct = faulty_store
    proxy.plan(lambda method, path, count: RESET if method == "PUT" else PASS)
    connection = http.client.HTTPConnection(proxy.url.removeprefix("http://"))
    with contextlib.closing(connection):
        connection.request("PUT", "/two", b"lost")
        with pytest.raises(ConnectionResetError):
            connection.getresponse()
    assert not direct.exists("two")
    assert proxy.log[-1].status is None


def test_the_proxy_cuts_a_body_short(faulty_store):
    proxy, store, _ = faulty_store
    proxy.plan([PASS, Cut(100), Cut(0), Pass(delay=0.2)])
    assert len(store.read("one")) == 1000
    for _ in range(2):
        with pytest.raises(Exception, match="body") as caught:
            store.read("one")
        assert type(caught.value).__module__ == "opendal.exceptions"
    began = time.monotonic()
    assert len(store.read("one")) == 1000
    assert time.monotonic() - began >= 0.2


@pytest.mark.slow
@pytest.mark.parametrize("kill", [False, True])
def test_a_restarted_postgres_keeps_what_was_committed(own_service, kill):
    server = own_service("postgres")
    with psycopg.connect(server.url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    server.restart(kill=kill)
    with psycopg.connect(server.url) as connection:
        assert connection.execute("SELECT number FROM kept").fetchall() == [(7,)]


@pytest.mark.slow
@pytest.mark.parametrize("kill", [False, True])
def test_a_restarted_mariadb_keeps_what_was_committed(own_service, kill):
    server = own_service("mariadb")
    with _mariadb(server.url) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE kept AS SELECT 7 AS number")
        connection.commit()
    server.restart(kill=kill)
    with _mariadb(server.url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT number FROM kept")
        assert cursor.fetchall() == ((7,),)


def _services(*words, home):
    environ = {**os.environ, "YARD_SERVICES_HOME": str(home)}
    command = [sys.executable, "scripts/services", *words]
    return subprocess.run(command, env=environ, capture_output=True, text=True, cwd=ROOT)


def test_a_service_ends_with_its_last_user(tmp_path):
    users = [subprocess.Popen(["sleep", "60"]) for _ in range(3)]
    told = {_services("start", "oss", "--for", str(u.pid), home=tmp_path).stdout for u in users}
    assert len(told) == 1
    users[0].kill()  # it never says goodbye
    users[0].wait()
    _services("release", "--for", str(users[1].pid), home=tmp_path)
    assert "process" in _services("status", "oss", home=tmp_path).stdout
    _services("release", "--for", str(users[2].pid), home=tmp_path)
    assert "not running" in _services("status", "oss", home=tmp_path).stdout
    for user in users:
        with user:
            user.kill()


def test_a_service_that_died_is_started_again(tmp_path):
    first = _services("start", "oss", home=tmp_path).stdout
    pid = int(_services("status", "oss", home=tmp_path).stdout.rpartition(" ")[2])
    os.kill(pid, signal.SIGKILL)
    second = _services("start", "oss", home=tmp_path).stdout
    assert first != second
    assert "stopped" in _services("stop", "oss", home=tmp_path).stdout
    assert "not running" in _services("status", "oss", home=tmp_path).stdout


def test_a_name_that_no_service_has_is_refused(tmp_path):
    done = _services("start", "oracle", home=tmp_path)
    assert done.returncode == 2
    assert "there are postgres, mariadb, mongodb" in done.stderr
