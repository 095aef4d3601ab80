"""Bundles that lie: yards made here by hand, in the file that `POST /bundles` takes."""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from modelyard.core.digest import Digest
from modelyard.registry import create
from modelyard.registry.transfer.backup import backup
from modelyard.store.ingest import Ingest, StoredBlob

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx2
    import pytest

    from modelyard.registry.local import LocalYard

__all__ = ["bundle_of", "claiming", "own_yard", "send_bundle"]


@contextlib.contextmanager
def own_yard(folder: Path) -> Iterator[LocalYard]:
    """A yard of the attacker's."""
    yard = create(folder)
    try:
        yield yard
    finally:
        yard.close()


def bundle_of(yard: LocalYard, file: Path, *lies: tuple[str, tuple[Any, ...]]) -> bytes:
    """The yard as a bundle, after some SQL."""
    with sqlite3.connect(yard.house.root / "catalog.db") as connection:
        for statement, values in lies:
            connection.execute(statement, values)
    connection.close()
    backup(yard.house, file, lambda _: None)
    return file.read_bytes()


def claiming(monkeypatch: pytest.MonkeyPatch, digest: bytes) -> None:
    """From now on every stored file of this process is said to have this SHA-256."""
    for name in ("content", "file"):
        honest = getattr(Ingest, name)

        def lying(self: Ingest, *given: Any, honest: Any = honest, **said: Any) -> Any:
            stored = honest(self, *given, **said)
            if isinstance(stored, StoredBlob):
                return replace(stored, sha256=Digest(digest))
            return stored

        monkeypatch.setattr(Ingest, name, lying)


def send_bundle(client: httpx2.Client, content: bytes, **query: str) -> httpx2.Response:
    said = {"content-type": "application/octet-stream"}
    return client.post("/api/v1/bundles", content=content, params=query, headers=said)
