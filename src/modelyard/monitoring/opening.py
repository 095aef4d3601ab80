"""`modelyard.watch(yard)`: the monitoring of a yard, computed here or asked of its server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.errors import Unsupported

if TYPE_CHECKING:
    from modelyard.core.watching import Monitoring
    from modelyard.core.yard import Yard

__all__ = ["watch"]


def watch(yard: Yard) -> Monitoring:
    """What a yard's deployments do: how fast, how right, how their data moved, and who is told.

    Args:
        yard: What `modelyard.open` gave. Of a folder it is computed here, from what its servers
            wrote; of a server it is asked.

    Raises:
        Unsupported: `no-monitoring`: a yard of another kind, that has none.
    """
    told: Monitoring | None = getattr(yard, "monitoring", None)
    if told is not None:
        return told
    house = getattr(yard, "house", None)
    if house is None:
        raise Unsupported(
            "no-monitoring", f"{yard!r} has no monitoring", hint="open a folder or a server"
        )
    from modelyard.monitoring.local import LocalMonitoring

    return LocalMonitoring(house)
