"""How trials look: the best so far, how many there were, and all of them as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.cli.text import Block, Column, Span, Spans, Table, bar
from modelyard.cli.views import words
from modelyard.core.optimization import COSTS
from modelyard.core.version import human_size

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from modelyard.core.optimization import Optimization, PassDone, Trial

__all__ = [
    "best_line", "judged_by", "metric_text", "progress_bar", "times", "trials_line",
    "trials_table",
]  # fmt: skip

_STATES = {"running": "name", "done": "", "pruned": "dim", "failed": "bad"}
_TRIALS = 30
_JUDGED = ("accuracy", "rmse", "cosine")
"""What `quality` stands for: the first metric of a task."""
_TIMES = ("latency_p50", "batch_latency_p50")


def best_line(found: Optimization, trials: Sequence[Trial]) -> str:
    """The best trial so far, by the first goal, in one line; empty if there is none."""
    good = [each for each in trials if each.state == "done" and each.holds]
    goal = found.recipe.goals[0] if found.recipe.goals else None
    known = [each for each in good if goal is None or goal.metric in each.values]
    if not known or goal is None:
        return ""
    way = 1 if goal.direction == "max" else -1
    best = max(known, key=lambda each: (way * each.values[goal.metric], -each.number))
    shown = [goal.metric, *(g.metric for g in found.recipe.goals[1:])]
    return f"trial {best.number}: " + ", ".join(
        f"{name} {_change(name, best.values[name], found.before.get(name))}"
        for name in dict.fromkeys(shown)
        if name in best.values
    )


def trials_line(trials: Sequence[Trial]) -> str:
    """`17 done, 2 given up, 1 failed`."""
    names = {"done": "done", "pruned": "given up", "failed": "failed", "running": "running"}
    counts = {
        text: sum(each.state == state for each in trials) for state, text in names.items()
    }  # fmt: skip
    return ", ".join(f"{count} {text}" for text, count in counts.items() if count)


def metric_text(name: str, value: float | None) -> str:
    """`1.2 MB`, `0.34 ms`, `0.974`."""
    if value is None:
        return "-"
    if name in ("size", "stored"):
        return human_size(int(value))
    if name in _TIMES:
        return f"{value:.3g} ms"
    if name == "parameters":
        return f"{value:,.0f}"
    return words.amount(value)


def judged_by(values: Mapping[str, float]) -> str:
    """The metric that stands behind `quality`, which is less than zero for errors."""
    if "quality" not in values:
        return ""
    size = abs(values["quality"])
    return next((n for n in _JUDGED if n in values and abs(values[n]) == size), "quality")


def progress_bar(done: int, total: int) -> str:
    """`███▌     7/20`."""
    share = done / total if total else 0.0
    return f"{bar(share, cells=20):<20} {done}/{total}"


def times(ratio: float) -> str:
    """`3.8x less`: how a cost went by a ratio."""
    if ratio <= 0:
        return ""
    return f"{1 / ratio:.3g}x less" if ratio < 1 else f"{ratio:.3g}x" if ratio > 1 else "same"


def _change(name: str, value: float, before: float | None) -> str:
    text = metric_text(name, value)
    if before is None:
        return text
    if name in COSTS:
        return f"{text} ({times(value / before)})" if before else text
    return f"{text} ({words.signed(value - before)})"


def trials_table(
    found: Optimization, trials: Sequence[Trial], *, everything: bool
) -> Iterator[Block]:
    shown = list(trials) if everything else _telling(trials)
    goals = [goal.metric for goal in found.recipe.goals]
    judged = next((name for each in shown if (name := judged_by(each.values))), "quality")
    others = ("size", "latency_p50") if set(goals) - set(COSTS) else (judged, "size")
    known = {name for each in shown for name in each.values}
    metrics = list(dict.fromkeys([*goals, *(name for name in others if name in known)]))
    columns = [
        Column("trial", right=True), Column("state"),
        *(Column(name, right=True) for name in metrics),
        Column("passes", flexible=True), Column("choices", flexible=True),
    ]  # fmt: skip
    yield Table(columns, [_trial(each, metrics) for each in shown])
    if left := len(trials) - len(shown):
        yield Span(f"... and {left:,} more: yard optimizations {found.id} --all", "dim")


def _trial(trial: Trial, metrics: Sequence[str]) -> Spans:
    style = _STATES[trial.state]
    state: str = trial.state
    if trial.state == "done":
        state, style = ("front", "good") if trial.on_front else ("done", "")
        if not trial.holds:
            state, style = "not allowed", "warn"
    params = _params(trial.params)
    return [
        str(trial.number), Span(state, style),
        *(metric_text(name, trial.values.get(name)) for name in metrics),
        trial.reason or ", ".join(map(_done, trial.steps)), Span(params, "dim"),
    ]  # fmt: skip


def _done(done: PassDone) -> str:
    """`prune`, or `clean (dropped)`."""
    return done.name if done.kept else f"{done.name} (dropped)"


def _params(params: Mapping[str, object]) -> str:
    """Without the places of passes: `prune.sparsity=0.5`."""
    return ", ".join(
        f"{name.partition('.')[2]}={words.value(value)}" for name, value in params.items()
    )


def _telling(trials: Sequence[Trial]) -> list[Trial]:
    """Those on the front first, then others, as many as are shown."""
    front = [each for each in trials if each.on_front and each.holds]
    rest = [each for each in trials if each not in front]
    kept = (front + rest)[:_TRIALS]
    return sorted(kept, key=lambda each: each.number)
