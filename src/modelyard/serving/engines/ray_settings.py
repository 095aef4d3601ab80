"""Which Ray cluster, and how much of it a version gets."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Self

from modelyard.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = ["RaySettings", "open_by"]

_LOCAL_SHARE: Final = 0.01
"""Of a core. On one machine the cores are shared by all versions, as with the embedded engine; Ray
would refuse the third version of two cores otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RaySettings:
    """What the engine needs to know of Ray."""

    address: str | None = None
    """Of a cluster that runs (`10.0.0.5:6379`, or `auto`); None: one is started on this machine,
    listening to loopback only, and stopped with the engine."""
    cpus: int = 2
    """Cores of the cluster that is started here."""
    store: int = 128 << 20
    """Bytes of shared memory for objects, of the cluster that is started here."""
    replica_cpus: float | None = None
    """Cores that Ray sets aside for each replica; None: as many as the version has threads, and
    next to nothing in a cluster that is started here."""
    source: str | None = None
    """The yard as replicas reach it, where that is not as this server does: a folder that all
    machines see, or a server's URL, whose token is `YARD_TOKEN` of the machines of the cluster."""
    opener: str | None = None
    """`module:function` that opens what `source` says; for URLs, which only clients know."""
    most: int | None = None
    """Replicas that Ray may start for a version under load; None: as many as are wished, always."""
    seconds: float = 180.0
    """In which a version must be ready."""

    def __post_init__(self) -> None:
        if self.address is not None and self.address.startswith("ray://"):
            raise InvalidInput(
                "bad-setting", "Ray's client can't carry the requests of a service",
                hint="run the server on a node of the cluster, and give HOST:6379 or auto",
            )  # fmt: skip
        if self.cpus < 1 or (self.most is not None and self.most < 1) or self.seconds <= 0:
            raise InvalidInput("bad-setting", "Ray needs a core, a replica and some time at least")

    @classmethod
    def read(cls, environment: Mapping[str, str], *, opener: str | None = None) -> Self:
        """From `YARD_RAY_ADDRESS`, `YARD_RAY_SOURCE`, `YARD_RAY_CPUS`, `YARD_RAY_REPLICA_CPUS` and
        `YARD_RAY_MOST`.

        InvalidInput: `bad-setting`.
        """
        try:
            return cls(
                address=environment.get("YARD_RAY_ADDRESS") or None,
                source=environment.get("YARD_RAY_SOURCE") or None,
                opener=opener,
                cpus=int(environment.get("YARD_RAY_CPUS") or 2),
                replica_cpus=_number(environment.get("YARD_RAY_REPLICA_CPUS")),
                most=_whole(environment.get("YARD_RAY_MOST")),
            )
        except ValueError as error:
            if isinstance(error, InvalidInput):
                raise
            raise InvalidInput("bad-setting", f"YARD_RAY_...: {error}") from None

    def open_yard(self, place: Path | str) -> Callable[[], Any]:
        """What opens the yard where a replica runs; it is pickled.

        Args:
            place: Of the yard, as this machine reaches it.
        """
        from modelyard.registry.local import LocalYard

        source = self.source or str(place)
        if "://" not in source:
            return partial(LocalYard.at, source)
        if self.opener is None:
            raise InvalidInput("bad-setting", f"replicas can't open {source[:120]} here")
        return partial(open_by, self.opener, source)

    def cpus_of(self, threads: int) -> float:
        """Cores set aside for one replica."""
        if self.replica_cpus is not None:
            return self.replica_cpus
        return float(threads) if self.address else _LOCAL_SHARE


def open_by(opener: str, source: str) -> Any:
    """Open a yard by the function of a name, which is found where this runs."""
    module, _, function = opener.partition(":")
    return getattr(import_module(module), function)(source)


def _number(text: str | None) -> float | None:
    return float(text) if text else None


def _whole(text: str | None) -> int | None:
    return int(text) if text else None
