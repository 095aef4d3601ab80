"""Signing in with a browser: a page, a one-time link, a cookie; and a first page."""

from __future__ import annotations

from modelyard.server.routing import Routes

__all__ = ["routes"]

routes = Routes("login", prefix="")
