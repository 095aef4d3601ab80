"""Globs over the paths of a version."""

from __future__ import annotations

import re
from fnmatch import translate
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["matches"]


def matches(path: str, globs: Sequence[str]) -> bool:
    """Whether the path, its last part, or a folder above it fits one of the globs."""
    name = path.rpartition("/")[2]
    for glob in globs:
        pattern = _compiled(glob.rstrip("/"))
        if pattern.match(path) or pattern.match(name):
            return True
        if any(pattern.match(folder) for folder in _above(path)):
            return True
    return False


@lru_cache(maxsize=64)
def _compiled(glob: str) -> re.Pattern[str]:
    return re.compile(translate(glob))


def _above(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:i]) for i in range(1, len(parts))]
