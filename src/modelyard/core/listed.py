"""A page of anything: what a server answers where a list may be long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["Listed"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Listed(Generic[T]):
    """A page; asked for with `after=next`, the list goes on behind it."""

    items: tuple[T, ...]
    next: str | None = None
    """None at the end."""
