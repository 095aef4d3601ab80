"""The pages: one file per subject, with the pages and their acts. All of them stand here."""

from __future__ import annotations

from modelyard.server.web.pages import (
    choices,
    deleting,
    history,
    joining,
    labelling,
    models,
    moves,
    rollback,
    settings,
    upload,
)

__all__ = ["ROUTES"]

ROUTES = (
    choices.acts,
    deleting.acts,
    history.pages,
    joining.acts,
    joining.pages,
    labelling.acts,
    models.pages,
    moves.acts,
    rollback.pages,
    settings.pages,
    upload.acts,
    upload.pages,
)
