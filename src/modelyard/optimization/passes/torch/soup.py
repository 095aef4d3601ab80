"""`soup`: the mean of the weights of several fine-tunes, as far as each makes it better."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Literal

from modelyard.optimization.passes.interface import Choice, Made, Option, Range
from modelyard.optimization.passes.torch import networks
from modelyard.optimization.passes.torch.precision import widened
from modelyard.optimization.passes.torch.results import made_of, why_nothing_learns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelyard.core.lineage import LineageKind
    from modelyard.optimization.state import Model, Subject, Work

__all__ = ["PASS"]

Json = Any
Tensor = Any
State = dict[str, Any]

_RATES = (1.0, 0.3, 2.0, 0.5, 1.5)
"""Each fine-tune has its own rate, in units of the option."""


class Soup:
    """Options beyond those that trials choose: `epochs` of each (8), `batch` (64), `greedy` (true:
    only what makes it better on the rows for validation goes in; false: all)."""

    NAME = "soup"
    KIND: Literal["algorithm"] = "algorithm"
    LINEAGE: LineageKind = "tuned-from"
    SUMMARY = "Fine-tunes a network several times and takes the mean of the weights"

    def why_not(self, subject: Subject) -> str | None:
        """It takes modules of torch, rows and a target."""
        return networks.why_no_lesson(subject)

    def options(self, subject: Subject) -> Mapping[str, Option]:
        """`count` of fine-tunes, and the `rate` of learning about which theirs lie."""
        return {"count": Choice((3, 5)), "rate": Range(1e-4, 3e-3, 5e-4, log=True)}

    def run(self, model: Model, params: Mapping[str, Json], work: Work) -> Made:
        """Cook a soup (Wortsman et al.: Model soups: averaging weights of multiple fine-tuned
        models improves accuracy without increasing inference time, 2022).

        Raises:
            InvalidInput: `bad-pass-option`, `bad-target`, `bad-inputs`.
            Unsupported: `no-extra`, `not-improvable`.
        """
        import torch

        from modelyard.optimization.passes.torch.lessons import epochs_for
        from modelyard.optimization.passes.torch.losses import score_of
        from modelyard.optimization.passes.torch.masks import zeros_of
        from modelyard.optimization.passes.torch.training import Schooling, train

        if work.train is None or work.train.target is None or not len(work.train):
            return Made(model=None, why="there is no target to learn from")
        count = networks.whole(params, "count", 3, 2, 20)
        rate = networks.number(params, "rate", 5e-4, 1e-8, 1.0)
        batch = networks.whole(params, "batch", 64, 1, 4096)
        module = networks.module_in(model)
        why = why_nothing_learns(module)
        if why is not None:
            return Made(model=None, why=why)
        dtypes = widened(module)
        with networks.repeatable(work):
            lesson = networks.lesson_of(module, model, work.train, work.task)
            valid = None
            if work.valid is not None and len(work.valid):
                valid = networks.lesson_of(module, model, work.valid, work.task)
            greedy = networks.boolean(params, "greedy", default=True)
            epochs = epochs_for(len(lesson), batch, 8, steps=4_000 // count)
            epochs = networks.whole(params, "epochs", epochs, 1, 10_000)
            tuned = []
            for place in range(count):
                one = copy.deepcopy(module)
                torch.manual_seed((work.seed + place) % 2**63)
                how = Schooling(
                    epochs=epochs, rate=rate * _RATES[place % len(_RATES)], batch=batch,
                    choose=False,
                )  # fmt: skip
                train(
                    one, lesson, how, keeper=zeros_of(one), tell=work.tell,
                    what=f"fine-tune {place + 1} of {count}",
                )  # fmt: skip
                score = score_of(one, valid) if valid is not None else (0.0, 0.0)
                tuned.append((score, one.state_dict()))
            if valid is None or not greedy:
                module.load_state_dict(_mean([state for _, state in tuned]))
                note = f"the mean of {count} fine-tunes"
            else:
                before = score_of(module, valid)
                tuned.append((before, copy.deepcopy(module.state_dict())))
                chosen = _greedy(module, tuned, valid)
                if chosen == [count]:
                    return Made(model=None, why="no fine-tune was better than what was there")
                note = _told(chosen, count)
        return made_of(module, model, work, dtypes, notes=(note,))


def _told(places: Sequence[int], count: int) -> str:
    """What a mean is of; the place after all fine-tunes is that of the weights before."""
    chosen = [place for place in places if place < count]
    if count in places:
        return f"the mean of {len(chosen)} of {count} fine-tunes and the weights before"
    if len(chosen) == 1:
        return f"the best of {count} fine-tunes"
    return f"the mean of {len(chosen)} of {count} fine-tunes"


def _greedy(module: Any, tuned: Sequence[tuple[Any, State]], valid: Any) -> list[int]:
    """Fill the module with the mean of those that make it no worse, the best first."""
    from modelyard.optimization.passes.torch.losses import score_of

    order = sorted(range(len(tuned)), key=lambda i: (tuned[i][0], i), reverse=True)
    chosen = order[:1]
    best = tuned[chosen[0]][0]
    for place in order[1:]:
        module.load_state_dict(_mean([tuned[i][1] for i in (*chosen, place)]))
        score = score_of(module, valid)
        if score >= best:
            chosen.append(place)
            best = score
    module.load_state_dict(_mean([tuned[i][1] for i in chosen]))
    return chosen


def _mean(states: Sequence[State]) -> State:
    """Of floats the mean, added in one order; counters are those of the first."""
    import torch

    result: State = {}
    for name, first in states[0].items():
        if first.is_floating_point() and len(states) > 1:
            total = torch.zeros_like(first, dtype=torch.float64)
            for state in states:
                total += state[name].double()
            result[name] = (total / len(states)).to(first.dtype)
        else:
            result[name] = first.clone()
    return result


PASS = Soup()
