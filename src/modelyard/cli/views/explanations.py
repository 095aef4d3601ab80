"""The view of an explanation: bars of importance, and small curves of dependence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelyard.cli.text import Block, Column, Span, Spans, Table, bar
from modelyard.cli.views import words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from modelyard.core.explanation import Dependence, Explanation, Importance

__all__ = ["ExplanationView", "explanation_lines"]

FIRST_ROWS = 20
_STEPS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True, slots=True)
class ExplanationView:
    """What explains a version."""

    explanation: Explanation

    def json(self) -> object:
        return self.explanation

    def lines(self) -> Iterator[Block]:
        found = self.explanation
        yield [Span(f"{found.model}@{found.number}", "bold"), f" asked about {found.rows:,} rows"]
        yield from explanation_lines(found)

    def ids(self) -> Iterator[str]:
        yield from (each.feature for each in self.explanation.importances)


def explanation_lines(found: Explanation, first: int = FIRST_ROWS) -> Iterator[Block]:
    """A table of inputs, the most important first."""
    if found.score == "output":
        yield f"importance: change of the output when an input of {found.data} is shuffled"
    else:
        yield (
            f"importance: drop of {found.score} (now {found.baseline:.4g}) when an input of "
            f"{found.data} is shuffled"
        )
    curves = {each.feature: each for each in found.dependences}
    shown = found.importances[:first]
    largest = max((abs(each.mean) for each in shown), default=0.0)
    with_shap = any(each.shap is not None for each in shown)
    columns = [
        Column("inputs", flexible=True), Column("importance", right=True), Column(),
        *([Column("shap", right=True)] if with_shap else []), Column("answer along it"),
    ]  # fmt: skip
    yield ""
    yield Table(columns, [_row(i, curves.get(i.feature), largest, with_shap) for i in shown])
    if left := len(found.importances) - len(shown):
        yield Span(f"... and {left:,} more: --json", "dim")


def _row(each: Importance, curve: Dependence | None, largest: float, with_shap: bool) -> Spans:
    share = max(each.mean, 0.0) / largest if largest else 0.0
    cells: list[object] = [
        each.feature,
        f"{words.amount(each.mean)} ±{words.amount(each.deviation)}",
        Span(bar(share) if share else "", "warn"),
    ]
    if with_shap:
        cells.append("" if each.shap is None else words.amount(each.shap))
    return [*cells, "" if curve is None else _curve(curve)]  # type: ignore[list-item]


def _curve(curve: Dependence) -> str:
    """The output that moves most, from the lowest value of the input to the highest."""
    name, means = max(curve.outputs.items(), key=lambda item: max(item[1]) - min(item[1]))
    low, high = min(means), max(means)
    picture = "".join(_STEPS[_step(mean, low, high)] for mean in _thinned(means))
    of = "" if name == "prediction" else f" of {name}"
    return f"{picture} {words.amount(low)} to {words.amount(high)}{of}"


def _step(value: float, low: float, high: float) -> int:
    return round((value - low) / (high - low) * (len(_STEPS) - 1)) if high > low else 0


def _thinned(means: Sequence[float], most: int = 20) -> Sequence[float]:
    if len(means) <= most:
        return means
    return [means[i * (len(means) - 1) // (most - 1)] for i in range(most)]
