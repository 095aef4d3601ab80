"""A new database of PostgreSQL and a new bucket of moto's S3, for as long as the race takes."""

from __future__ import annotations

import http.client
import os
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.services import running
from tests.services.kinds import SERVICES

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["servers"]


@contextmanager
def servers() -> Iterator[tuple[str, str]]:
    """URLs of catalog and store."""
    import psycopg

    try:
        server, s3 = (running.start(name, os.getpid()) for name in ("postgres", "s3"))
        os.environ.update(SERVICES["s3"].environ)
        name = f"race_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        place = urlsplit(s3)
        bucket = http.client.HTTPConnection(place.hostname or "", place.port)
        bucket.request("PUT", f"/{name.replace('_', '-')}")
        bucket.getresponse().read()
        bucket.close()
        store = f"s3://{name.replace('_', '-')}/yard?endpoint={s3}&region=us-east-1"
        yield f"{server.rpartition('/')[0]}/{name}", store
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        running.release(os.getpid())
