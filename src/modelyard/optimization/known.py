"""What a search was told, and how good each trial is beside the others. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Known", "losses", "violations", "worst"]

Json = Any
Array = np.ndarray[Any, Any]

_UNKNOWN = 1e300
"""As much, or more, stands for what could not be measured."""


@dataclass(slots=True)
class Known:
    """One set of parameters."""

    params: dict[str, Json]
    values: tuple[float, ...] | None = None
    """By goal, less is better; None while it is tried, and where it failed."""
    excess: dict[str, float] | None = None
    """By constraint how far it is off; None while it is tried."""

    @property
    def running(self) -> bool:
        return self.excess is None


def violations(told: Sequence[Known]) -> list[float]:
    """How much is wrong with each trial, each constraint by the most that is known of it."""
    names = {name for each in told for name in each.excess or {}}
    most = {name: _most((each.excess or {}).get(name, 0.0) for each in told) for name in names}
    found = []
    for each in told:
        if each.values is None:
            found.append(10.0 * (1 + len(names)))
        else:
            broken = {name: by for name, by in (each.excess or {}).items() if by > 0}
            found.append(sum((min(by / most[name], 2.0) for name, by in broken.items()), 0.0))
    return found


def _most(found: Iterable[float]) -> float:
    """What could not be measured says nothing of how far others are off."""
    return max((by for by in found if 0.0 < by < _UNKNOWN), default=1.0)


def losses(told: Sequence[Known], rng: np.random.Generator) -> Array:
    """One number for each trial, less is better; one of them at least must have values.

    Several goals are weighed anew each time, by chance (Knowles, ParEGO, 2006), so that the whole
    front is looked for. What breaks a constraint, or failed, is worse than all others.
    """
    fine = np.array([each.values for each in told if each.values is not None])
    low, high = _bounds(fine)
    weights = rng.dirichlet(np.ones(len(low)))
    found: Array = np.full(len(told), np.nan)
    for at, each in enumerate(told):
        if each.values is not None:
            z = (np.minimum(each.values, high) - low) / np.where(high > low, high - low, 1.0)
            found[at] = (weights * z).max() + 0.05 * float(weights @ z)
    found[np.isnan(found)] = np.nanmax(found)
    broken = np.array(violations(told))
    found += (broken > 0) * (1.0 + np.minimum(broken, 2.0)) * max(np.ptp(found), 1e-9)
    return found


def _bounds(values: Array) -> tuple[Array, Array]:
    """Of each goal; what is far off counts as bad, and does not make all others alike."""
    low, middle, high = values.min(axis=0), np.median(values, axis=0), values.max(axis=0)
    return low, np.where(middle > low, np.minimum(high, middle + 2.0 * (middle - low)), high)


def worst(told: Sequence[Known]) -> tuple[float, ...] | None:
    """Of each goal; None if everything failed."""
    values = [each.values for each in told if each.values is not None]
    return tuple(map(max, zip(*values, strict=True))) if values else None
