"""Which parameters the next trials should have, by what the catalog keeps of earlier ones.

A search has no memory of its own. Who makes one, tells it all trials that were kept and asks on,
gets what the process that was killed would have got: an answer depends on the seed and on the
trials told so far, and on nothing else.
"""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.core.extras import need
from modelyard.core.optimization import COSTS
from modelyard.optimization.giving_up import GivingUp
from modelyard.optimization.known import Known, losses
from modelyard.optimization.space import Space
from modelyard.optimization.surrogate import Surrogate, promising
from modelyard.optimization.tpe import asked_of_tpe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from modelyard.core.optimization import Constraint, Goal, Trial
    from modelyard.optimization.passes.interface import Option

__all__ = ["Search", "told_all"]

Json = Any

_FINITE = 4_000
"""Spaces of so many points are known to end."""
_LARGEST = 1e150
"""Larger numbers come of what has diverged, and can't be reckoned with."""
_STARTUP = 5
"""Trials before anything is expected of others."""
_MORE = (4, 2, 1)
"""How many of its other good settings the best algorithm gets, the second best, and the third."""
_FOR_TPE = 30
"""Trials before TPE is asked: with fewer it knows little more than chance."""
_TPE = 3
"""Then one of so many trials is asked of TPE, the others of the Gaussian process."""


class Search:
    """Asks for trials and learns from them.

    First come the space as its passes would have it, then what `first` names, then each value of
    what other options depend on (each algorithm, each pass left out). Those that were the best by
    themselves are tried with settings that are known to be good for many data (Feurer et al.,
    Auto-sklearn 2.0, 2022). Then a Gaussian process (`surrogate`) says what promises the most, and
    takes turns with TPE (`tpe`) once much is known.

    Args:
        spaces: By name as in `Trial.params`.
        goals: Their metrics are keys of the values that are told.
        constraints: The texts of these are keys of the excess that is told.
        first: Parameters to begin with, for instance of earlier optimizations.

    Raises:
        Unsupported: `no-extra`: Optuna is not installed.
    """

    def __init__(
        self,
        spaces: Mapping[str, Option],
        goals: Sequence[Goal],
        constraints: Sequence[Constraint],
        seed: int,
        first: Sequence[Mapping[str, Json]] = (),
    ) -> None:
        need("optuna", "optimize")
        self._space = Space(spaces)
        self._goals = tuple(goals)
        self._constraints = tuple(str(each) for each in constraints)
        self._seed = seed
        start, *others = self._space.portfolio()
        self._queue: dict[str, dict[str, Json]] = {}
        for each in [start, *map(self._space.cleaned, first), *others]:
            self._queue.setdefault(self._space.key(each), each)
        self._more = {self._space.key(e): self._space.varied(e) for e in (start, *others)}
        self._known: dict[str, Known] = {}
        self._all = self._space.everything(_FINITE)
        self._giving_up = GivingUp(several=len(self._goals) > 1)

    @property
    def ended(self) -> bool:
        """Whether everything that can be chosen was asked for."""
        return self._all is not None and len(self._known) >= len(self._all)

    def ask(self, count: int) -> list[dict[str, Json]]:
        """Parameters of the next trials; fewer than `count`, or none, where the space ends.

        None was asked for or told before.
        """
        found: list[dict[str, Json]] = []
        while len(found) < count and not self.ended:
            params = self._next()
            if params is None:
                break
            self.expect(params)
            found.append(dict(params))
        return found

    def expect(self, params: Mapping[str, Json]) -> None:
        """Somebody is trying these: `ask` gives others, and those further off."""
        self._known.setdefault(self._space.key(params), Known(self._space.cleaned(params)))

    def tell(
        self,
        params: Mapping[str, Json],
        values: Mapping[str, float] | None,
        excess: Mapping[str, float],
    ) -> None:
        """What a trial measured.

        Args:
            params: As they were asked for, or of a trial of somebody else. Options that no space
                has are left out of account; a trial with a value that can't be chosen is ignored.
            values: Metrics by name; None if the trial failed or was given up.
            excess: By the text of a constraint how far it is off, positive where it is broken.
        """
        if not self._space.takes(params):
            return  # of another recipe: it says nothing of what can be chosen here
        self.expect(params)
        known = self._known[self._space.key(params)]
        known.values = None if values is None else self._measured(values)
        known.excess = {name: float(excess.get(name, 0.0)) for name in self._constraints}

    def heard(self, place: str, score: float) -> None:
        """How good some trial was at a place (the same in every trial): higher is better."""
        self._giving_up.heard(place, score)

    def gives_up(self, place: str, score: float) -> str:
        """Why a trial with this score at this place should be given up; empty if it should not."""
        return self._giving_up.why(place, score)

    # --- asking ----------------------------------------------------------------------------------

    def _next(self) -> dict[str, Json] | None:
        found = self._new(self._queue.values()) or self._another()
        if found is not None:
            return found
        rng = self._chance("near")
        told = self._told()
        fine = sum(each.values is not None for each in told)
        if fine < _STARTUP:
            return self._drawn(self._space.typical, rng) or self._left(rng)
        if fine >= _FOR_TPE and len(self._known) % _TPE == 0:
            found = self._asked_of_tpe()
        return found or self._new(self._promised(told, rng)) or self._left(rng)

    def _another(self) -> dict[str, Json] | None:
        """What else is known to be good, of those that were the best by themselves."""
        told = self._told()
        order = [key for key, others in self._more.items() if others]
        if any(each.values is not None for each in told):
            # the same weights each time: otherwise others are the best from one ask to the next
            each_loss = losses(told, np.random.default_rng(self._seed))
            by_key = {
                self._space.key(each.params): float(loss)
                for each, loss in zip(told, each_loss, strict=True)
            }
            order.sort(key=lambda key: by_key.get(key, math.inf))
        for key, most in zip(order, _MORE, strict=False):
            if found := self._new(self._more[key][:most]):
                return found
        return None

    def _promised(self, told: Sequence[Known], rng: np.random.Generator) -> list[dict[str, Json]]:
        """What the Gaussian process expects the most of."""
        worth = losses(told, rng)
        waiting = [each.params for each in self._known.values() if each.running]
        points = [each.params for each in told] + waiting
        values = np.concatenate([worth, np.full(len(waiting), np.median(worth))])
        best = [told[at].params for at in np.argsort(worth, kind="stable")[:4]]
        surrogate = Surrogate(self._space, points, values, rng)
        return promising(surrogate, self._space, best, rng)

    def _asked_of_tpe(self) -> dict[str, Json] | None:
        seed = int(self._chance("tpe").integers(2**32))
        known = list(self._known.values())
        return self._new(asked_of_tpe(self._space, known, goals=len(self._goals), seed=seed))

    def _left(self, rng: np.random.Generator) -> dict[str, Json] | None:
        """Something new by chance."""
        if self._all is not None:
            left = [each for each in self._all if self._space.key(each) not in self._known]
            return left[int(rng.integers(len(left)))] if left else None
        return self._drawn(self._space.drawn, rng)

    def _drawn(
        self, draw: Callable[[np.random.Generator], dict[str, Json]], rng: np.random.Generator
    ) -> dict[str, Json] | None:
        return self._new(draw(rng) for _ in range(200))

    def _new(self, points: Iterable[dict[str, Json]]) -> dict[str, Json] | None:
        """The first that nobody has tried."""
        return next((each for each in points if self._space.key(each) not in self._known), None)

    # --- what is known ---------------------------------------------------------------------------

    def _measured(self, values: Mapping[str, float]) -> tuple[float, ...] | None:
        """By goal, less is better; None if one is missing."""
        found = []
        for goal in self._goals:
            value = float(values.get(goal.metric, math.nan))
            if goal.metric in COSTS and value > 0:
                value = math.log(value)  # half the size counts alike wherever one begins
            if not abs(value) < _LARGEST:
                return None
            found.append(-value if goal.direction == "max" else value)
        return tuple(found) or (0.0,)

    def _told(self) -> list[Known]:
        return [each for each in self._known.values() if not each.running]

    def _chance(self, what: str) -> np.random.Generator:
        """Chance that depends on the seed and on how much is known."""
        text = f"{self._seed} {what} {len(self._known)} {len(self._told())}"
        return np.random.default_rng(
            int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
        )


def told_all(search: Search, trials: Iterable[Trial]) -> None:
    """Tell a search what was kept of trials, so that it goes on where another one ended."""
    for trial in sorted(trials, key=lambda each: each.number):
        if trial.state == "running":
            search.expect(trial.params)
        else:
            done = trial.state == "done"
            search.tell(trial.params, trial.values if done else None, trial.excess)
