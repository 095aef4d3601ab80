"""Which rules hold for a deployment: its own, else those of its stable version, else the usual."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from modelyard.core.monitoring import RuleSet
from modelyard.errors import InvalidInput
from modelyard.monitoring.alerts.rules import default_set, parse
from modelyard.registry.lookup import moment
from modelyard.registry.watching import rules as texts
from modelyard.registry.watching.seeing import watched

if TYPE_CHECKING:
    from modelyard.core.monitoring import Rule
    from modelyard.registry.house import House
    from modelyard.registry.watching.rules import Ruled

__all__ = ["Rulings", "rules_of", "set_rules"]

_log = logging.getLogger("modelyard.monitoring")

_parsed = lru_cache(maxsize=512)(parse)


def rules_of(house: House, name: str) -> RuleSet:
    """The rules that hold for a deployment. NotFound: `no-deployment`."""
    found = watched(house, name)
    stable = next(each for each in found.serves if not each.shadow)
    row = texts.kept(house, found.id)
    own = texts.Ruled(found.id, name, stable.model, stable.number, row)
    return Rulings(house).of(own)


def set_rules(house: House, name: str, text: str | None) -> RuleSet:
    """Give a deployment rules of its own; None: what the version or else the yard says.

    Raises:
        InvalidInput: `bad-rules`.
        NotFound: `no-deployment`.
        Denied: `not-allowed`, `guarded`.
    """
    if text is None:
        texts.drop(house, name)
    else:
        parse(text)
        texts.put(house, name, text)
    return rules_of(house, name)


class Rulings:
    """Rules of deployments, which does not read a version's file twice."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._versions: dict[tuple[str, int], str | None] = {}

    def of(self, found: Ruled) -> RuleSet:
        """Of one deployment."""
        if found.text is not None:
            row = found.text
            made = _readable(row.text, "deployment", f"rules of deployment {found.name}")
            return replace(made, changed=moment(row.changed), who=row.who)
        version = (found.model, found.number)
        if version not in self._versions:
            if len(self._versions) >= 1000:
                self._versions.clear()
            self._versions[version] = texts.of_version(self._house, *version)
        text = self._versions[version]
        if text is None:
            return default_set()
        return _readable(text, "version", f"{texts.FILE} of {found.model}@{found.number}")


def _readable(text: str, source: str, what: str) -> RuleSet:
    """What a text says; one that nobody can read must not leave a deployment unwatched."""
    try:
        rules: tuple[Rule, ...] = _parsed(text)
    except InvalidInput as error:
        _log.warning("%s: %s; the usual rules hold", what, error)
        usual = default_set()
        return replace(usual, text=f"# {what} can't be read: {error}\n{usual.text}")
    return RuleSet(rules=rules, source=source, text=text)
