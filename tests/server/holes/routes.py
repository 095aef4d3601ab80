"""Every route that a server has, read off its own router."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from modelyard.registry import create
from modelyard.server.app import make_app
from modelyard.server.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["every_route", "filled"]


def every_route(folder: Path) -> list[tuple[str, str, Any]]:
    """Method, path and needs of each; None if it does not say."""
    yard = create(folder)
    try:
        front: Any = make_app(yard, Settings())
        app = front._app._app._app
        found = []
        for route in _flat(app.routes):
            needs = getattr(getattr(route, "endpoint", None), "needs", None)
            methods = getattr(route, "methods", None) or {"*"}
            found += [(method, route.path, needs) for method in sorted(methods)]
        return found
    finally:
        yard.close()


def _flat(routes: Any) -> list[Any]:
    """Also routes within routers, mounts, and what a framework wraps around them."""
    found = []
    for route in routes:
        inner = getattr(route, "original_router", None) or getattr(route, "app", None)
        nested = getattr(route, "routes", None) or getattr(inner, "routes", None)
        if nested and not hasattr(route, "endpoint"):
            found += _flat(nested)
        else:
            found.append(route)
    return found


def filled(template: str, /, **names: str) -> str:
    """A path with something in each of its places."""
    return re.sub(r"\{(\w+)[^}]*\}", lambda m: names.get(m[1], "1"), template)
