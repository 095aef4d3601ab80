"""The engine for more than one machine: Ray Serve runs the versions, our own front asks them.

One Serve application for each version, without Serve's HTTP proxy. Which version gets a request is
decided in the front, so that a change of shares is one assignment, here as in the embedded engine.
"""

from __future__ import annotations

from modelyard.serving.engines.ray.engine import RayEngine
from modelyard.serving.engines.ray_settings import RaySettings

__all__ = ["RayEngine", "RaySettings"]
