"""Deployments that can't be looked at: each is said once, and the others are looked at."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from modelyard.errors import ModelyardError, NotFound

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator

__all__ = ["Failing"]


class Failing:
    """Which of them fail now. What goes well again is said again when it fails again."""

    def __init__(self, log: logging.Logger, doing: str) -> None:
        """`doing`: what is tried, such as `judging`."""
        self._log = log
        self._doing = doing
        self._names: set[str] = set()

    @contextmanager
    def trying(self, name: str) -> Iterator[None]:
        """Whatever goes wrong inside with a deployment ends there."""
        try:
            yield
        except NotFound:  # it was undeployed just now
            self._names.discard(name)
        except ModelyardError as error:
            if name not in self._names:
                self._names.add(name)
                self._log.warning("%s %s: %s", self._doing, name, error)
        except Exception:
            if name not in self._names:
                self._names.add(name)
                self._log.exception("%s %s", self._doing, name)
        else:
            self._names.discard(name)
