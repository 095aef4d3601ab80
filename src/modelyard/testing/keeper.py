"""A yard kept open in another process: `ProcessYard` has the methods of `Yard`, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from modelyard.testing.victim import open_folder

if TYPE_CHECKING:
    from modelyard.core.yard import Yard
    from modelyard.testing.process import Nursery

__all__ = ["ProcessYard"]

_kept: list[Yard] = []
"""In the worker: the one yard that it has open."""


class ProcessYard:
    """Every call goes through a pipe; iterators come whole, `open` does not work."""

    def __init__(self, nursery: Nursery, folder: str) -> None:
        self._worker = nursery.start()
        self._worker.call(_open, folder)

    def __getattr__(self, method: str) -> Callable[..., Any]:
        return lambda *args, **rest: self._worker.call(_use, method, args, rest)

    def close(self) -> None:
        """Close the yard and end its process."""
        self._worker.call(_use, "close", (), {})
        self._worker.stop()

    def kill(self) -> None:
        """End its process and close nothing."""
        self._worker.kill()


def _open(folder: str) -> None:
    _kept.append(open_folder(folder))


def _use(method: str, args: tuple[Any, ...], rest: dict[str, Any]) -> object:
    value = getattr(_kept[0], method)(*args, **rest)
    return tuple(value) if isinstance(value, Iterator) else value
