"""Stores by URL: which is meant, what is refused, and what may be printed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from modelyard.errors import InvalidInput, Unsupported
from modelyard.store.local import LocalBackend
from modelyard.store.opendal import OpenDalBackend
from modelyard.store.opening import check_url, open_backend, parse_url, shown
from modelyard.store.schemes import SCHEMES

GOOD = [
    "store", "../elsewhere/store", "/srv/models", "~/models", "fs:///srv/models",
    "file:///srv/my%20models", "memory://one", "s3://bucket", "s3://bucket/", "s3://my.bucket/a/b-c",
    "s3://bucket/p?endpoint=http://127.0.0.1:9000&region=us-east-1&addressing_style=path",
    "azblob://box/p?account_name=ours&endpoint=https://ours.blob.core.windows.net",
    "azblob://box?endpoint=http://127.0.0.1:10000/devstoreaccount1", "gcs://bucket/p", "gs://bucket",
    "oss://bucket/p?endpoint=https://oss-cn-hangzhou.aliyuncs.com", "webdav://dav.example.com:8080/a",
    "webdavs://dav.example.com/remote.php/dav/files/ann@example.com", "sqlite:///packs.db",
    "sqlite:////srv/packs.db", "postgresql://ann@db.example.com/yard?sslmode=require",
    "mysql://ann@db.example.com:3306/yard", "mariadb://localhost/yard", "mongodb://localhost/yard",
    "mongodb://ann@one:27017,two:27017/yard?replicaSet=rs0",
]  # fmt: skip
BAD = [
    "", "\n", "s3://bucket/\x00", "s3:bucket", "s3:/bucket", "S4://bucket", "http://example.com/x",
    "ftp://host/x", "s3://", "s3:///key", "s3://b", "s3://bucket/../other", "s3://bucket/./x",
    "s3://bucket/a//b", "s3://bucket/%2e%2e/x", "s3://bucket/a%00b", "s3://bucket/a\\b",
    "s3://bucket/*", "s3://bucket/" + "x" * 600, "s3://bucket#part", "s3://bucket?regoin=x",
    "s3://bucket?region", "s3://bucket?region=", "s3://bucket?region=a&region=b",
    "s3://bucket?endpoint=127.0.0.1:9000", "s3://bucket?endpoint=file:///etc",
    "s3://bucket?addressing_style=other", "s3://bucket?anonymous=yes", "s3://buc ket", "s3://[::1",
    "webdav://", "webdav:///path", "webdav://host:99999/x", "webdav://host/x?endpoint=http://h",
    "fs://relative/path", "fs:///", "file://host/path", "memory://", "memory://a/b", "memory://a?b=c",
    "sqlite://packs.db", "sqlite:///packs.db?mode=ro",
]  # fmt: skip
SECRET = [
    "s3://AKIA:hunter2@bucket/p", "s3://AKIA:hun/ter2@bucket/p", "s3://AKIA:4hun/hunter2@bucket",
    "s3://hunter2@bucket", "s3://bucket?secret_access_key=hunter2", "s3://bucket?SECRET=hunter2",
    "s3://bucket?access_key_id=hunter2", "s3://bucket?session_token=hunter2",
    "s3://bucket?endpoint=http://ann:hunter2@host", "azblob://box?account_key=hunter2",
    "azblob://box?sas_token=sv=1%26sig=hunter2", "azblob://box?sv=1&sig=hunter2",
    "webdav://ann:hunter2@host/x", "webdavs://ann:hunter2@host:8080/x@y",
    "postgresql://ann:hunter2@host/yard", "postgresql://ann:hunter2/x@host/yard",
    "postgresql://ann@host/yard?password=hunter2", "postgresql://ann@host/yard?sslpassword=hunter2",
    "mysql://ann:hunter2@host/yard", "mongodb://ann:hunter2@one:1,two:2/yard",
    "mongodb://ann@h/yard?authMechanismProperties=AWS_SESSION_TOKEN:hunter2",
    "fs://ann:hunter2@host/x", "sqlite:///x?key=1&password=hunter2", "memory://ann:hunter2@x",
    "postgresql://ann%3Ahunter2@host/yard", "mongodb://ann%3Ahunter2@host/yard",
    "azblob://box?endpoint=https://host/?sig=hunter2",
]  # fmt: skip


@pytest.mark.parametrize("url", GOOD)
def test_a_plain_url_is_a_stores(url):
    check_url(url)
    assert shown(url) == url


@pytest.mark.parametrize("url", BAD)
def test_what_is_no_stores_url_is_refused(url):
    with pytest.raises(InvalidInput) as caught:
        check_url(url)
    assert caught.value.kind == "bad-store-url"
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("url", SECRET)
def test_a_secret_in_a_url_is_refused_and_not_repeated(url):
    for call in (check_url, lambda url: open_backend(url, folder=Path())):
        with pytest.raises(InvalidInput) as caught:
            call(url)
        assert caught.value.kind == "secret-in-url"
        assert "hunter2" not in f"{caught.value} {caught.value.hint}"
    assert "hunter2" not in shown(url)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://host/yard?service=hunter2", "postgresql://host/yard?passfile=hunter2",
        "postgresql://host/yard?options=-c%20hunter2", "postgresql://host/yard?plugin=hunter2",
        "postgresql://host/yard;key=hunter2", "postgresql://host/yard#key=hunter2",
        "mysql://host/yard?init_command=hunter2", "mysql://host/yard?read_default_file=hunter2",
        "mysql://host/yard?local_infile=1", "mongodb://host/yard?proxyHost=hunter2",
        "sqlite:///x?key=hunter2", "sqlite:///file:x?mode=memory&uri=true",
    ],
)  # fmt: skip
def test_a_driver_is_told_nothing_that_is_not_known(url):
    with pytest.raises(InvalidInput) as caught:
        check_url(url)
    assert caught.value.kind == "bad-store-url"
    assert "hunter2" not in f"{caught.value} {caught.value.hint} {shown(url)}"


def test_an_unknown_parameter_is_named_with_the_nearest_known():
    with pytest.raises(InvalidInput) as caught:
        check_url("s3://bucket?endpiont=http://127.0.0.1:9000")
    assert "endpiont" in str(caught.value)
    assert "did you mean endpoint?" in caught.value.hint
    assert "addressing_style" in caught.value.hint


def test_an_unknown_scheme_is_told_the_nearest():
    with pytest.raises(InvalidInput) as caught:
        check_url("postgres://host/yard")
    assert "did you mean postgresql://?" in caught.value.hint


def test_a_path_begins_at_the_yards_folder(tmp_path):
    for url, place in (
        ("store", tmp_path / "store"),
        ("/srv/x", Path("/srv/x")),
        ("fs:///srv/my%20x", Path("/srv/my x")),
        ("~/x", Path("~/x").expanduser()),
    ):
        backend = open_backend(url, folder=tmp_path)
        assert isinstance(backend, LocalBackend)
        assert backend.root == place


def test_a_sqlite_file_begins_at_the_yards_folder(tmp_path):
    for url, name in (
        ("sqlite:///my packs.db", "my packs.db"),
        ("sqlite:///a%3Furi=true", "a?uri=true"),
        ("sqlite:///50%25", "50%"),
    ):
        backend = open_backend(url, folder=tmp_path)
        backend.put("k", b"1")
        assert (tmp_path / name).is_file()
        backend.close()


def test_memory_has_one_store_for_each_name(tmp_path):
    one = open_backend("memory://test-one", folder=tmp_path)
    one.put("k", b"1")
    assert open_backend("memory://test-one", folder=tmp_path).get("k") == b"1"
    assert list(open_backend("memory://test-two", folder=tmp_path).keys()) == []


def test_a_bucket_is_opened_without_asking_for_it(tmp_path):
    backend = open_backend("s3://bucket/a/b/?endpoint=http://127.0.0.1:9", folder=tmp_path)
    assert isinstance(backend, OpenDalBackend)
    assert (backend.facts.is_local, backend.facts.max_parallel) == (False, 16)
    assert parse_url("s3://bucket/a/b/").prefix == "a/b"
    backend.close()


@pytest.mark.parametrize(
    ("url", "word"),
    [("s3://bucket", "AWS_REGION"), ("oss://bucket", "OSS_ENDPOINT"), ("azblob://box", "AZURE_")],
)
def test_what_a_url_leaves_open_is_asked_for(url, word, tmp_path, monkeypatch):
    for name in list(os.environ):
        if name.startswith(("AWS_", "AZURE_", "OSS_", "ALIBABA_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "a2V5")
    with pytest.raises(InvalidInput) as caught:
        open_backend(url, folder=tmp_path)
    assert word in caught.value.hint


def test_without_opendal_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "opendal", None)
    with pytest.raises(Unsupported) as caught:
        open_backend("s3://bucket?region=us-east-1", folder=tmp_path)
    assert caught.value.hint == "pip install 'modelyard[cloud]'"


def test_the_libraries_of_clouds_are_not_imported_before_they_are_used():
    code = (
        "import sys; import modelyard.store.opening, modelyard.store.opendal;"
        "print([m for m in ('opendal', 'tenacity', 'psycopg', 'pymongo') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_table_of_schemes_is_whole():
    for name, scheme in SCHEMES.items():
        assert scheme.form
        assert scheme.service
        assert name in scheme.names
        assert bool(scheme.environment) == bool(scheme.credentials)
        assert not scheme.credentials or scheme.extra
