"""The databases that tests use: how each is found, prepared, started and asked."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path

from tests.services.service import Service, ours, run

__all__ = ["DATABASES"]

# PostgreSQL and MariaDB write what is committed to the system at once, but don't wait for the
# disk: a killed server loses nothing, a machine without power might. Tests need no more.


def _postgres() -> str | None:
    versions = Path("/usr/lib/postgresql").glob("*/bin/postgres")
    newest = sorted(versions, key=lambda path: int(path.parts[4]))
    return str(newest[-1]) if newest else shutil.which("postgres")


def _postgres_prepare(service: Service, program: str, folder: Path) -> None:
    initdb = str(Path(program).with_name("initdb"))
    options = ("-U", "yard", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8")
    run(service, initdb, "-D", f"{folder}/data", *options)


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


def _mariadb_prepare(service: Service, program: str, folder: Path) -> None:
    account = ", ".join(["'yard'@'127.0.0.1'", "'yard'@'localhost'"])
    (folder / "init.sql").write_text(
        f"CREATE USER IF NOT EXISTS {account};\nGRANT ALL ON *.* TO {account} WITH GRANT OPTION;\n"
    )
    (folder / "init.sql").chmod(0o644)
    options = ("--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db")
    install = shutil.which("mariadb-install-db") or "mariadb-install-db"
    run(service, install, *options, f"--datadir={folder}/data")


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


def _listens(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=2):
        return True


def _mongodb_command(program: str, folder: Path, port: int) -> list[str]:
    place = ["--host", "127.0.0.1", "--port", str(port), "--storage-path", f"{folder}/data"]
    return [program, *place, "--standalone", "--cache-size", "256M", "--log-level", "WARNING"]


DATABASES = (
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
        program=ours("secantusd-py"),
        command=_mongodb_command,
        url="mongodb://127.0.0.1:{port}/",
        healthy=_listens,
    ),
)
