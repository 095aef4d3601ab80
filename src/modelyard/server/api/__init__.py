"""REST: one file per resource. Each has `routes`, and all of them stand here."""

from __future__ import annotations

from modelyard.server.api import (
    accounts,
    audit,
    events,
    guards,
    hooks,
    models,
    proposals,
    roles,
    tokens,
    whoami,
)

__all__ = ["ROUTES"]

ROUTES = (
    accounts.routes,
    audit.routes,
    events.routes,
    guards.routes,
    hooks.routes,
    models.routes,
    proposals.routes,
    roles.routes,
    tokens.routes,
    whoami.routes,
)
