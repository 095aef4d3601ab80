"""Trials without what their passes changed, layer by layer: that is most of what is kept of them,
and lists of trials show none of it."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - decoders look it up
from dataclasses import dataclass, field
from typing import Any

from modelyard.core.decoding import decode_json
from modelyard.core.optimization import PassDone, Trial, TrialState

__all__ = ["outline"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """A `PassDone` without `changed`, which is passed over when it is read."""

    name: str
    params: Mapping[str, Any] = field(default_factory=dict)
    kept: bool = True
    why: str = ""
    seconds: float = 0.0
    before: Mapping[str, float] = field(default_factory=dict)
    after: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outline:
    """A `Trial` with such steps."""

    number: int
    params: Mapping[str, Any] = field(default_factory=dict)
    state: TrialState = "running"
    values: Mapping[str, float] = field(default_factory=dict)
    steps: tuple[_Step, ...] = ()
    excess: Mapping[str, float] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    reason: str = ""
    digest: str = ""
    on_front: bool = False


def outline(body: str) -> Trial:
    """A trial as it is kept, but for `changed` of its steps, which is empty."""
    found = decode_json(body, _Outline)
    steps = tuple(
        PassDone(
            name=one.name, params=one.params, kept=one.kept, why=one.why, seconds=one.seconds,
            before=one.before, after=one.after, notes=one.notes,
        ) for one in found.steps
    )  # fmt: skip
    return Trial(
        number=found.number, params=found.params, state=found.state, values=found.values,
        steps=steps, excess=found.excess, scores=found.scores, seconds=found.seconds,
        reason=found.reason, digest=found.digest, on_front=found.on_front,
    )  # fmt: skip
