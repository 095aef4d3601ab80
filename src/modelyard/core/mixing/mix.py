"""What somebody asked for: a method of mixing weights and its numbers, checked once."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

from modelyard.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["METHODS", "Method", "Mix"]

Method = Literal["average", "weighted", "slerp", "ties", "dare", "task-arithmetic"]
METHODS: tuple[Method, ...] = get_args(Method)

_WITH_BASE = frozenset({"ties", "dare", "task-arithmetic"})
_WITH_DENSITY = frozenset({"ties", "dare"})
_DENSITY = 0.2
"""TIES keeps the top 20 %; DARE drops 80 % without loss in most of its experiments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """A method with all its numbers. Make it with `parse`."""

    method: Method
    weights: tuple[float, ...]
    """One for each version. They sum to one where values are mixed, and are factors of what each
    version changed where a base is taken off."""
    density: float = 1.0
    """Share of each version's changes that is kept."""
    scale: float = 1.0
    """Factor of the merged change before it is added to the base."""
    seed: int = 0

    @property
    def needs_base(self) -> bool:
        """Whether versions are seen as changes of a common base."""
        return self.method in _WITH_BASE

    @classmethod
    def parse(
        cls,
        method: str,
        count: int,
        *,
        weights: Sequence[float] | None = None,
        density: float | None = None,
        scale: float | None = None,
        seed: int | None = None,
    ) -> Self:
        """Check a wish to mix `count` versions.

        Raises:
            InvalidInput: `bad-mix`: no such method, a number that can't be, or one that the method
                has no use for.
        """
        if method not in METHODS:
            raise _bad(f"{str(method)[:80]!r} is no method", f"one of {', '.join(METHODS)}")
        least = 1 if method in _WITH_BASE else 2
        if count < least:
            raise _bad(
                f"{method} needs two versions" if least == 2 else f"{method} needs a version"
            )
        if method == "slerp" and count != 2:
            raise _bad(f"slerp mixes two versions, not {count}", "average takes any number")
        for name, value, where in (
            ("density", density, _WITH_DENSITY),
            ("scale", scale, _WITH_BASE),
            ("seed", seed, frozenset({"dare"})),
        ):
            if value is not None and method not in where:
                raise _bad(f"{method} has no {name}", f"{name} is for {', '.join(sorted(where))}")
        default = _DENSITY if method in _WITH_DENSITY else 1.0
        return cls(
            method=method,
            weights=_weights(method, count, weights),
            density=_density(default if density is None else density),
            scale=_number("scale", 1.0 if scale is None else scale),
            seed=_seed(0 if seed is None else seed),
        )

    def __str__(self) -> str:
        """`ties (density 0.2)`, as messages of commits say it."""
        said = [f"density {self.density:g}"] if self.method in _WITH_DENSITY else []
        said += [f"scale {self.scale:g}"] if self.scale != 1 else []
        if len(set(self.weights)) > 1:
            said.insert(0, f"weights {' '.join(f'{w:.4g}' for w in self.weights)}")
        return f"{self.method} ({', '.join(said)})" if said else self.method

    def params(self) -> dict[str, Any]:
        """What the merged version's manifest says of it."""
        told: dict[str, Any] = {"merge.method": self.method}
        if self.method != "average":
            told["merge.weights"] = list(self.weights)
        if self.method in _WITH_DENSITY:
            told["merge.density"] = self.density
        if self.method in _WITH_BASE:
            told["merge.scale"] = self.scale
        if self.method == "dare":
            told["merge.seed"] = self.seed
        return told


def _weights(method: Method, count: int, given: Sequence[float] | None) -> tuple[float, ...]:
    given = None if given is None else _listed(given)
    if method == "average" and given:
        raise _bad("average has no weights", "method 'weighted' takes them")
    if not given:
        if method == "weighted":
            raise _bad("weighted needs a weight for each version")
        return (1.0 if method in _WITH_BASE else 1 / count,) * count
    if len(given) != count:
        raise _bad(f"{count} versions need {count} weights, not {len(given)}")
    if not any(given):
        raise _bad("all weights are 0")
    if method in _WITH_BASE:
        return tuple(given)
    total = math.fsum(given)
    if abs(total) < 1e-6 * max(map(abs, given)) or not math.isfinite(total):
        raise _bad("the weights sum to 0: they can't be brought to a sum of 1")
    if method == "slerp" and min(given) < 0:
        raise _bad("slerp goes from one version to the other: weights can't be negative")
    return tuple(weight / total for weight in given)


def _listed(given: object) -> list[float]:
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise _bad("weights must be a list of numbers")
    return [_number("weight", weight) for weight in given]


def _density(value: float) -> float:
    density = _number("density", value)
    if not 0 < density <= 1:
        raise _bad(f"density is {density:g}, not above 0 and at most 1")
    return density


def _number(name: str, value: object) -> float:
    try:
        if isinstance(value, bool | str | bytes):
            raise TypeError
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise _bad(f"{name} {str(value)[:80]!r} is no number") from None
    if not math.isfinite(number) or abs(number) > 1e30:
        raise _bad(f"{name} is {number}, which is out of bounds")
    return number


def _seed(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 63:
        raise _bad(f"seed {str(value)[:80]!r} is no whole number from 0 on")
    return value


def _bad(message: str, hint: str | None = None) -> InvalidInput:
    return InvalidInput("bad-mix", message, hint=hint or "docs/guides/merge-weights.md")
