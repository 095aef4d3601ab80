"""Optuna's TPE, asked once, from what is known.

Tree-structured Parzen estimators (Bergstra et al., Algorithms for Hyper-Parameter Optimization,
2011; for several goals Ozaki et al., 2022; constraints as Optuna 5 weighs them).
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from modelyard.core.extras import need
from modelyard.optimization.known import violations, worst
from modelyard.optimization.passes.interface import Choice
from modelyard.optimization.values import is_ordinal, ordered, rounded, same

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from modelyard.optimization.known import Known
    from modelyard.optimization.passes.interface import Option
    from modelyard.optimization.space import Space

__all__ = ["asked_of_tpe"]

Json = Any

_ASKS = 6
_STARTUP = 5
"""Trials before it expects anything of others."""


def asked_of_tpe(
    space: Space, known: Sequence[Known], *, goals: int, seed: int
) -> Iterator[dict[str, Json]]:
    """A few points, the likeliest first; some may be known already."""
    optuna: Any = need("optuna", "optimize")
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():  # grouping is experimental, and what we want
            warnings.simplefilter("ignore")
            sampler = optuna.samplers.TPESampler(
                seed=seed, multivariate=True, group=True, n_startup_trials=_STARTUP,
                constant_liar=True,
            )  # fmt: skip
            study = optuna.create_study(sampler=sampler, directions=["minimize"] * max(1, goals))
            study.add_trials(_as_trials(optuna, space, known))
            for _ in range(_ASKS):
                trial = study.ask()
                yield _suggested(space, trial)
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
    finally:
        optuna.logging.set_verbosity(verbosity)


def _suggested(space: Space, trial: Any) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for name, option in space.options.items():
        if not space.is_active(name, found):
            continue
        if isinstance(option, Choice):
            values = ordered(option)
            at = (
                trial.suggest_categorical(name, list(range(len(values))))
                if not is_ordinal(option)
                else trial.suggest_int(name, 0, len(values) - 1)
            )
            found[name] = values[at]
        elif option.whole:
            log = option.log and option.low >= 1
            found[name] = trial.suggest_int(name, int(option.low), int(option.high), log=log)
        else:
            log = option.log and option.low > 0
            value = trial.suggest_float(name, option.low, option.high, log=log)
            found[name] = rounded(option, value)
    return found


def _as_trials(optuna: Any, space: Space, known: Sequence[Known]) -> list[Any]:
    """All that is known, in the order in which it was asked for."""
    told = [each for each in known if not each.running]
    bad = worst(told)
    broken = iter(violations(told))
    made = []
    for each in known:
        wrong = None if each.running else {"all": next(broken)}
        if wrong is not None and bad is None:
            continue  # all failed: nothing is known of what is better
        made.append(
            optuna.trial.create_trial(
                state=optuna.trial.TrialState["RUNNING" if each.running else "COMPLETE"],
                params={n: _inner(space.options[n], value) for n, value in each.params.items()},
                distributions={n: _distribution(optuna, space.options[n]) for n in each.params},
                values=None if each.running else list(each.values or bad or ()),
                constraints=wrong,
            )
        )
    return made


def _inner(option: Option, value: Json) -> Json:
    if not isinstance(option, Choice):
        return value
    return next(at for at, each in enumerate(ordered(option)) if same(each, value))


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
