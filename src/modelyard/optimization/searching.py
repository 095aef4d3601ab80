"""Which parameters the next trials should have: Optuna's TPE, fed from what the catalog keeps.

A search has no memory of its own. Who makes one, tells it all trials that were kept and asks on,
gets what the process that was killed would have got: an answer depends on the seed and on the
trials told so far, and on nothing else.
"""

from __future__ import annotations

import hashlib
import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.core.extras import need
from modelyard.core.optimization import COSTS
from modelyard.optimization.giving_up import GivingUp
from modelyard.optimization.passes.interface import Choice
from modelyard.optimization.space import Space, contains, is_ordinal
from modelyard.optimization.surrogate import Surrogate, promising

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from modelyard.core.optimization import Constraint, Goal, Trial
    from modelyard.optimization.passes.interface import Option

__all__ = ["Search", "told_all"]

Json = Any
Array = np.ndarray[Any, Any]

_FINITE = 4_000
"""Spaces of so many points are known to end."""
_ASKS = 6
"""How often TPE is asked for something new before chance is."""
_STARTUP = 5
"""Trials before anything is expected of others."""
_TPE = 3
"""One of so many trials is asked of TPE, the others of the Gaussian process: on small budgets that
finds more than either alone (`tests/benchmarks/optimize/search.py`)."""


@dataclass(slots=True)
class _Known:
    """One set of parameters."""

    params: dict[str, Json]
    values: tuple[float, ...] | None = None
    """By goal, less is better; None while it is tried, and where it failed."""
    excess: dict[str, float] | None = None
    """None while it is tried."""


class Search:
    """Asks for trials and learns from them.

    First come the space as its passes would have it, then what `first` names, then each value of
    what other options depend on (each algorithm, each pass left out). Then TPE (Bergstra et al.,
    Algorithms for Hyper-Parameter Optimization, 2011; for several goals Ozaki et al., 2022;
    constraints as Optuna 5 weighs them) takes turns with a Gaussian process (`surrogate`), which
    learns sooner from few trials.

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
        queue = [start, *map(self._space.cleaned, first), *others]
        self._queue: dict[str, dict[str, Json]] = {}
        for each in queue:
            self._queue.setdefault(self._space.key(each), each)
        self._known: dict[str, _Known] = {}
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
        self._known.setdefault(self._space.key(params), _Known(self._space.cleaned(params)))

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
        for key, params in self._queue.items():
            if key not in self._known:
                return params
        rng = self._chance("near")
        if len(self._known) % _TPE and (found := self._promised(rng)):
            return found
        return self._asked_of_tpe() or self._left(rng)

    def _promised(self, rng: np.random.Generator) -> dict[str, Json] | None:
        """What the Gaussian process expects the most of; None while too little is known."""
        told = [each for each in self._known.values() if each.excess is not None]
        if sum(each.values is not None for each in told) < _STARTUP:
            return None
        losses = self._losses(told, rng)
        waiting = [each.params for each in self._known.values() if each.excess is None]
        points = [each.params for each in told] + waiting
        values = np.concatenate([losses, np.full(len(waiting), np.median(losses))])
        best = [told[at].params for at in np.argsort(losses, kind="stable")[:4]]
        surrogate = Surrogate(self._space, points, values, rng)
        for found in promising(surrogate, self._space, best, rng):
            if self._space.key(found) not in self._known:
                return found
        return None

    def _losses(self, told: Sequence[_Known], rng: np.random.Generator) -> Array:
        """One number for each trial, less is better.

        Several goals are weighed anew each time, by chance (Knowles, ParEGO, 2006), so that the
        whole front is looked for. What breaks a constraint, or failed, is worse than all others.
        """
        fine = np.array([each.values for each in told if each.values is not None])
        low, high = fine.min(axis=0), fine.max(axis=0)
        weights = rng.dirichlet(np.ones(len(low)))
        losses = np.full(len(told), np.nan)
        for at, each in enumerate(told):
            if each.values is not None:
                z = (np.array(each.values) - low) / np.where(high > low, high - low, 1.0)
                losses[at] = (weights * z).max() + 0.05 * float(weights @ z)
        losses[np.isnan(losses)] = np.nanmax(losses)
        broken = np.array([self._violation(each) for each in told])
        found: Array = losses + (broken > 0) * (0.5 + np.minimum(broken, 2.0)) * max(
            np.ptp(losses), 1e-9
        )
        return found

    def _left(self, rng: np.random.Generator) -> dict[str, Json] | None:
        """Something new by chance."""
        if self._all is not None:
            left = [each for each in self._all if self._space.key(each) not in self._known]
            return left[int(rng.integers(len(left)))] if left else None
        for _ in range(200):
            found = self._space.drawn(rng)
            if self._space.key(found) not in self._known:
                return found
        return None

    def _asked_of_tpe(self) -> dict[str, Json] | None:
        optuna: Any = need("optuna", "optimize")
        seed = int(self._chance("tpe").integers(2**32))
        with warnings.catch_warnings():  # grouping is experimental, and what we want
            warnings.simplefilter("ignore")
            sampler = optuna.samplers.TPESampler(
                seed=seed, multivariate=True, group=True, n_startup_trials=_STARTUP,
                constant_liar=True,
            )  # fmt: skip
            verbosity = optuna.logging.get_verbosity()
            optuna.logging.set_verbosity(optuna.logging.ERROR)
            try:
                study = optuna.create_study(
                    sampler=sampler, directions=["minimize"] * max(1, len(self._goals))
                )
                study.add_trials(self._as_trials(optuna))
                for _ in range(_ASKS):
                    trial = study.ask()
                    found: dict[str, Json] = self._suggested(trial)
                    if self._space.key(found) not in self._known:
                        return found
                    study.tell(trial, state=optuna.trial.TrialState.FAIL)
            finally:
                optuna.logging.set_verbosity(verbosity)
        return None

    def _suggested(self, trial: Any) -> dict[str, Json]:
        found: dict[str, Json] = {}
        for name, option in self._space.options.items():
            if not self._space.is_active(name, found):
                continue
            if isinstance(option, Choice):
                ordered = _ordered(option)
                at = (
                    trial.suggest_categorical(name, list(range(len(ordered))))
                    if not is_ordinal(option)
                    else trial.suggest_int(name, 0, len(ordered) - 1)
                )
                found[name] = ordered[at]
            elif option.whole:
                log = option.log and option.low >= 1
                found[name] = trial.suggest_int(name, int(option.low), int(option.high), log=log)
            else:
                log = option.log and option.low > 0
                value = trial.suggest_float(name, option.low, option.high, log=log)
                found[name] = min(max(float(f"{value:.4g}"), option.low), option.high)
        return found

    def _as_trials(self, optuna: Any) -> list[Any]:
        """All that is known, in the order in which it was asked for."""
        worst = self._worst()
        made = []
        for known in self._known.values():
            params, kinds = {}, {}
            for name, value in known.params.items():
                option = self._space.options[name]
                kinds[name] = _distribution(optuna, option)
                params[name] = _inner(option, value)
            running = known.excess is None
            if not running and worst is None:
                continue  # all failed: nothing is known of what is better
            state = "RUNNING" if running else "COMPLETE"
            made.append(
                optuna.trial.create_trial(
                    state=optuna.trial.TrialState[state], params=params, distributions=kinds,
                    values=None if running else list(known.values or worst or ()),
                    constraints=None if running else {"all": self._violation(known)},
                )
            )  # fmt: skip
        return made

    # --- what is known ---------------------------------------------------------------------------

    def _measured(self, values: Mapping[str, float]) -> tuple[float, ...] | None:
        """By goal, less is better; None if one is missing."""
        found = []
        for goal in self._goals:
            value = float(values.get(goal.metric, math.nan))
            if goal.metric in COSTS and value > 0:
                value = math.log(value)  # half the size counts alike wherever one begins
            if not math.isfinite(value):
                return None
            found.append(-value if goal.direction == "max" else value)
        return tuple(found) or (0.0,)

    def _violation(self, known: _Known) -> float:
        """How much is wrong with a trial, each constraint by what is usual for it."""
        if known.values is None:
            return 10.0 * (1 + len(self._constraints))
        total = 0.0
        for name, excess in (known.excess or {}).items():
            if excess > 0:
                seen = [max((each.excess or {}).get(name, 0.0), 0.0) for each in self._told()]
                total += excess / max(seen)
        return total

    def _told(self) -> list[_Known]:
        return [each for each in self._known.values() if each.excess is not None]

    def _worst(self) -> tuple[float, ...] | None:
        values = [each.values for each in self._told() if each.values is not None]
        return tuple(map(max, zip(*values, strict=True))) if values else None

    def _chance(self, what: str) -> np.random.Generator:
        """Chance that depends on the seed and on how much is known."""
        told = sum(each.excess is not None for each in self._known.values())
        text = f"{self._seed} {what} {len(self._known)} {told}"
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


def _ordered(option: Choice) -> list[Json]:
    return sorted(option.values) if is_ordinal(option) else list(option.values)


def _inner(option: Option, value: Json) -> Json:
    if not isinstance(option, Choice):
        return value
    return next(at for at, each in enumerate(_ordered(option)) if contains(Choice((each,)), value))


def _distribution(optuna: Any, option: Option) -> Any:
    kinds = optuna.distributions
    if isinstance(option, Choice):
        if is_ordinal(option):
            return kinds.IntDistribution(0, len(option.values) - 1)
        return kinds.CategoricalDistribution(tuple(range(len(option.values))))
    if option.whole:
        log = option.log and option.low >= 1
        return kinds.IntDistribution(int(option.low), int(option.high), log=log)
    return kinds.FloatDistribution(option.low, option.high, log=option.log and option.low > 0)
