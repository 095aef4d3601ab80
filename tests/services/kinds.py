"""The services that tests use: how each is found, prepared, started, asked and addressed."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.services import oss, webdav
from tests.services.state import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SERVICES", "Service", "as_user"]

NPM = ROOT / ".services" / "npm"
_BIN = ROOT / ".venv" / "bin"


@dataclass(frozen=True)
class Service:
    """One server."""

    name: str
    program: Callable[[], str | None]
    """The path of what is run; None if it is not installed."""
    command: Callable[[str, Path, int], list[str]]
    """From program, folder and port."""
    url: str
    healthy: Callable[[int], bool]
    prepare: Callable[[str, Path], None] = lambda program, folder: None
    """Fills a new folder."""
    user: str | None = None
    """Who runs it where we are root, because it refuses to run as root."""
    environ: dict[str, str] = field(default_factory=dict)
    """What its clients find in the environment; fixed words of test servers, no secrets."""
    stop_signal: str = "SIGTERM"
    pid_file: str | None = None
    """What a killed server leaves behind and would stumble over: below its folder."""

    def address(self, port: int) -> str:
        return self.url.format(port=port)


def as_user(service: Service) -> dict[str, object]:
    """The arguments of `subprocess` that give up root for a service that wants it."""
    if service.user is None or os.getuid() != 0:
        return {}
    return {"user": service.user, "group": service.user, "extra_groups": []}


def _run(service: Service, *command: str) -> None:
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd="/", **as_user(service)
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stdout.decode(errors='replace')[-800:]}")


# PostgreSQL and MariaDB write what is committed to the system at once, but don't wait for the
# disk: a killed server loses nothing, a machine without power might. Tests need no more.


def _postgres() -> str | None:
    versions = Path("/usr/lib/postgresql").glob("*/bin/postgres")
    newest = sorted(versions, key=lambda path: int(path.parts[4]))
    return str(newest[-1]) if newest else shutil.which("postgres")


def _postgres_prepare(program: str, folder: Path) -> None:
    initdb = str(Path(program).with_name("initdb"))
    options = ("-U", "yard", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8")
    _run(SERVICES["postgres"], initdb, "-D", f"{folder}/data", *options)


def _postgres_command(program: str, folder: Path, port: int) -> list[str]:
    settings = {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "max_connections": "200",
        "fsync": "off",
        "full_page_writes": "off",
        "wal_level": "minimal",
        "max_wal_senders": "0",
    }
    options = [word for item in settings.items() for word in ("-c", "=".join(item))]
    return [program, "-D", f"{folder}/data", "-p", str(port), *options]


def _postgres_healthy(port: int) -> bool:
    program = str(Path(_postgres() or "postgres").with_name("pg_isready"))
    place = ["-h", "127.0.0.1", "-p", str(port), "-U", "yard", "-d", "postgres"]
    return not subprocess.call([program, "-q", *place])


def _mariadb() -> str | None:
    return shutil.which("mariadbd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def _mariadb_prepare(program: str, folder: Path) -> None:
    account = ", ".join(["'yard'@'127.0.0.1'", "'yard'@'localhost'"])
    (folder / "init.sql").write_text(
        f"CREATE USER IF NOT EXISTS {account};\nGRANT ALL ON *.* TO {account} WITH GRANT OPTION;\n"
    )
    (folder / "init.sql").chmod(0o644)
    options = ("--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db")
    install = shutil.which("mariadb-install-db") or "mariadb-install-db"
    _run(SERVICES["mariadb"], install, *options, f"--datadir={folder}/data")


def _mariadb_command(program: str, folder: Path, port: int) -> list[str]:
    settings = {
        "datadir": f"{folder}/data",
        "port": str(port),
        "socket": f"{folder}/socket",
        "pid-file": f"{folder}/pid",
        "init-file": f"{folder}/init.sql",
        "bind-address": "127.0.0.1",
        "character-set-server": "utf8mb4",
        "collation-server": "utf8mb4_general_ci",
        "max-allowed-packet": "16M",
        "innodb-flush-log-at-trx-commit": "2",
        "innodb-flush-method": "nosync",
    }
    return [program, "--no-defaults", *(f"--{name}={value}" for name, value in settings.items())]


def _greets(port: int) -> bool:
    """MariaDB speaks first, as soon as it takes connections."""
    with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
        return len(connection.recv(5)) == 5


def _answers(port: int) -> bool:
    """Any answer will do: that it is signed wrong, too."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status > 0
    finally:
        connection.close()


def _listens(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=2):
        return True


def _ours(name: str) -> Callable[[], str | None]:
    """A program of our own environment."""
    return lambda: str(_BIN / name) if (_BIN / name).exists() else None


def _own(name: str) -> Callable[[str, Path, int], list[str]]:
    """A server of the tests' own: a module of this folder."""
    return lambda program, folder, port: [
        program,
        "-m",
        f"tests.services.{name}",
        "--port",
        str(port),
    ]


def _npm(script: str) -> Callable[[], str | None]:
    """A program that npm installed; run by node."""

    def found() -> str | None:
        path = NPM / "node_modules" / script
        return str(path) if shutil.which("node") and path.exists() else None

    return found


def _s3rver_command(program: str, folder: Path, port: int) -> list[str]:
    return ["node", program, "-d", f"{folder}/data", "-a", "127.0.0.1", "-p", str(port), "-s"]


def _azurite_command(program: str, folder: Path, port: int) -> list[str]:
    place = ["--blobHost", "127.0.0.1", "--blobPort", str(port), "--location", f"{folder}/data"]
    return ["node", program, *place, "--silent", "--disableTelemetry", "--skipApiVersionCheck"]


def _mongodb_command(program: str, folder: Path, port: int) -> list[str]:
    place = ["--host", "127.0.0.1", "--port", str(port), "--storage-path", f"{folder}/data"]
    return [program, *place, "--standalone", "--cache-size", "256M", "--log-level", "WARNING"]


_AWS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}
_S3RVER = {**_AWS, "AWS_ACCESS_KEY_ID": "S3RVER", "AWS_SECRET_ACCESS_KEY": "S3RVER"}
_AZURE = {  # the account that Azure's emulators have: published, the same everywhere
    "AZURE_STORAGE_ACCOUNT_NAME": "devstoreaccount1",
    "AZURE_STORAGE_ACCOUNT_KEY": (
        "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
    ),
}
_OSS = {
    "ALIBABA_CLOUD_ACCESS_KEY_ID": oss.ACCESS_KEY,
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET": oss.SECRET_KEY,
}
_WEBDAV = {"WEBDAV_USERNAME": webdav.USER, "WEBDAV_PASSWORD": webdav.PASSWORD}

SERVICES: dict[str, Service] = {
    service.name: service
    for service in (
        Service(
            name="postgres",
            program=_postgres,
            prepare=_postgres_prepare,
            command=_postgres_command,
            url="postgresql://yard@127.0.0.1:{port}/postgres",
            healthy=_postgres_healthy,
            user="postgres",
            stop_signal="SIGINT",
            pid_file="data/postmaster.pid",
        ),
        Service(
            name="mariadb",
            program=_mariadb,
            prepare=_mariadb_prepare,
            command=_mariadb_command,
            url="mysql://yard@127.0.0.1:{port}/mysql",
            healthy=_greets,
            user="mysql",
        ),
        Service(
            name="mongodb",
            program=_ours("secantusd-py"),
            command=_mongodb_command,
            url="mongodb://127.0.0.1:{port}/",
            healthy=_listens,
        ),
        Service(
            name="s3",
            program=_ours("moto_server"),
            command=lambda program, folder, port: [program, "-H", "127.0.0.1", "-p", str(port)],
            url="http://127.0.0.1:{port}",
            healthy=_answers,
            environ=_AWS,
        ),
        Service(
            name="s3rver",
            program=_npm("s3rver/bin/s3rver.js"),
            command=_s3rver_command,
            url="http://127.0.0.1:{port}",
            healthy=_answers,
            environ=_S3RVER,
        ),
        Service(
            name="azurite",
            program=_npm("azurite/dist/src/blob/main.js"),
            command=_azurite_command,
            url="http://127.0.0.1:{port}/devstoreaccount1",
            healthy=_answers,
            environ=_AZURE,
        ),
        Service(
            name="oss",
            program=lambda: sys.executable,
            command=_own("oss"),
            url="http://127.0.0.1:{port}",
            healthy=_answers,
            environ=_OSS,
        ),
        Service(
            name="webdav",
            program=lambda: sys.executable,
            command=_own("webdav"),
            url="http://127.0.0.1:{port}",
            healthy=_answers,
            environ=_WEBDAV,
        ),
        Service(
            name="gcs",
            program=lambda: sys.executable,
            command=_own("gcs"),
            url="http://127.0.0.1:{port}",
            healthy=_answers,
        ),
    )
}
