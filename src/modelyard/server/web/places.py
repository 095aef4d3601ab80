"""Paths of our own pages, for what sends a browser on: below the prefix, not quoted."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modelyard.server.web.acts import Form

__all__ = ["back_or", "member_page", "model_page", "version_page"]


def model_page(model: str, kind: str = "models") -> str:
    """A page about a model; a name that ends as a twin does has an end of its own."""
    path = f"/{kind}/{model}"
    return f"{path}.html" if path.endswith((".json", ".html")) else path


def version_page(model: str, revision: str | int) -> str:
    """The page of a version."""
    path = f"/versions/{model}@{revision}"
    return f"{path}.html" if path.endswith((".json", ".html")) else path


def member_page(account: str) -> str:
    """The page of an account."""
    path = f"/settings/members/{account}"
    return f"{path}.html" if path.endswith((".json", ".html")) else path


def back_or(form: Form, path: str) -> str:
    """The page where a form was sent from, if it says so."""
    return form.one("back") or path
