"""`RemoteYard.monitoring`: what a server says of its deployments."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from modelyard.client.desk import revision_in_path
from modelyard.client.jobs import run_job
from modelyard.core.deployment import check_name
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
from modelyard.core.names import ModelName
from modelyard.core.trust import Trust
from modelyard.core.truths import JSON_LINES
from modelyard.core.wire import decode, encode
from modelyard.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from modelyard.client.desk import RemoteDesk
    from modelyard.core.watching import Monitoring

__all__ = ["RemoteMonitoring"]

T = TypeVar("T", Alert, Anomaly)

_PAGE = 100
_AT_ONCE = 20_000
"""Truths in one request. One that got lost is sent again, and nothing counts twice."""
_PROBLEMS = 20


class RemoteMonitoring:
    """`core.watching.Monitoring` over HTTP."""

    def __init__(self, desk: RemoteDesk) -> None:
        self._desk = desk
        self._at = desk.connection

    # -- references ------------------------------------------------------------------------------

    def profile(self, model: str, revision: str | int | None = None) -> ProfileInfo:
        return self._at.get(_profile(model, revision), ProfileInfo)

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
        if Path(data).expanduser().exists():  # the server can't read it: it is asked about here
            from modelyard.monitoring.observing import profile_by_asking

            return profile_by_asking(
                self._desk, model, revision, data, target=target, groups=groups, trusted=trusted
            )
        trust = Trust.of(trusted)
        body = {
            "data": str(data), "target": target, "groups": list(groups),
            "trusted": ["*"] if trust.everything else sorted(trust.names),
        }  # fmt: skip
        return run_job(self._at, "POST", _profile(model, revision), ProfileInfo, body=body)

    # -- looking ---------------------------------------------------------------------------------

    def fleet(self) -> tuple[Overview, ...]:
        return self._at.get(["monitoring"], tuple[Overview, ...])

    def look(
        self, name: str, *, since: datetime | None = None, until: datetime | None = None
    ) -> Monitor:
        return self._at.get(_of(name, "monitoring"), Monitor, **_window(since, until))

    def series(
        self,
        name: str,
        names: Sequence[str] = (),
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        steps: int = 60,
    ) -> tuple[Series, ...]:
        query = {"name": ",".join(names) or None, "steps": steps, **_window(since, until)}
        return self._at.get(_of(name, "monitoring", "series"), tuple[Series, ...], **query)

    def anomalies(self, name: str | None = None, *, before: int | None = None) -> Iterator[Anomaly]:
        """Page by page."""
        return self._pages(["anomalies"], Anomaly, name, before)

    # -- truth -----------------------------------------------------------------------------------

    def feedback(self, name: str, truths: Iterable[Mapping[str, Any]]) -> FeedbackSummary:
        """Sent in portions; each is done when the next one goes."""
        path, waiting = _of(name, "feedback"), iter(truths)
        total = FeedbackSummary(joined=0, late=0, duplicate=0, unknown=0)
        while portion := list(islice(waiting, _AT_ONCE)):
            content = b"\n".join(map(_line, portion))
            headers = {"content-type": JSON_LINES}
            reply = self._at.request("POST", path, content=content, headers=headers)
            total = _sum(total, decode(reply.content, FeedbackSummary))
        return total

    # -- telling people --------------------------------------------------------------------------

    def alerts(
        self, name: str | None = None, *, firing: bool = False, before: int | None = None
    ) -> Iterator[Alert]:
        """Page by page."""
        return self._pages(["alerts"], Alert, name, before, firing=firing or None)

    def rules(self, name: str) -> RuleSet:
        return self._at.get(_of(name, "rules"), RuleSet)

    def set_rules(self, name: str, text: str | None) -> RuleSet:
        path = _of(name, "rules")
        if text is None:
            return self._at.delete(path, RuleSet)
        return self._at.put(path, RuleSet, {"text": text})

    def silence(
        self, name: str, rule: str = "", *, seconds: float = 3600.0, reason: str = ""
    ) -> Silence:
        body = {"deployment": name, "rule": rule, "seconds": seconds, "reason": reason}
        return self._at.post(["silences"], Silence, body)

    def silences(self) -> tuple[Silence, ...]:
        return self._at.get(["silences"], tuple[Silence, ...])

    def unsilence(self, number: int) -> None:
        self._at.request("DELETE", ["silences", number])

    def _pages(
        self, path: Sequence[str], cls: type[T], name: str | None, before: int | None, **query: Any
    ) -> Iterator[T]:
        if name is not None:
            query["deployment"] = check_name(name)
        kind: Any = tuple[cls, ...]  # type: ignore[valid-type]
        page: tuple[T, ...] = self._at.get(path, kind, limit=_PAGE, before=before, **query)

        def rest() -> Iterator[T]:
            shown = page
            yield from shown
            while len(shown) == _PAGE:
                shown = self._at.get(path, kind, limit=_PAGE, before=shown[-1].id, **query)
                yield from shown

        return rest()


def _of(name: str, *rest: str) -> list[str]:
    return ["deployments", check_name(name), *rest]


def _profile(model: str, revision: str | int | None) -> list[str]:
    return ["models", ModelName.parse(model).text, "versions", revision_in_path(revision),
            "profile"]  # fmt: skip


def _window(since: datetime | None, until: datetime | None) -> dict[str, str | None]:
    return {
        "since": None if since is None else since.astimezone().isoformat(),
        "until": None if until is None else until.astimezone().isoformat(),
    }


def _line(truth: Mapping[str, Any]) -> bytes:
    try:
        return encode({key: _plain(value) for key, value in truth.items()})
    except (TypeError, ValueError, AttributeError, msgspec.MsgspecError) as error:
        raise InvalidInput(
            "bad-feedback", f"a truth that JSON can't say: {error}",
            hint='{"request": ID, "truth": VALUE}',
        ) from None  # fmt: skip


def _plain(value: Any) -> Any:
    """Arrays and numbers of numpy as Python has them."""
    return value.tolist() if hasattr(value, "tolist") else value


def _sum(one: FeedbackSummary, other: FeedbackSummary) -> FeedbackSummary:
    return FeedbackSummary(
        joined=one.joined + other.joined, late=one.late + other.late,
        duplicate=one.duplicate + other.duplicate, unknown=one.unknown + other.unknown,
        conflicting=one.conflicting + other.conflicting,
        problems=(*one.problems, *other.problems)[:_PROBLEMS],
    )  # fmt: skip


if TYPE_CHECKING:
    _: type[Monitoring] = RemoteMonitoring
