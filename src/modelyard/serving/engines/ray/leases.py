"""Which servers use which applications of a cluster that they share.

Several servers that serve one yard want the same versions, and share their applications. Who needs
one no more may stop it only if nobody else does; and what belonged to a server that was killed is
stopped by the others. One small actor in the cluster knows.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from modelyard.core.extras import need

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Book", "Leases"]

SECONDS: Final = 45.0
"""Without a word from a server until what it used counts as left."""
_NAME: Final = "modelyard-leases"
_NAMESPACE: Final = "modelyard"


class Book:
    """Who holds what. The actor is one of these; nothing in it waits."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._held: dict[str, dict[str, float]] = {}
        """Until when, by application and holder."""
        self._closing: dict[str, float] = {}
        """Until when others wait for somebody to stop it."""

    def hold(self, holder: str, names: Iterable[str]) -> list[str]:
        """Say that they are used; those that somebody is stopping right now come back."""
        now = self._clock()
        busy = [name for name in names if self._closing.get(name, 0.0) > now]
        for name in names:
            if name not in busy:
                self._held.setdefault(name, {})[holder] = now + SECONDS
        return busy

    def release(self, holder: str, name: str) -> bool:
        """Use it no more. True: nobody else does, and the caller is to stop it, then `stopped`."""
        now = self._clock()
        holders = self._held.get(name, {})
        holders.pop(holder, None)
        if any(until > now for until in holders.values()):
            return False
        self._closing[name] = now + SECONDS
        return True

    def stopped(self, name: str) -> None:
        """It is gone."""
        self._closing.pop(name, None)
        self._held.pop(name, None)

    def left(self) -> list[str]:
        """Applications whose servers all fell silent; the caller is to stop them."""
        now = self._clock()
        names = [
            name for name, holders in self._held.items()
            if self._closing.get(name, 0.0) <= now
            and not any(until > now for until in holders.values())
        ]  # fmt: skip
        self._closing |= dict.fromkeys(names, now + SECONDS)
        return names


class Leases:
    """The actor's other end. All methods block."""

    def __init__(self, holder: str) -> None:
        self._holder = holder
        self._actor: Any = None

    def hold(self, names: Iterable[str]) -> list[str]:
        """As `Book.hold`, by this server."""
        found: list[str] = self._ask("hold", self._holder, list(names))
        return found

    def wait_for(self, name: str, seconds: float) -> None:
        """Hold an application, once nobody is about to stop it."""
        until = time.monotonic() + seconds
        while self.hold([name]) and time.monotonic() < until:
            time.sleep(0.2)

    def release(self, name: str) -> bool:
        """As `Book.release`, by this server."""
        return bool(self._ask("release", self._holder, name))

    def stopped(self, name: str) -> None:
        self._ask("stopped", name)

    def left(self) -> list[str]:
        found: list[str] = self._ask("left")
        return found

    def _ask(self, method: str, *arguments: Any) -> Any:
        ray: Any = need("ray", "ray")
        if self._actor is None:
            self._actor = (
                ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=3)(Book)
                .options(name=_NAME, namespace=_NAMESPACE, lifetime="detached", get_if_exists=True)
                .remote()
            )
        return ray.get(getattr(self._actor, method).remote(*arguments), timeout=30)
