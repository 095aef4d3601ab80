"""Did you mean ...? For names of models and refs that do not exist."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from modelyard.errors import ModelyardError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelyard.cli.session import Session
    from modelyard.core.names import ModelRevision
    from modelyard.core.yard import Yard

__all__ = ["suggest"]


def suggest(session: Session) -> str | None:
    """A hint, if what the user named is not there and something much like it is."""
    try:
        yard = session.yard()
        models = [model.name for model in yard.models()]
        for target in session.named:
            if hint := _model(target, models) or _ref(target, models, yard):
                return hint
    except ModelyardError:
        pass  # the first error is the one to tell
    return None


def _model(target: ModelRevision, models: Sequence[str]) -> str | None:
    name = target.model.text
    if name in models:
        return None
    near = _near(name, models) or [m for m in models if m.rpartition("/")[2] == name][:1]
    return f"did you mean {near[0]}? (yard list shows all)" if near else None


def _ref(target: ModelRevision, models: Sequence[str], yard: Yard) -> str | None:
    if target.revision is None or target.model.text not in models:
        return None
    name, model = str(target.revision), target.model.text
    refs = [ref.name for ref in yard.refs(model)]
    if name in refs or not (near := _near(name, refs)):
        return None
    return f"did you mean {model}@{near[0]}? (yard log {model} shows all)"


def _near(name: str, names: Sequence[str]) -> list[str]:
    """The closest name, letter case aside."""
    by_folded = {candidate.casefold(): candidate for candidate in names}
    near = get_close_matches(name.casefold(), by_folded, n=1)
    return [by_folded[near[0]]] if near else []
