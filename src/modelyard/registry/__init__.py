"""The use cases of one yard on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from modelyard.registry.local import LocalYard

__all__ = ["create", "open_yard"]


def create(path: Path | str, *, author: str = "unknown") -> LocalYard:
    """Make a yard in an empty or new folder. Conflict: `yard-exists`, `folder-not-empty`."""
    from modelyard.registry.local import LocalYard

    return LocalYard.create(path, author=author)


def open_yard(path: Path | str, *, author: str = "unknown") -> LocalYard:
    """Open a yard's folder. NotFound: `no-yard`."""
    from modelyard.registry.local import LocalYard

    return LocalYard.at(path, author=author)
