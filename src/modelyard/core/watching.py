"""`Monitoring`: what can be asked and told of a yard's deployments as they run. Only the protocol.

`modelyard.watch(yard)` gives it: for a folder it is computed here, for a server there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

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

__all__ = ["Monitoring"]


class Monitoring(Protocol):
    """Of one yard. What may not be seen is NotFound `no-deployment`; changing takes `writer`."""

    def profile(self, model: str, revision: str | int | None = None) -> ProfileInfo:
        """What a version is compared with. NotFound: `no-profile`."""

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
        """Ask the version about every row of some data, and keep what that says as its reference.

        Args:
            data: A file, or `MODEL@REV` of a dataset. On a server only the latter.
            target: The column with the truth, if there is one.
            groups: Columns by whose values the version is to be fair.

        Raises:
            InvalidInput, Denied, Unavailable: as `Yard.evaluate`.
        """

    def fleet(self) -> tuple[Overview, ...]:
        """All deployments that the caller may see, worst first."""

    def look(
        self, name: str, *, since: datetime | None = None, until: datetime | None = None
    ) -> Monitor:
        """A deployment in a window; the last hour if nothing else is said."""

    def series(
        self,
        name: str,
        names: Sequence[str] = (),
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        steps: int = 60,
    ) -> tuple[Series, ...]:
        """Numbers over time; by version where that makes sense.

        Args:
            names: Of the series; all that there are if none.
            steps: Points of each, at most.
        """

    def feedback(self, name: str, truths: Iterable[Mapping[str, Any]]) -> FeedbackSummary:
        """What was true of requests: `{"request": ID, "truth": VALUE}`, of a request with several
        rows `"row": N` (from 0) or a list of truths."""

    def anomalies(self, name: str | None = None, *, before: int | None = None) -> Iterator[Anomaly]:
        """Newest first; only ids below `before`."""

    def alerts(
        self, name: str | None = None, *, firing: bool = False, before: int | None = None
    ) -> Iterator[Alert]:
        """Newest first; only ids below `before`."""

    def rules(self, name: str) -> RuleSet:
        """The rules that hold for a deployment."""

    def set_rules(self, name: str, text: str | None) -> RuleSet:
        """YAML; None: what the version or else the yard says. InvalidInput: `bad-rules`."""

    def silence(
        self, name: str, rule: str = "", *, seconds: float = 3600.0, reason: str = ""
    ) -> Silence:
        """Tell nobody of alerts of this rule (all if empty) for a while."""

    def silences(self) -> tuple[Silence, ...]:
        """Those that hold now."""

    def unsilence(self, number: int) -> None:
        """End one. NotFound: `no-silence`."""
