"""Fixtures that give each test a new, empty database or bucket of a real service.

A service starts when the first test asks for it and is shared by all workers; it stops when the
last test process that used it ends. Credentials come by the environment, as in each cloud.
"""

from __future__ import annotations

import base64
import contextlib
import hmac
import json
import os
import subprocess
import sys
import uuid
from dataclasses import dataclass
from email.utils import formatdate
from typing import TYPE_CHECKING

import pytest
from tests.services import gcs, oss
from tests.services.fault_proxy import FaultProxy
from tests.services.kinds import SERVICES
from tests.services.prometheus import Prometheus, installed
from tests.services.state import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pymysql

_SCRIPT = str(ROOT / "scripts" / "services")


def _script(*words: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, _SCRIPT, *words]
    return subprocess.run(command, capture_output=True, text=True, env=env)


@pytest.fixture(scope="session")
def service(require: Callable[[str, object], None]) -> Iterator[Callable[[str], str]]:
    """`service("postgres")`: its address; started if need be. For what belongs to all tests."""
    addresses: dict[str, str] = {}

    def address(name: str) -> str:
        if name not in addresses:
            done = _script("start", name, "--for", str(os.getpid()))
            require(name, found=done.returncode != 3)
            assert done.returncode == 0, done.stderr
            addresses[name] = done.stdout.split("\t")[1].strip()
        return addresses[name]

    yield address
    if addresses:
        _script("release", "--for", str(os.getpid()))


@dataclass
class OwnService:
    """A service of one test's own, to be restarted and crashed."""

    name: str
    url: str
    """Of PostgreSQL and MariaDB: an empty database on it."""
    environ: dict[str, str]

    def restart(self, *, kill: bool = False) -> None:
        """The same data on the same port; `kill`: all its processes die at once before."""
        done = _script("restart", self.name, *(["--kill"] if kill else []), env=self.environ)
        assert done.returncode == 0, done.stderr


@pytest.fixture
def own_service(
    require: Callable[[str, object], None], tmp_path: Path
) -> Iterator[Callable[[str], OwnService]]:
    """`own_service("postgres")`: a second one that no other test sees; about one second."""
    environ = {**os.environ, "YARD_SERVICES_HOME": str(tmp_path / "services")}
    begun: list[str] = []

    def begin(name: str) -> OwnService:
        done = _script("start", name, env=environ)
        require(name, done.returncode != 3)
        assert done.returncode == 0, done.stderr
        begun.append(name)
        url = done.stdout.split("\t")[1].strip()
        if name == "mariadb":
            with mariadb(url) as connection, connection.cursor() as cursor:
                cursor.execute("CREATE DATABASE yard")
            url = f"{url.rpartition('/')[0]}/yard"
        return OwnService(name, url, environ)

    yield begin
    if begun:
        _script("stop", *begun, env=environ)


@pytest.fixture
def use_credentials(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """`use_credentials("s3")`: what the service's clients look for in the environment."""

    def use(name: str) -> None:
        for variable, value in SERVICES[name].environ.items():
            monkeypatch.setenv(variable, value)

    return use


def _new(word: str, separator: str = "_") -> str:
    return f"{word}{separator}{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="session")
def postgres_pool() -> list[str]:
    """Empty databases that this worker may use again: a new one costs 7 MB of copied files."""
    return []


@pytest.fixture
def postgres_url(service: Callable[[str], str], postgres_pool: list[str]) -> Iterator[str]:
    """An empty database of PostgreSQL."""
    import psycopg

    server = service("postgres")
    if not postgres_pool:
        name = _new("db")
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} STRATEGY file_copy")
        postgres_pool.append(f"{server.rpartition('/')[0]}/{name}")
    url = postgres_pool.pop()
    yield url
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        schemas = connection.execute(
            "SELECT nspname FROM pg_namespace"
            " WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'"
        )
        for (schema,) in schemas.fetchall():
            connection.execute(f'DROP SCHEMA "{schema}" CASCADE')
        connection.execute("CREATE SCHEMA public")
    postgres_pool.append(url)


def mariadb(server: str) -> pymysql.Connection:
    """A connection to a server of ours."""
    import pymysql

    port = int(server.rpartition(":")[2].partition("/")[0])
    return pymysql.connect(host="127.0.0.1", port=port, user="yard", autocommit=True)


@pytest.fixture
def mariadb_url(service: Callable[[str], str]) -> Iterator[str]:
    """A new database of MariaDB."""
    import pymysql

    server, name = service("mariadb"), _new("db")
    with mariadb(server) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    yield f"{server.rpartition('/')[0]}/{name}"
    with mariadb(server) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT id FROM information_schema.processlist WHERE db = %s", (name,))
        for (forgotten,) in cursor.fetchall():
            with contextlib.suppress(pymysql.err.OperationalError):  # it has just ended by itself
                cursor.execute(f"KILL {forgotten}")  # its open transaction would hold the drop back
        cursor.execute(f"DROP DATABASE {name}")


@pytest.fixture
def mongodb_url(service: Callable[[str], str]) -> Iterator[str]:
    """A new database of SecantusDB, which speaks MongoDB's wire protocol."""
    import pymongo

    server, name = service("mongodb"), _new("db")
    yield f"{server}{name}"
    with pymongo.MongoClient(server) as client:
        client.drop_database(name)


def _put(url: str, headers: dict[str, str] | None = None, method: str = "PUT") -> None:
    """One request that makes a bucket."""
    import urllib.request

    request = urllib.request.Request(url, method=method, headers=headers or {}, data=b"")
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status in (200, 201)


@pytest.fixture
def s3_url(service: Callable[[str], str], use_credentials: Callable[[str], None]) -> str:
    """A new bucket of moto's server, which keeps to S3's conditional writes."""
    server, bucket = service("s3"), _new("bucket", "-")
    use_credentials("s3")
    _put(f"{server}/{bucket}")
    return f"s3://{bucket}/prefix?endpoint={server}&region=us-east-1"


@pytest.fixture
def s3rver_url(service: Callable[[str], str], use_credentials: Callable[[str], None]) -> str:
    """A new bucket of s3rver, which verifies signatures and ignores conditions."""
    server, bucket = service("s3rver"), _new("bucket", "-")
    use_credentials("s3rver")
    _put(f"{server}/{bucket}")
    return f"s3://{bucket}/prefix?endpoint={server}&region=us-east-1"


@pytest.fixture
def azblob_url(service: Callable[[str], str], use_credentials: Callable[[str], None]) -> str:
    """A new container of azurite."""
    use_credentials("azurite")
    server = service("azurite")
    return f"azblob://{new_container(server)}/prefix?endpoint={server}"


def new_container(server: str) -> str:
    """Make a container of Azure Blob; gives its name."""
    container = _new("container", "-")
    account, key = SERVICES["azurite"].environ.values()
    headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-12-02"}
    named = "".join(f"{name}:{value}\n" for name, value in sorted(headers.items()))
    path = f"/{account}/{account}/{container}\nrestype:container"
    kind = "application/octet-stream"
    signed = f"PUT\n\n\n\n\n{kind}\n\n\n\n\n\n\n{named}{path}".encode()
    seal = hmac.digest(base64.b64decode(key), signed, "sha256")
    headers["Authorization"] = f"SharedKey {account}:{base64.b64encode(seal).decode()}"
    _put(f"{server}/{container}?restype=container", {**headers, "Content-Type": kind})
    return container


@pytest.fixture
def oss_url(service: Callable[[str], str], use_credentials: Callable[[str], None]) -> str:
    """A new bucket of our OSS server, which verifies signatures and can refuse to overwrite."""
    server, bucket = service("oss"), _new("bucket", "-")
    use_credentials("oss")
    _put(f"{server}/{bucket}/", oss.authorized("PUT", f"/{bucket}/"))
    return f"oss://{bucket}/prefix?endpoint={server}&addressing_style=path"


@pytest.fixture
def oss_moto_url(service: Callable[[str], str], use_credentials: Callable[[str], None]) -> str:
    """A new bucket of moto's server, asked by OSS's client: its lists and uploads in parts."""
    server, bucket = service("s3"), _new("bucket", "-")
    use_credentials("oss")
    _put(f"{server}/{bucket}")
    return f"oss://{bucket}/prefix?endpoint={server}&addressing_style=path"


@pytest.fixture
def gcs_url(service: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A new bucket of our Google Cloud Storage; the credentials file is exchanged for a token."""
    server, bucket = service("gcs"), _new("bucket", "-")
    subject, file = tmp_path / "google-subject", tmp_path / "google.json"
    subject.write_text(gcs.SUBJECT)
    words = {
        "type": "external_account",
        "audience": "//tests",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"{server}/token",
        "credential_source": {"file": str(subject), "format": {"type": "text"}},
    }
    file.write_text(json.dumps(words))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    token = {"Authorization": f"Bearer {gcs.TOKEN}"}
    _put(f"{server}/storage/v1/b?name={bucket}", token, method="POST")
    return f"gcs://{bucket}/prefix?endpoint={server}"


@pytest.fixture
def webdav_url(service: Callable[[str], str], use_credentials: Callable[[str], None]) -> str:
    """A new folder of our WebDAV server; whoever names himself needs the right password."""
    server, folder = service("webdav"), _new("folder", "-")
    use_credentials("webdav")
    return f"webdav://{server.removeprefix('http://')}/{folder}"


@pytest.fixture
def faulty_http() -> Iterator[Callable[[str], FaultProxy]]:
    """`faulty_http(address)`: a proxy to that HTTP service that fails as it is told to."""
    with contextlib.ExitStack() as all_of_them:

        def begin(target: str) -> FaultProxy:
            return all_of_them.enter_context(contextlib.closing(FaultProxy(target)))

        yield begin


@pytest.fixture
def prometheus(
    require: Callable[[str, object], None], tmp_path: Path
) -> Iterator[Callable[..., Prometheus]]:
    """`prometheus({"yard": ["127.0.0.1:8000"]}, webhook=...)`: a real one of this test's own."""
    require("prometheus", installed())
    with contextlib.ExitStack() as all_of_them:

        def begin(targets: dict[str, list[str]] | None = None, **words: object) -> Prometheus:
            return all_of_them.enter_context(Prometheus(tmp_path, targets, **words))

        yield begin
