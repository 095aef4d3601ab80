"""Who asks, and whether they may know a model: the questions of every request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.core.access import NOBODY, Caller, Role

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.registry.house import House

__all__ = ["known_name", "signed_in_by"]


def signed_in_by(
    house: House,
    headers: Mapping[str, str],
    cookies: Mapping[str, str],
    *,
    address: str | None,
) -> Caller:
    """Who sends a request, by its token, password or cookie."""
    raise NotImplementedError


def known_name(house: House, caller: Caller, model: str, role: Role) -> str:
    """The name that a model has now, if the caller may know of it."""
    raise NotImplementedError


_ = NOBODY
