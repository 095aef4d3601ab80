"""REST: one file per resource. Each has `routes`, and all of them stand here."""

from __future__ import annotations

from modelyard.server.api import (
    events,
    hooks,
    models,
)

__all__ = ["ROUTES"]

ROUTES = (
    events.routes,
    hooks.routes,
    models.routes,
)
