"""`Optimizations`: what a yard keeps of optimizations and their trials, here or on a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from modelyard.core.optimization import Optimization, Recipe, Trial

__all__ = ["Optimizations"]


class Optimizations(Protocol):
    """`yard.optimizations`. Who may read the model may look; who may write it may improve it.

    All raise NotFound `no-optimization`.
    """

    def list(self, model: str | None = None) -> Iterator[Optimization]:
        """Newest first; of one model, or of all that the caller may read."""

    def get(self, id: int) -> Optimization:
        """One optimization."""

    def trials(self, id: int, *, after: int = -1) -> Sequence[Trial]:
        """Its trials in order; only those with a number above `after`."""

    def begin(
        self, model: str, revision: str | int | None, recipe: Recipe, *, engine: str = "local",
        alias: str | None = None,
    ) -> Optimization:  # fmt: skip
        """Note that an optimization begins. NotFound: `no-version`."""

    def claim(self, id: int) -> Optimization:
        """Take one up that has stopped or failed: `claims` rises.

        Conflict: `optimization-runs` while somebody works on it, `optimization-ended`.
        """

    def keep(self, optimization: Optimization, trials: Sequence[Trial] = ()) -> bool:
        """Keep how far it is, and trials that are new or have changed: a sign of life too.

        Gives False, and keeps nothing, once it is done, has failed or was cancelled, and when
        somebody else has taken it up since (`Optimization.claims`). Version, recipe's data and
        target, engine and alias stay as they were when it began.
        """

    def cancel(self, id: int) -> Optimization:
        """Stop it as soon as can be; what was published stays. Its worker notices within seconds.

        Conflict: `optimization-ended`.
        """
