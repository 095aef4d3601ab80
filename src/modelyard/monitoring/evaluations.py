"""Every evaluation of this process leaves a reference for monitoring, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.registry.observers import look_on

if TYPE_CHECKING:
    from modelyard.registry.desk import Desk
    from modelyard.registry.observers import Onlooker

__all__ = ["watch_evaluations"]


def watch_evaluations() -> None:
    """Called by whoever opens a yard; calling it again changes nothing."""
    look_on("profile", _profile)


def _profile(desk: Desk) -> Onlooker:
    from modelyard.monitoring.observing import ProfileObserver  # numpy, and much more

    return ProfileObserver(desk)
