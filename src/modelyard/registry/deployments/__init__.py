"""Deployments of a yard: wished, changed, rolled out and back. `serving` makes them true."""

from __future__ import annotations

from modelyard.registry.deployments.local import LocalDeployments
from modelyard.registry.deployments.serving import Stamp, beat, fall_back, leave, poll
from modelyard.registry.deployments.stepping import due

__all__ = ["LocalDeployments", "Stamp", "beat", "due", "fall_back", "leave", "poll"]
