"""Numbers of a deployment over time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from modelyard.core.monitoring import Series
from modelyard.errors import InvalidInput
from modelyard.monitoring import windows
from modelyard.monitoring.drift import drift_of
from modelyard.monitoring.looking import seen, span
from modelyard.monitoring.performance import of_tile
from modelyard.monitoring.quality import estimated, realized
from modelyard.registry.watching.seeing import watched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from modelyard.core.monitoring import Measured, Performance
    from modelyard.monitoring.looking import Seen
    from modelyard.monitoring.tiles import Tile
    from modelyard.registry.house import House

__all__ = ["NAMES", "series"]

_MOST: Final = 1000
_PERFORMANCE: Final[dict[str, tuple[str, Callable[[Performance], float | None]]]] = {
    "requests": ("1/s", lambda p: p.rate),
    "error_rate": ("1", lambda p: p.errors / p.requests if p.requests else None),
    "rejected_rate": ("1", lambda p: p.rejected / p.requests if p.requests else None),
    "latency_p50": ("s", lambda p: p.p50),
    "latency_p95": ("s", lambda p: p.p95),
    "latency_p99": ("s", lambda p: p.p99),
    "saturation": ("1", lambda p: p.saturation if p.requests else None),
    "batch": ("rows", lambda p: p.batch),
}
NAMES: Final = (*_PERFORMANCE, "drift_score", "drift", "accuracy", "mae", "estimated_accuracy")
"""`drift_score` is of the worst column; `drift` gives one for each column, `drift.NAME`."""
_Point = tuple[float | None, float | None, float | None]


def series(
    house: House,
    name: str,
    names: Sequence[str] = (),
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    steps: int = 60,
) -> tuple[Series, ...]:
    """`Monitoring.series`. InvalidInput: `bad-window`, `no-series`."""
    begin, end = span(since, until)
    if not 1 <= steps <= _MOST:
        raise InvalidInput("bad-window", f"steps: {steps} are not 1 to {_MOST}")
    wanted = set(names) or set(NAMES)
    odd = sorted(each for each in wanted if each.split(".", 1)[0] not in NAMES)
    if odd:
        raise InvalidInput(
            "no-series", f"there are no numbers called {odd[0][:60]!r}",
            hint=", ".join(NAMES),
        )  # fmt: skip
    # of whole tiles: none says when in it something was
    unit = windows.longest(house, watched(house, name).id, begin, end)
    step = max(math.ceil((end - begin) / steps / unit - 1e-6), 1) * float(unit)
    first = begin // step * step
    times = tuple(first + step * at for at in range(math.ceil((end - first) / step)))
    found = seen(house, name, first, end)
    lasted = [min(step, found.end - each) for each in times]  # the last step may have only begun
    return tuple(_all(found, wanted, times, step, lasted))


def _all(
    found: Seen, wanted: set[str], times: tuple[float, ...], step: float, lasted: Sequence[float]
) -> Iterator[Series]:
    several = len(found.serves) > 1
    everybody = _spread(
        (span for version, spans in found.performance.items() for span in spans
         if not found.is_shadow(version)), times, step
    )  # fmt: skip
    for number, parts in [
        (None, everybody),
        *((version[1], _spread(found.performance.get(version, ()), times, step))
          for version in found.serves if several),
    ]:  # fmt: skip
        told = [
            of_tile(windows.merged(windows.EMPTY, tiles).performance, seconds) if tiles else None
            for tiles, seconds in zip(parts, lasted, strict=True)
        ]
        for each, (unit, of) in _PERFORMANCE.items():
            if each in wanted:
                empty = 0.0 if each == "requests" else None
                values = tuple(empty if p is None else of(p) for p in told)
                yield Series(name=each, number=number, unit=unit, times=times, values=values)
    for version in found.serves:
        yield from _of_version(found, version, wanted, times, step)


def _of_version(
    found: Seen, version: windows.Version, wanted: set[str], times: tuple[float, ...], step: float
) -> Iterator[Series]:
    reference = found.references.get(version)
    if reference is None:
        return
    schema, profile, number = reference.info.schema, reference.profile, version[1]
    drifts: dict[str, dict[int, float]] = {}
    numbers: dict[str, dict[int, _Point]] = {}
    for at, parts in enumerate(_spread(found.traffic.get(version, ()), times, step)):
        if not parts:
            continue
        tile = windows.merged(schema, parts)
        for drift in drift_of(profile, tile):
            if drift.reason is None:
                drifts.setdefault(drift.column, {})[at] = drift.score
        if "estimated_accuracy" in wanted:
            _note(numbers, at, estimated(profile, tile), {"accuracy": "estimated_accuracy"})
    for at, parts in enumerate(_spread(found.truth.get(version, ()), times, step)):
        if parts:
            truth = windows.merged(schema, parts).truth
            _note(numbers, at, realized(schema, truth, None), {"accuracy": "accuracy",
                                                                "mae": "mae"})  # fmt: skip
    if "drift_score" in wanted and drifts:
        worst = tuple(
            max((points[at] for points in drifts.values() if at in points), default=None)
            for at in range(len(times))
        )
        yield Series(name="drift_score", number=number, unit="1", times=times, values=worst)
    for column, points in drifts.items():
        if "drift" in wanted or f"drift.{column}" in wanted:
            values = tuple(points.get(at) for at in range(len(times)))
            yield Series(name=f"drift.{column}", number=number, unit="1", times=times,
                         values=values)  # fmt: skip
    for each, spots in numbers.items():
        if each in wanted:
            three = [spots.get(at, (None, None, None)) for at in range(len(times))]
            values, low, high = zip(*three, strict=True)
            yield Series(
                name=each, number=number, unit="1", times=times, values=values, low=low, high=high
            )  # fmt: skip


def _note(
    numbers: dict[str, dict[int, _Point]], at: int, told: Iterable[Measured], names: dict[str, str]
) -> None:
    for one in told:
        if one.name in names and one.label is None and one.value is not None and one.valid:
            numbers.setdefault(names[one.name], {})[at] = (one.value, one.low, one.high)


def _spread(
    spans: Iterable[windows.Span], times: tuple[float, ...], step: float
) -> list[list[Tile]]:
    """Tiles by the step that they lie in."""
    found: list[list[Tile]] = [[] for _ in times]
    for each in spans:
        at = int((each.start - times[0]) // step)
        if 0 <= at < len(found):
            found[at].append(each.tile)
    return found
