"""The pages: one file per subject, with the pages and their acts. All of them stand here."""

from __future__ import annotations

from modelyard.server.web.pages import (
    choices,
    compare,
    deleting,
    guards,
    history,
    hooks,
    joining,
    labelling,
    lineage,
    members,
    models,
    moves,
    profile,
    proposals,
    roles,
    rollback,
    settings,
    tokens,
    upload,
)

__all__ = ["ROUTES"]

ROUTES = (
    choices.acts,
    compare.pages,
    deleting.acts,
    guards.acts,
    guards.pages,
    history.pages,
    hooks.acts,
    hooks.pages,
    joining.acts,
    joining.pages,
    labelling.acts,
    lineage.pages,
    members.acts,
    members.pages,
    models.pages,
    moves.acts,
    profile.acts,
    profile.pages,
    proposals.acts,
    proposals.pages,
    roles.acts,
    roles.pages,
    rollback.pages,
    settings.pages,
    tokens.acts,
    tokens.pages,
    upload.acts,
    upload.pages,
)
