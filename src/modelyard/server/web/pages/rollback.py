"""Where an alias would go back to, before it goes."""

from __future__ import annotations

from dataclasses import dataclass

from modelyard.core.version import RefMove, VersionInfo
from modelyard.errors import Conflict
from modelyard.registry import refs
from modelyard.server.routing import on_model
from modelyard.server.state import Ask
from modelyard.server.web.twins import Pages

__all__ = ["pages"]

pages = Pages("rollback")

_MOVES = 20


@dataclass(frozen=True, slots=True)
class RollbackPage:
    """An alias, where it is, and where it was."""

    model: str
    alias: str
    now: VersionInfo
    """Where it points."""
    to: VersionInfo | None
    """Where it would point; None if it pointed nowhere before."""
    moves: tuple[RefMove, ...]
    """Its last moves, newest first."""
    places: tuple[int, ...]
    """Other versions that it pointed at, the latest first."""


@pages.page("/rollback/{model:path}", "rollback.html", needs=on_model("writer"))
def show_rollback(
    ask: Ask, model: str, *, alias: str, to: str | None = None
) -> RollbackPage:  # fmt: skip
    """From where to where an alias goes back."""
    try:
        ref, number = refs.place_before(ask.house, model, alias)
    except Conflict as error:
        if error.kind != "nothing-before":
            raise
        ref, number = refs.one(ask.house, model, alias), 0
    now = ask.yard.resolve(model, ref.number)
    goal = ask.yard.resolve(model, to or number) if to or number else None
    moves, _ = refs.reflog_page(ask.house, model, ref.name, before=None, limit=_MOVES)
    past = [move.new for move in moves if move.new] + [move.old for move in moves if move.old]
    places = tuple(n for n in dict.fromkeys(past) if n != ref.number)
    return RollbackPage(model, ref.name, now, goal, tuple(moves), places)
