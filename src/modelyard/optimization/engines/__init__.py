"""What runs trials: processes of this machine, or a Ray cluster. Imported when named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.errors import InvalidInput

if TYPE_CHECKING:
    from modelyard.optimization.engines.interface import Engine

__all__ = ["NAMES", "engine_named"]

NAMES = ("local", "ray")


def engine_named(engine: str | Engine) -> Engine:
    """An engine by its name, or itself. InvalidInput: `no-engine`. Unsupported: `no-extra`."""
    if not isinstance(engine, str):
        return engine
    if engine == "local":
        from modelyard.optimization.engines.local import LocalEngine

        return LocalEngine()
    if engine == "ray":
        from modelyard.optimization.engines.ray import RayEngine

        return RayEngine()
    raise InvalidInput(
        "no-engine", f"there is no engine {engine[:40]!r}", hint=f"one of {', '.join(NAMES)}"
    )
