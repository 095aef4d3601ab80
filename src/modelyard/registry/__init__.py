"""The use cases of one yard on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from modelyard.registry.local import LocalYard

__all__ = ["create", "open_yard"]


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


def open_yard(path: Path | str, *, author: str = "unknown") -> LocalYard:
    """Open a yard's folder. NotFound: `no-yard`."""
    from modelyard.registry.local import LocalYard

    return LocalYard.at(path, author=author)
