"""REST: one file per resource. Each has `routes`, and all of them stand here."""

from __future__ import annotations

from modelyard.server.api import (
    accounts,
    alerting,
    audit,
    bundles,
    channels,
    contents,
    deployment_requests,
    deployments,
    events,
    guards,
    hooks,
    house,
    jobs,
    models,
    monitoring,
    optimizations,
    proposals,
    refs,
    reports,
    roles,
    search,
    tokens,
    transfer,
    versions,
    whoami,
)
from modelyard.server.git import routes as git

__all__ = ["ROUTES"]

ROUTES = (
    accounts.routes,
    alerting.routes,
    audit.routes,
    bundles.routes,
    channels.routes,
    contents.routes,
    deployment_requests.routes,
    deployments.routes,
    events.routes,
    guards.routes,
    hooks.routes,
    house.routes,
    jobs.routes,
    models.routes,
    monitoring.routes,
    optimizations.routes,
    proposals.routes,
    refs.routes,
    reports.routes,
    roles.routes,
    search.routes,
    tokens.routes,
    transfer.routes,
    versions.routes,
    whoami.routes,
    git.routes,
)
