"""Yards by where they are, for processes that were told a place and nothing else."""

from __future__ import annotations

import os

from modelyard.client.remote import RemoteYard
from modelyard.registry.local import LocalYard

__all__ = ["open_place"]


def open_place(place: str) -> LocalYard | RemoteYard:
    """A server by its URL, with the token of `$YARD_TOKEN` or of `yard login`; or a folder."""
    if place.startswith(("http://", "https://")):
        return RemoteYard.at(place, environment=os.environ)
    return LocalYard.at(place)
