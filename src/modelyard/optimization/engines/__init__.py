"""What runs trials: child processes of this machine, or a Ray cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.errors import Unsupported

if TYPE_CHECKING:
    from modelyard.optimization.engines.interface import Engine, Limits

__all__ = ["NAMES", "engine_named"]

NAMES = ("local", "ray")


def engine_named(name: str | Engine, limits: Limits | None = None) -> Engine:
    """An engine by its name; one that is there already as it is.

    Args:
        name: `local`; `ray`, which uses the Ray that this process is connected to or starts one;
            or `ray@HOST:PORT` (`ray@auto`) for a cluster that runs.

    Raises:
        Unsupported: `no-engine`; `no-extra`: Ray is not installed.
        Unavailable: `no-ray`: it does not start, or nobody is at the address.
    """
    if not isinstance(name, str):
        return name
    kind, _, address = name.partition("@")
    if kind == "local" and not address:
        from modelyard.optimization.engines.local import LocalEngine

        return LocalEngine(limits)
    if kind == "ray":
        from modelyard.optimization.engines.ray import RayEngine

        return RayEngine(limits, address=address or None)
    raise Unsupported(
        "no-engine", f"there is no engine {name[:40]!r}", hint="local, ray, or ray@HOST:PORT"
    )
