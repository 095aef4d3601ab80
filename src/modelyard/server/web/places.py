"""Paths of our own pages: below the prefix, and not quoted, for what sends a browser on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modelyard.server.web.acts import Form

__all__ = ["back_or", "deployment_page", "member_page", "model_page", "page_at", "version_page"]


def page_at(path: str) -> str:
    """A page by its path; a name that ends as a twin does has an end of its own."""
    return f"{path}.html" if path.endswith((".json", ".html")) else path


def model_page(model: str, kind: str = "models") -> str:
    """A page about a model."""
    return page_at(f"/{kind}/{model}")


def version_page(model: str, revision: str | int) -> str:
    """The page of a version."""
    return page_at(f"/versions/{model}@{revision}")


def deployment_page(name: str) -> str:
    """The page of a deployment."""
    return page_at(f"/deployments/{name}")


def member_page(account: str) -> str:
    """The page of an account."""
    return page_at(f"/settings/members/{account}")


def back_or(form: Form, path: str) -> str:
    """The page where a form was sent from, if it says so."""
    return form.one("back") or path
