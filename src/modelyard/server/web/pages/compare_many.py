"""Many versions side by side: parameters and metrics as lines, a trade-off, and a verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import Query
from starlette.responses import RedirectResponse, Response

from modelyard.core.evaluation import Comparison
from modelyard.core.metrics.names import direction
from modelyard.core.names import ModelRevision
from modelyard.core.version import VersionInfo
from modelyard.errors import InvalidInput, ModelyardError
from modelyard.registry.access import known_name
from modelyard.registry.side_by_side import MOST, Beside, chosen_versions, found_versions
from modelyard.server.routing import on_yard
from modelyard.server.state import Ask
from modelyard.server.web.axes import Axis, axis_of, place_of
from modelyard.server.web.trade_off import TradeOff, trade_off_of
from modelyard.server.web.twins import Pages

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["pages"]

pages = Pages("compare")

_AXES = 9
_SHOWN = 50
_TESTED = 24
"""Of more versions a verdict takes long, and says little."""
Text = Annotated[str, Query(max_length=400)]


@dataclass(frozen=True, slots=True)
class Row:
    """One version."""

    version: VersionInfo
    values: tuple[Any, ...]
    """On each axis; None where it has none."""
    places: tuple[float | None, ...]
    """On each axis from 0, at the bottom, to 1."""
    best: tuple[bool, ...]
    """On each axis, whether no other is better."""
    latency: float | None
    """Milliseconds for a single row."""

    @property
    def title(self) -> str:
        """`flowers/iris@1`."""
        return self.version.title


Reason = Literal["", "too-many", "not-alike", "no-direction", "several-models"]


@dataclass(frozen=True, slots=True)
class ManyPage:
    """Versions side by side."""

    model: str
    """Whose versions; empty if they were named one by one."""
    query: str
    """What they meet; only with `model`."""
    chosen: tuple[str, ...]
    """Those that were named."""
    rows: tuple[Row, ...]
    more: bool
    """There are others that are not shown."""
    axes: tuple[Axis, ...]
    axes_left_out: int
    """Parameters and metrics that differ too, and have no axis."""
    metric: str
    """What decides; empty if the versions share no metric."""
    metrics: tuple[str, ...]
    """What may decide."""
    trade_off: TradeOff | None
    has_latency: bool
    verdict: Comparison | None
    """The tests, where all were evaluated on the same data."""
    no_verdict: Reason
    """Why there is none."""


@pages.page("/compare/many", "compare_many.html", needs=on_yard("none"))
def compare_many(
    ask: Ask,
    *,
    v: Annotated[list[str], Query(max_length=MOST)] = [],  # noqa: B006 - FastAPI copies it
    model: Text = "",
    q: Text = "",
    metric: Text = "",
    across: Literal["size", "latency", ""] = "",
    limit: Annotated[int, Query(ge=2, le=MOST)] = _SHOWN,
) -> ManyPage | Response:
    """Versions that were named, or those of a model that a query finds."""
    more = False
    if v:
        titles = [_readable(ask, title) for title in dict.fromkeys(v)]
        beside = chosen_versions(ask.house, titles)
        model = ""
    elif model:
        model = known_name(ask.house, ask.caller, model, "reader")
        beside, more = found_versions(ask.house, model, q, limit)
    else:
        return RedirectResponse(f"{ask.server.settings.prefix}/compare", 303)
    metrics = _metrics(beside)
    if metric not in metrics:
        known = [name for name in metrics if direction(name)]
        metric = (known or list(metrics) or [""])[0]
    axes, left_out = _axes(beside, metric)
    verdict, reason = _verdict(ask, beside, metric)
    return ManyPage(
        model=model, query=q if model else "", chosen=tuple(v), rows=_rows(beside, axes),
        more=more, axes=axes, axes_left_out=left_out, metric=metric, metrics=metrics,
        trade_off=trade_off_of(beside, metric, across),
        has_latency=any(each.latency is not None for each in beside),
        verdict=verdict, no_verdict=reason,
    )  # fmt: skip


def _readable(ask: Ask, title: str) -> str:
    parsed = ModelRevision.parse(title)
    name = known_name(ask.house, ask.caller, parsed.model.text, "reader")
    return name if parsed.revision is None else f"{name}@{parsed.revision}"


def _metrics(beside: Sequence[Beside]) -> tuple[str, ...]:
    """Those that most versions have come first."""
    counts: dict[str, int] = {}
    for each in beside:
        for name in each.version.metrics:
            counts[name] = counts.get(name, 0) + 1
    return tuple(sorted(counts, key=lambda name: (-counts[name], direction(name) is None, name)))


# -- axes ------------------------------------------------------------------------------------------


def _axes(beside: Sequence[Beside], metric: str) -> tuple[tuple[Axis, ...], int]:
    """Parameters on the left, metrics on the right, the one that decides last."""
    params = [
        axis
        for name in dict.fromkeys(name for each in beside for name in each.params)
        if (axis := axis_of(name, "param", [each.params.get(name) for each in beside])) is not None
    ]
    measured = [
        axis
        for name in _metrics(beside)
        if (
            axis := axis_of(
                name, "metric", [each.version.metrics.get(name) for each in beside], direction(name)
            )
        )
    ]
    measured.sort(key=lambda axis: (axis.name != metric, axis.way is None))
    few = measured[: max(3, _AXES - len(params))]
    kept = params[: _AXES - len(few)]
    left_out = len(params) + len(measured) - len(kept) - len(few)
    return (*kept, *reversed(few)), left_out


def _rows(beside: Sequence[Beside], axes: Sequence[Axis]) -> tuple[Row, ...]:
    table = [[_value(each, axis) for axis in axes] for each in beside]
    best = [
        None if axis.way is None else (max if axis.way == "higher" else min)(_there(table, i))
        for i, axis in enumerate(axes)
    ]
    return tuple(
        Row(
            each.version, tuple(values),
            tuple(place_of(axis, value) for axis, value in zip(axes, values, strict=True)),
            tuple(b is not None and value == b for b, value in zip(best, values, strict=True)),
            each.latency,
        )
        for each, values in zip(beside, table, strict=True)
    )  # fmt: skip


def _there(table: Iterable[Sequence[Any]], column: int) -> list[Any]:
    return [row[column] for row in table if row[column] is not None]


def _value(each: Beside, axis: Axis) -> Any:
    return (each.params if axis.kind == "param" else each.version.metrics).get(axis.name)


# -- the verdict -----------------------------------------------------------------------------------


def _verdict(ask: Ask, beside: Sequence[Beside], metric: str) -> tuple[Comparison | None, Reason]:
    models = {each.version.model for each in beside}
    if len(models) != 1:
        return None, "several-models" if models else ""
    measured = [each for each in beside if metric in each.measures]
    if len(measured) < 2:
        return None, "not-alike"
    if len(measured) > _TESTED:
        return None, "too-many"
    try:
        numbers = [each.version.number for each in measured]
        return ask.yard.compare(models.pop(), numbers, metric=metric), ""
    except InvalidInput as error:
        return None, "no-direction" if error.kind == "metric-direction" else "not-alike"
    except ModelyardError:
        return None, "not-alike"
