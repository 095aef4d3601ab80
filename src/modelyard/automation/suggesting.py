"""What is likely to pay for a version, with what its deployments do taken into account."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from modelyard.errors import ModelyardError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.core.monitoring import VersionMonitor
    from modelyard.core.optimization import Suggestion
    from modelyard.core.yard import Yard
    from modelyard.optimization.planning import Traffic

__all__ = ["suggest", "traffic_of"]

_WINDOW: Final = timedelta(hours=24)
_DEPLOYMENTS: Final = 20


def suggest(yard: Yard, model: str, revision: str | int | None = None) -> tuple[Suggestion, ...]:
    """Recipes that are likely to pay for a version, the likeliest first. Nothing of it is run.

    That follows from its format, size and layers, from the time that deployments of it spent in the
    model during the last day, and from what earlier optimizations gave.

    Args:
        yard: What `modelyard.open` gave.
        model: Its name.
        revision: A number, branch, tag, alias, commit or `latest`; None: the tip of `main`.

    Raises:
        NotFound: `no-model`, `no-version`.
    """
    from modelyard.optimization import planning

    version = yard.resolve(model, revision)
    traffic = traffic_of(yard, version.model, version.number)
    return planning.suggest(yard, version.model, version.number, traffic=traffic)


def traffic_of(yard: Yard, model: str, number: int) -> Traffic | None:
    """What all deployments of a version did in the last day; None if there are none."""
    from modelyard.optimization.planning import Traffic

    seen = list(_served(yard, model, number))
    if not seen:
        return None
    busiest = max(seen, key=lambda each: each.performance.requests).performance
    predict = busiest.phases.get("predict")
    share = None
    if predict is not None and busiest.p50:
        share = min(max(predict[0] / busiest.p50, 0.0), 1.0)
    rate = sum(each.performance.requests for each in seen) / _WINDOW.total_seconds()
    return Traffic(requests=rate, latency_p50=busiest.p50, model_share=share)


def _served(yard: Yard, model: str, number: int) -> Iterator[VersionMonitor]:
    """How it is in each deployment that has it; nothing where nobody watches."""
    from modelyard.monitoring.opening import watch

    until = datetime.now(UTC)
    try:
        names = [
            each.spec.name
            for each in yard.deployments.list()
            if any(s.model == model and s.number == number for s in each.spec.shares)
        ]
        if not names:
            return
        watching: Any = watch(yard)
        for name in names[:_DEPLOYMENTS]:
            for version in watching.look(name, since=until - _WINDOW, until=until).versions:
                if (version.model, version.number) == (model, number):
                    yield version
    except ModelyardError:
        return
