"""Views of optimizations: what was run, its trials, and what came of them, before and after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelyard.cli.text import Block, Column, Line, Span, Spans, Table
from modelyard.cli.views import words
from modelyard.cli.views.candidates import candidate_blocks
from modelyard.cli.views.trials import best_line, judged_by, trials_line, trials_table
from modelyard.core.wire import builtins

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from modelyard.core.evaluation import Measure
    from modelyard.core.optimization import Optimization, Recipe, Step, Trial
    from modelyard.optimization.replaying import Replayed

__all__ = ["OptimizationView", "OptimizationsView", "ReplayedView", "recipe_line"]

_STATES = {
    "running": "name", "done": "good", "failed": "bad", "cancelled": "dim", "stopped": "warn",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class OptimizationsView:
    """All of them, one line each."""

    found: Sequence[Optimization]

    def json(self) -> object:
        return list(self.found)

    def lines(self) -> Iterator[Block]:
        if not self.found:
            yield Span("nothing was optimized yet: yard optimize", "dim")
            return
        columns = [
            Column("id", right=True), Column("version"), Column("recipe"), Column("state"),
            Column("trials", right=True), Column("made"), Column("began"),
            Column("what came of it", flexible=True),
        ]  # fmt: skip
        yield Table(columns, [self._row(each) for each in self.found])

    def ids(self) -> Iterator[str]:
        yield from (str(each.id) for each in self.found)

    def _row(self, each: Optimization) -> Spans:
        made = ", ".join(f"@{number}" for number in each.published)
        told = each.sentence or (each.reasons[0] if each.reasons else "")
        return [
            str(each.id), Span(each.title, "name"), each.recipe.name,
            Span(each.state, _STATES[each.state]), f"{each.done}/{each.recipe.trials}", made,
            words.minute(each.created), told,
        ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class OptimizationView:
    """One of them: how far it is, what came of it, and its trials."""

    found: Optimization
    trials: Sequence[Trial] = ()
    everything: bool = False
    """All trials, not only the best."""

    def json(self) -> object:
        told = builtins(self.found)
        told["trials"] = [builtins(each) for each in self.trials]
        told["published"] = list(self.found.published)
        return told

    def lines(self) -> Iterator[Block]:
        found = self.found
        state = Span(found.state, _STATES[found.state])
        yield [Span(found.title, "bold"), "  ", Span(found.recipe.name, "name"), "  ", state,
               Span(f"  optimization {found.id}", "dim")]  # fmt: skip
        yield from _facts(found, self.trials)
        for candidate in sorted(found.candidates, key=lambda each: not each.chosen):
            yield ""
            yield from candidate_blocks(found, candidate)
        if self.trials:
            yield ""
            yield from trials_table(found, self.trials, everything=self.everything)
        if found.nested is not None:
            yield ""
            yield from _nested(found, found.nested)
        if found.state != "running":
            yield ""
            if found.sentence:
                good = bool(found.published)
                yield Span(found.sentence, "good" if good else "warn")
            yield from (f"  {reason}" for reason in found.reasons)

    def ids(self) -> Iterator[str]:
        yield from (f"{self.found.model}@{number}" for number in self.found.published)


@dataclass(frozen=True, slots=True)
class ReplayedView:
    """What was made again, beside what had been made."""

    done: Replayed

    def json(self) -> object:
        done = self.done
        return {
            "id": done.optimization.id, "trial": done.trial, "version": done.version,
            "same": done.same, "before": done.before, "after": done.after,
            "seconds": done.seconds,
        }  # fmt: skip

    def lines(self) -> Iterator[Block]:
        done = self.done
        name = f"{done.optimization.model}@{done.version}"
        took = words.duration(done.seconds)
        told = f"  trial {done.trial} of optimization {done.optimization.id}, made again in {took}"
        yield [Span(name, "bold"), told]
        yield words.fact("then", done.before)
        yield words.fact("now", done.after)
        if done.same:
            yield Span("the same, bit for bit", "good")
        else:
            yield Span("not the same: libraries or machine are others", "bad")

    def ids(self) -> Iterator[str]:
        yield self.done.after


def recipe_line(recipe: Recipe) -> str:
    """`prune (sparsity=0.5|0.9)?, to-onnx, quantize (kind=static)`: in order."""
    return ", ".join(map(_step, recipe.steps)) or "no passes"


def _step(step: Step) -> str:
    options = ", ".join(f"{name}={_option(value)}" for name, value in step.options.items())
    return step.name + (f" ({options})" if options else "") + ("?" if step.optional else "")


def _option(value: object) -> str:
    if isinstance(value, list | tuple):
        return "|".join(map(words.value, value))
    if isinstance(value, dict) and {"low", "high"} <= set(value):
        return f"{words.value(value['low'])}..{words.value(value['high'])}"
    return words.value(value)


def _facts(found: Optimization, trials: Sequence[Trial]) -> Iterator[Line]:
    recipe = found.recipe
    yield words.fact("passes", recipe_line(recipe))
    yield words.fact("goals", ", ".join(map(str, recipe.goals)))
    if recipe.constraints:
        yield words.fact("if only", ", ".join(map(str, recipe.constraints)))
    if recipe.data:
        target = f", target {recipe.target}" if recipe.target else ""
        yield words.fact("data", f"{recipe.data}{target}")
    limit = "" if recipe.seconds is None else f", {recipe.seconds:,.0f} s at most"
    so_far = trials_line(trials)
    done = f"{found.done} of {recipe.trials}" + (f" ({so_far})" if so_far else "")
    yield words.fact("trials", f"{done}{limit}, seed {recipe.seed}")
    if found.warm:
        yield words.fact("warm", f"began with {words.count(found.warm, 'trial')} of earlier ones")
    if found.seconds:
        yield words.fact("took", words.duration(found.seconds))
    machine = found.environment.get("processor", "")
    yield words.fact(
        "by", f"{found.who}, engine {found.engine}" + (f", {machine}" if machine else "")
    )
    if found.alias:
        yield words.fact("alias", found.alias)
    if found.state == "running":
        yield words.fact("best", best_line(found, trials) or "nothing yet")


def _nested(found: Optimization, gain: Measure) -> Iterator[Line]:
    """What the search as a whole gains, in the metric that it is judged by, with its own sign."""
    name = judged_by(found.before) or "quality"
    # a gain is of `quality`, which is the metric or minus the metric
    way = 1 if found.before.get(name, 0.0) == found.before.get("quality", 0.0) else -1
    between, word, style = "", "", ""
    if gain.low is not None and gain.high is not None:
        low, high = sorted((way * gain.low, way * gain.high))
        between = f" ({words.amount(low)} to {words.amount(high)})"
        word, style = _likely(gain.low, gain.high)
    change = words.signed(way * gain.value)
    told = f"the search as a whole changes {name} by {change}{between}"
    yield words.fact("nested", [told, ": " if word else "", Span(word, style)])
    folds = f"searched anew {found.recipe.nested} times, each judged by rows that it had not seen"
    yield words.fact("", [Span(f"{folds}; 95 % interval" if between else folds, "dim")])


def _likely(low: float, high: float) -> tuple[str, str]:
    """What an interval of a gain says."""
    if low > 0:
        return "better, by more than chance", "good"
    return ("worse, by more than chance", "bad") if high < 0 else ("may be chance", "warn")
