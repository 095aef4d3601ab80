"""`LocalMonitoring`: what `core.watching.Monitoring` promises, over a house."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelyard.errors import NotFound
from modelyard.monitoring import looking, seeing_series
from modelyard.monitoring.fleet import fleet
from modelyard.registry.access.door import known_name
from modelyard.registry.local import LocalYard
from modelyard.registry.watching import profiles

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from modelyard.core.monitoring import (
        Alert,
        Anomaly,
        FeedbackSummary,
        Monitor,
        Overview,
        ProfileInfo,
        RuleSet,
        Series,
        Silence,
    )
    from modelyard.core.watching import Monitoring
    from modelyard.registry.house import House

__all__ = ["LocalMonitoring"]


class LocalMonitoring:
    """Of a folder, or of a server's own yard. What it says is computed when it is asked."""

    def __init__(self, house: House) -> None:
        self._house = house

    def profile(self, model: str, revision: str | int | None = None) -> ProfileInfo:
        name = known_name(self._house, self._house.caller, model, "reader")
        number = LocalYard(self._house).resolve(name, revision).number
        found = profiles.get(self._house, name, number)
        if found is None:
            raise NotFound(
                "no-profile", f"{name}@{number} has no reference",
                hint=f"yard profile {name}@{number} --data FILE, or yard evaluate",
            )  # fmt: skip
        return found[0]

    def make_profile(
        self,
        model: str,
        revision: str | int | None,
        data: str | Path,
        *,
        target: str | None = None,
        groups: Sequence[str] = (),
        trusted: Any = None,
    ) -> ProfileInfo:
        from modelyard.monitoring.observing import make_profile

        return make_profile(
            self._house, model, revision, data, target=target, groups=groups, trusted=trusted
        )

    def fleet(self) -> tuple[Overview, ...]:
        return fleet(self._house)

    def look(
        self, name: str, *, since: datetime | None = None, until: datetime | None = None
    ) -> Monitor:
        return looking.look(self._house, name, since=since, until=until)

    def series(
        self,
        name: str,
        names: Sequence[str] = (),
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        steps: int = 60,
    ) -> tuple[Series, ...]:
        return seeing_series.series(self._house, name, names, since=since, until=until, steps=steps)

    def feedback(self, name: str, truths: Iterable[Mapping[str, Any]]) -> FeedbackSummary:
        from modelyard.monitoring.quality.joining import feedback

        return feedback(self._house, name, truths)

    def anomalies(self, name: str | None = None, *, before: int | None = None) -> Iterator[Anomaly]:
        from modelyard.registry.watching.events import events

        return events(self._house, name, before)

    def alerts(
        self, name: str | None = None, *, firing: bool = False, before: int | None = None
    ) -> Iterator[Alert]:
        from modelyard.registry.watching import alerts

        return alerts.listed(self._house, name, is_firing=firing, before=before)

    def rules(self, name: str) -> RuleSet:
        from modelyard.monitoring.alerts.ruling import rules_of

        return rules_of(self._house, name)

    def set_rules(self, name: str, text: str | None) -> RuleSet:
        from modelyard.monitoring.alerts.ruling import set_rules

        return set_rules(self._house, name, text)

    def silence(
        self, name: str, rule: str = "", *, seconds: float = 3600.0, reason: str = ""
    ) -> Silence:
        from modelyard.registry.watching import silences

        return silences.add(self._house, name, rule, seconds=seconds, reason=reason)

    def silences(self) -> tuple[Silence, ...]:
        from modelyard.registry.watching import silences

        return silences.current(self._house)

    def unsilence(self, number: int) -> None:
        from modelyard.registry.watching import silences

        silences.remove(self._house, number)


if TYPE_CHECKING:
    _: type[Monitoring] = LocalMonitoring
