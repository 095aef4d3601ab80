"""New, empty databases and buckets of the tests' services, for as long as a run takes."""

from __future__ import annotations

import contextlib
import http.client
import os
import uuid
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.services import running
from tests.services.fault_proxy import FaultProxy
from tests.services.kinds import SERVICES

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Places", "Traffic", "places"]


class Traffic:
    """Requests and bytes on the wire between a client and the S3 server, phase by phase."""

    def __init__(self, proxy: FaultProxy) -> None:
        self.proxy = proxy
        self.endpoint = proxy.url
        self._seen = len(proxy.log)

    def since(self) -> dict[str, int]:
        """Requests by method since the last call, with `sent` and `received` bytes of bodies."""
        log = self.proxy.log
        new, self._seen = log[self._seen :], len(log)
        counts: dict[str, int] = {}
        for request in new:
            counts[request.method] = counts.get(request.method, 0) + 1
        received = sum(request.received for request in new)
        return {**counts, "sent": sum(r.size for r in new), "received": received}


class Places:
    """Makes them by name; URLs as `create` takes them."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._stack = stack

    def catalog(self, name: str) -> str:
        """An empty database: `postgres` or `mariadb`."""
        return self.database(name)

    def store(self, name: str) -> str | None:
        """An empty store; None is the yard's own folder."""
        if name in ("fs", "sealed fs"):
            return None
        if name == "memory":
            return f"memory://{uuid.uuid4().hex}"
        if name == "sqlite":
            return "sqlite:///store.db"
        if name == "s3":
            return self.s3(self.s3_server())
        return self.database(name)

    def database(self, name: str) -> str:
        server, database = running.start(name, os.getpid()), f"bench_{uuid.uuid4().hex[:12]}"
        if name == "mongodb":  # it makes databases by itself
            return f"{server}{database}"
        {"postgres": _postgres, "mariadb": _mariadb}[name](server, f"CREATE DATABASE {database}")
        return f"{server.rpartition('/')[0]}/{database}"

    def s3_server(self) -> str:
        os.environ.update(SERVICES["s3"].environ)
        return running.start("s3", os.getpid())

    def s3(self, endpoint: str) -> str:
        """A new bucket."""
        return f"s3://{self.bucket()}/yard?endpoint={endpoint}&region=us-east-1"

    def bucket(self) -> str:
        place, name = urlsplit(self.s3_server()), f"bench-{uuid.uuid4().hex[:12]}"
        connection = http.client.HTTPConnection(place.hostname or "", place.port)
        with contextlib.closing(connection):
            connection.request("PUT", f"/{name}")
            connection.getresponse().read()
        return name

    def traffic(self) -> Traffic:
        """A proxy before the S3 server that counts."""
        return Traffic(self._stack.enter_context(contextlib.closing(FaultProxy(self.s3_server()))))


@contextlib.contextmanager
def places() -> Iterator[Places]:
    """Services begin when they are first asked for, and end with the block."""
    try:
        with contextlib.ExitStack() as stack:
            yield Places(stack)
    finally:
        running.release(os.getpid())


def _postgres(server: str, statement: str) -> None:
    import psycopg

    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(statement)


def _mariadb(server: str, statement: str) -> None:
    import pymysql

    port = int(server.rpartition(":")[2].partition("/")[0])
    with (
        pymysql.connect(host="127.0.0.1", port=port, user="yard", autocommit=True) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)
