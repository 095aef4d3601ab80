"""Which recipes are likely to pay for a version, and why. Nothing is loaded, nothing is run.

It follows from what the files tell, from the time that a service waits for the model, and from
what earlier optimizations of the same model gave.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from importlib.util import find_spec
from itertools import islice
from math import prod
from typing import TYPE_CHECKING, Any, Final, Protocol

from modelyard.core.evaluation import HOLDOUT
from modelyard.core.lineage import ancestors
from modelyard.core.optimization import Suggestion
from modelyard.errors import ModelyardError
from modelyard.optimization.expecting import Facts, expectations

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.core.evaluation import Evaluation
    from modelyard.core.optimization import Optimization
    from modelyard.core.optimizing import Optimizations
    from modelyard.core.version import VersionDetail, VersionInfo
    from modelyard.optimization.expecting import Expected

__all__ = ["AskedYard", "Traffic", "suggest"]

_LEAST: Final = 0.15
"""Suggestions with lower scores are not made."""
_LOOKED_AT: Final = 20
_LOOKED_BACK: Final = 100
_SLOW: Final = 0.5
_QUICK: Final = 0.2
_LARGE, _TINY = 20_000_000, 100_000
_LIBRARIES: Final = {"optimize": "onnxruntime", "optimize-torch": "onnxscript", "keras": "keras"}


class AskedYard(Protocol):
    """A yard, here or on a server."""

    def show(self, model: str, revision: str | int | None = None) -> VersionDetail: ...

    def evaluations(
        self, model: str, revision: str | int | None = None
    ) -> Iterator[Evaluation]: ...

    def log(self, model: str, revision: str | int | None = None) -> Iterator[VersionInfo]: ...

    @property
    def optimizations(self) -> Optimizations: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What the deployments of a version do."""

    requests: float
    """For each second."""
    latency_p50: float | None = None
    """Seconds that a request takes."""
    model_share: float | None = None
    """0 to 1: of that, what the model takes itself."""


def suggest(
    yard: AskedYard,
    model: str,
    revision: str | int | None = None,
    *,
    traffic: Traffic | None = None,
) -> tuple[Suggestion, ...]:
    """Recipes for a version, the likeliest to pay first.

    Args:
        traffic: Of its deployments; without it size and kind alone decide.

    Raises:
        NotFound: `no-model`, `no-version`.
    """
    detail = yard.show(model, revision)
    facts = _facts(detail)
    data = _measured_on(yard, detail)
    past = list(_past(yard, detail.version.model))
    line = _line(yard, detail, past)
    found = []
    for each in expectations(facts):
        made = _suggestion(each, detail, facts, data)
        made = _by_traffic(made, each, traffic)
        made = _by_size(made, each, facts)
        made = _by_past(made, past, detail.version.number, line)
        if made.score >= _LEAST:
            found.append(replace(made, score=round(min(made.score, 0.99), 2)))
    return tuple(sorted(found, key=lambda each: (-each.score, each.recipe)))


def _facts(detail: VersionDetail) -> Facts:
    operators: dict[str, int] = {}
    for said in detail.metadata.values():
        ops = said.get("ops")
        if isinstance(ops, dict):
            for name, count in ops.items():
                operators[str(name)] = operators.get(str(name), 0) + int(count)
    structure = detail.saved.get("structure") or ()
    saved = detail.saved
    dtypes: dict[str, int] = {}
    for entry in detail.tensors:
        dtypes[entry.dtype] = dtypes.get(entry.dtype, 0) + prod(entry.shape)
    framework = str(saved.get("framework") or detail.version.framework or "")
    if not framework and operators:
        framework = "onnx"
    return Facts(
        framework=framework, serializer=str(saved.get("serializer") or ""),
        class_name=str(saved.get("class") or ""),
        size=sum(file.size for file in detail.files),
        structure=tuple(map(str, structure)) if isinstance(structure, list | tuple) else (),
        operators=operators, dtypes=dtypes,
    )  # fmt: skip


def _measured_on(yard: AskedYard, detail: VersionDetail) -> tuple[str, str] | None:
    """A committed dataset that the version was measured on, and its target."""
    try:
        for each in yard.evaluations(detail.version.model, detail.version.number):
            name = each.data.removesuffix(HOLDOUT)
            if "@" in name and each.target:
                return name, each.target
    except ModelyardError:
        return None
    return None


def _suggestion(
    each: Expected, detail: VersionDetail, facts: Facts, data: tuple[str, str] | None
) -> Suggestion:
    needs = []
    words = ["yard", "optimize", detail.version.title, "--recipe", each.recipe]
    if data is not None:
        words += ["--data", data[0], "--target", data[1]]
    elif each.needs_target:
        needs.append("data with the right answers")
        words += ["--data", "FILE", "--target", "COL"]
    elif each.needs_rows:
        needs.append("rows such as it takes: its files do not tell")
        words += ["--data", "FILE"]
    if facts.is_loose and "pickle" in detail.version.formats:
        needs.append("trust in what its files import: --trust")
    extra = "optimize-torch" if facts.framework in ("torch", "transformers") else "optimize"
    if find_spec(_LIBRARIES[extra]) is None:
        needs.append(f"pip install 'modelyard[{extra}]'")
    return Suggestion(
        recipe=each.recipe, score=each.score, expected=each.gains, why=each.why,
        needs=tuple(needs), command=shlex.join(words),
    )  # fmt: skip


def _by_traffic(made: Suggestion, each: Expected, traffic: Traffic | None) -> Suggestion:
    """What makes a model quicker pays where people wait for it."""
    if traffic is None or not each.faster:
        return made
    if traffic.requests <= 0:
        return replace(made, why=(*made.why, "nobody has asked it lately"), score=made.score * 0.8)
    if traffic.model_share is None:
        return made
    share = traffic.model_share
    factor = 1.3 if share >= _SLOW else 0.6 if share < _QUICK else 1.0
    asked = f"its deployments get {traffic.requests:.3g} requests a second"
    told = f"{asked}, and the model takes {share:.0%} of their time"
    if traffic.latency_p50 is not None:
        took = 1000 * traffic.latency_p50
        told = f"{told} ({took * share:.3g} of {took:.3g} ms)"
    if share < _QUICK:
        told = f"{told}: a quicker one would hardly be noticed"
    return replace(made, why=(*made.why, told), score=made.score * factor)


def _by_size(made: Suggestion, each: Expected, facts: Facts) -> Suggestion:
    if not each.smaller:
        return made
    shown = _bytes(facts.size)
    if facts.size >= _LARGE:
        return replace(made, why=(*made.why, f"its files take {shown}"), score=made.score * 1.15)
    if facts.size < _TINY:
        told = f"its files take {shown} only: there is little to save"
        return replace(made, why=(*made.why, told), score=made.score * 0.7)
    return made


def _past(yard: AskedYard, model: str) -> Iterator[Optimization]:
    try:
        for at, each in enumerate(yard.optimizations.list(model)):
            if at >= _LOOKED_AT:
                return
            if each.state == "done":
                yield each
    except ModelyardError:
        return  # whoever may not look at them is told the rest


def _line(yard: AskedYard, detail: VersionDetail, past: list[Optimization]) -> frozenset[int]:
    """A version and those that it came of: its parents, and what optimizations made it of."""
    number = detail.version.number
    if not past:
        return frozenset({number})
    sources: dict[int, tuple[int, ...]] = {}
    for each in islice(yard.log(detail.version.model, number), _LOOKED_BACK):
        sources[each.number] = each.parents
    for found in past:
        for made in found.published:
            sources[made] = (*sources.get(made, ()), found.number)
    return frozenset(ancestors(number, lambda each: sources.get(each, ())))


def _by_past(
    made: Suggestion, past: list[Optimization], number: int, line: frozenset[int]
) -> Suggestion:
    """What the same recipe gave before, newest first; on this version it need not be run again.

    Args:
        line: The version, and those it came of: what they gained is not gained again.
    """
    told_of = [each for each in past if each.recipe.name == made.recipe]
    told_of.sort(key=lambda each: each.number != number and line.isdisjoint(each.published))
    if not told_of:
        return made
    each = told_of[0]
    if not each.published:
        told = f"optimization {each.id} of version {each.number} found nothing better with it"
        factor = 0.2 if each.number == number else 0.6
        return replace(made, why=(*made.why, told), score=made.score * factor)
    shown = ", ".join(map(str, each.published))
    gains = _gains(each)
    gained = ": " + ", ".join(f"{name} {text}" for name, text in gains.items()) if gains else ""
    told = f"optimization {each.id} made version {shown} of version {each.number} with it{gained}"
    if not line.isdisjoint(each.published):
        told = f"{told}; this version came of that, so it is not to be gained again"
        return replace(made, why=(*made.why, told), score=made.score * 0.4, expected={})
    factor = 0.4 if each.number == number else 1.25
    return replace(
        made, why=(*made.why, told), score=made.score * factor, expected={**made.expected, **gains}
    )


def _gains(found: Optimization) -> dict[str, str]:
    """What was proved of the chosen version, in words."""
    told: dict[str, str] = {}
    for each in found.candidates:
        if not each.chosen:
            continue
        for verdict in each.verdicts:
            name = verdict.about.partition(" ")[0]
            before, after = verdict.before, verdict.after
            if name in told or before is None or after is None or not verdict.holds:
                continue
            if name in ("size", "stored", "parameters") and after > 0:
                told[name] = f"{before / after:.1f}x smaller"
            elif name.endswith("latency_p50") and after > 0:
                told[name] = f"{before / after:.1f}x faster"
            elif " " in verdict.about:
                told[name] = f"{after - before:+.3f}"
    return told


def _bytes(count: int) -> str:
    value: Any = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            return f"{value:.3g} {unit}"
        value /= 1000
    return ""
