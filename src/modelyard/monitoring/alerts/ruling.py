"""Which rules hold for a deployment: its own, else those of its stable version, else the usual."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from modelyard.core.monitoring import RuleSet
from modelyard.errors import InvalidInput, ModelyardError
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
_AGAIN: Final = 5.0
"""Seconds until a file that could not be read is read again: who waits for a store judges none."""

_MOST: Final = 1000
"""Files, and deployments, that are remembered."""

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
    """Rules of deployments, which does not read a version's file twice.

    While a file can't be read (the store is away), the rules of the deployment's version before it
    hold, else the usual ones; it is read again soon.
    """

    def __init__(self, house: House) -> None:
        self._house = house
        self._versions: dict[tuple[str, int], str | None] = {}
        self._failed: dict[tuple[str, int], tuple[float, ModelyardError]] = {}
        """When, and why, the last try to read a file failed."""
        self._before: dict[int, RuleSet] = {}
        """By deployment: the rules of its versions that held last."""

    def of(self, found: Ruled) -> RuleSet:
        """Of one deployment."""
        if found.text is not None:
            row = found.text
            made = _readable(row.text, "deployment", f"rules of deployment {found.name}")
            return replace(made, changed=moment(row.changed), who=row.who)
        version = (found.model, found.number)
        what = f"{texts.FILE} of {found.model}@{found.number}"
        try:
            text = self._text(version)
        except ModelyardError as error:
            return self._before.get(found.id) or _usual(what, error)
        made = default_set() if text is None else _readable(text, "version", what)
        if len(self._before) >= _MOST:
            self._before.clear()
        self._before[found.id] = made
        return made

    def _text(self, version: tuple[str, int]) -> str | None:
        """A version's file; None: it has none. Raises why it can't be read now."""
        if version in self._versions:
            return self._versions[version]
        now = time.monotonic()
        when, error = self._failed.get(version, (float("-inf"), None))
        if error is not None and now - when < _AGAIN:
            raise error
        try:
            text = texts.of_version(self._house, *version)
        except ModelyardError as failed:
            if error is None:
                _log.warning("%s of %s@%d can't be read now: %s", texts.FILE, *version, failed)
            self._failed[version] = now, failed
            raise
        self._failed.pop(version, None)
        if len(self._versions) >= _MOST:
            self._versions.clear()
        self._versions[version] = text
        return text


def _readable(text: str, source: str, what: str) -> RuleSet:
    """What a text says; one that nobody can read must not leave a deployment unwatched."""
    try:
        rules: tuple[Rule, ...] = _parsed(text)
    except InvalidInput as error:
        _log.warning("%s: %s; the usual rules hold", what, error)
        return _usual(what, error)
    return RuleSet(rules=rules, source=source, text=text)


def _usual(what: str, error: ModelyardError) -> RuleSet:
    """The usual rules, which say why they hold."""
    usual = default_set()
    return replace(usual, text=f"# {what} can't be read: {error}\n{usual.text}")
