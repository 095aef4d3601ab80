"""What is wished of a deployment, out of the fields of a form."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from modelyard.core.deployment import DeploymentSpec, Limits, Share
from modelyard.core.names import ModelRevision
from modelyard.errors import InvalidInput

if TYPE_CHECKING:
    from modelyard.server.web.acts import Form

__all__ = ["ENGINES", "PLACEMENTS", "number", "seconds", "share_of", "spec_of", "words_of"]

ENGINES: Final = ("embedded", "ray")
PLACEMENTS: Final = ("auto", "inline", "process", "environment")
_UNITS: Final = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
_LONGEST, _IDLE, _ROWS = 3600, 366 * 86_400, 1 << 24
"""As the API takes them at most: seconds to answer and without a request, rows that wait."""
_SPAN: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)\s*(ms|s|min|m|h|d|)")


def spec_of(form: Form, before: DeploymentSpec | None) -> DeploymentSpec:
    """A whole wish; what the form has no field for stays as it was."""
    limits = before.limits if before else Limits()
    extra = [
        share_of(source, percent, shadow=kind == "shadow")
        for kind in ("canary", "shadow")
        for source, percent in _rows(form, kind)
    ]
    live = sum(share.percent for share in extra if not share.shadow)
    stable = share_of(form.one("version"), str(100 - live))
    made: dict[str, Any] = {
        "name": form.one("name"),
        "shares": (stable, *(s for s in extra if not s.shadow), *(s for s in extra if s.shadow)),
        "engine": _choice(form.one("engine") or "embedded", ENGINES),
        "replicas": _whole(form.one("replicas") or "1", 256),
        "sticky": form.one("sticky").lower() or None,
        "placement": _choice(form.one("placement") or "auto", PLACEMENTS),
        "trusted": words_of(form.one("trusted")),
        "sample": number(form.one("sample") or "1") / 100,
        "redact": words_of(form.one("redact")),
        "limits": replace(
            limits, deadline=_bounded(seconds(form.one("deadline") or "30s"), _LONGEST),
            idle=_bounded(seconds(form.one("idle")), _IDLE) if form.one("idle") else None,
            queue_rows=_whole(form.one("queue_rows") or str(limits.queue_rows), _ROWS),
        ),
    }  # fmt: skip
    if before is None:
        return DeploymentSpec(**made)
    keeps = {(s.source, s.percent) for s in before.canaries} == {
        (s.source, s.percent) for s in made["shares"] if not s.shadow and s is not stable
    }
    return replace(before, **made, rollout=before.rollout if keeps else None)


def share_of(source: str, percent: str, *, shadow: bool = False) -> Share:
    """`MODEL@REV` with so many percent. InvalidInput: `bad-revision`, `bad-share`."""
    named = ModelRevision.parse(source)
    if named.revision is None:
        raise InvalidInput(
            "bad-revision", f"{source[:120]!r} names no version", hint=f"{named.model}@main"
        )
    model, _, revision = source.partition("@")
    return Share(model=model, revision=revision, percent=number(percent), shadow=shadow)


def number(text: str) -> float:
    """InvalidInput: `bad-number`."""
    try:
        value = float(text.removesuffix("%").strip())
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or len(text) > 40:
        raise InvalidInput("bad-number", f"{text[:40]!r} is no number")
    return value


def seconds(text: str) -> float:
    """`10m`, `90s`, `1.5h`, `250ms`. InvalidInput: `bad-time`."""
    found = _SPAN.fullmatch(text.strip().lower())
    if found is None:
        raise InvalidInput("bad-time", f"{text[:40]!r} is no time", hint="10m, 90s, 1h")
    return float(found[1]) * _UNITS[found[2]]


def words_of(text: str) -> tuple[str, ...]:
    """Names with commas or blanks between them."""
    return tuple(dict.fromkeys(re.split(r"[\s,;]+", text.strip()))) if text.strip() else ()


def _rows(form: Form, kind: str) -> Iterable[tuple[str, str]]:
    """Each version with its percents; rows without a version are left out."""
    sources = [source.strip() for source in form.fields.get(f"{kind}.version", ())]
    percents = form.fields.get(f"{kind}.percent", ())
    if len(percents) < len(sources):
        raise InvalidInput("bad-share", "a version without a share")
    return [(source, percents[at]) for at, source in enumerate(sources) if source]


def _bounded(value: float, most: float) -> float:
    if not 0 < value <= most:
        raise InvalidInput("bad-number", f"{value:g} is not more than 0 and at most {most:g}")
    return value


def _whole(text: str, most: int) -> int:
    value = _bounded(number(text), most)
    if value != int(value):
        raise InvalidInput("bad-number", f"{text[:40]!r} is no whole number")
    return int(value)


def _choice(text: str, known: tuple[str, ...]) -> str:
    if text not in known:
        raise InvalidInput("bad-choice", f"there is {', '.join(known)} to choose from")
    return text
