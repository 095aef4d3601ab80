"""The use cases of one yard on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from modelyard.core.transfer import BackedUp
    from modelyard.core.version import Progress
    from modelyard.registry.local import LocalYard

__all__ = ["create", "open_yard", "restore_backup"]


def create(
    path: Path | str,
    *,
    author: str = "unknown",
    store: str | None = None,
    catalog: str | None = None,
    key: str | None = None,
) -> LocalYard:
    """Make a yard in an empty or new folder, or join one by the URLs of its store and catalog.

    Conflict: `yard-exists`, `folder-not-empty`, `other-store`.
    """
    from modelyard.registry.local import LocalYard

    return LocalYard.create(path, author=author, store=store, catalog=catalog, key=key)


def restore_backup(
    source: Path | str,
    path: Path | str,
    *,
    author: str = "unknown",
    store: str | None = None,
    catalog: str | None = None,
    key: str | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> BackedUp:
    """Make a yard in an empty folder, of a backup or of the newest dump in a store.

    Args:
        source: A backup's file; or a store: a folder, or a URL.

    Corrupt: `bad-backup`, and then nothing was made.
    """
    from modelyard.registry.transfer.restoring import restore

    return restore(
        source, path, author=author, store=store, catalog=catalog, key=key, report=progress
    )


def open_yard(path: Path | str, *, author: str = "unknown") -> LocalYard:
    """Open a yard's folder. NotFound: `no-yard`."""
    from modelyard.registry.local import LocalYard

    return LocalYard.at(path, author=author)
