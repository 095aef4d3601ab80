"""The services that the tests stand on do what the tests take for granted."""

import os
import uuid

import psycopg
import pymongo
import pymysql
import pytest


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


def _opened(url):
    """An operator of OpenDAL on one of the URLs that our fixtures give."""
    import opendal

    scheme, _, rest = url.partition("://")
    place, _, query = rest.partition("?")
    bucket, _, root = place.partition("/")
    options = dict(item.split("=", 1) for item in query.split("&"))
    named = {"azblob": "container"}.get(scheme, "bucket")
    secrets = {}  # only these two don't look into the environment by themselves
    if scheme == "azblob":
        secrets = {
            "account_name": os.environ["AZURE_STORAGE_ACCOUNT_NAME"],
            "account_key": os.environ["AZURE_STORAGE_ACCOUNT_KEY"],
        }
    return opendal.Operator(scheme, **{named: bucket}, root=root, **options, **secrets)


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


@pytest.mark.parametrize("kind", ["s3", "s3rver", "azblob"])
def test_an_object_store_gives_each_test_an_empty_bucket(kind, request):
    _works_as_a_store(_opened(request.getfixturevalue(f"{kind}_url")))
