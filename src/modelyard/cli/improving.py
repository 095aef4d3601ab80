"""How far an optimization is, while it runs: a live picture, or lines where nobody sees one."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, Self

from modelyard.cli.text import Span, Spans, paint
from modelyard.cli.views import words

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from modelyard.cli.output import Output
    from modelyard.core.optimization import Optimization, Trial

__all__ = ["Watching"]

_RUNNING = 4
"""Trials under way that are shown."""
_OFTEN = 4
"""Pictures in a second at most."""


class Watching:
    """Shows what it is told, on stderr; the picture is gone when it ends."""

    def __init__(self, out: Output) -> None:
        self._out = out
        self._began = time.monotonic()
        self._trials: dict[int, Trial] = {}
        self._best = ""
        self._live: Any = None
        self._drawn = out.mode != "quiet" and sys.stderr.isatty()
        self.found: Optimization | None = None
        """As it was last."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    @property
    def trials(self) -> tuple[Trial, ...]:
        """All that were told of, in order."""
        return tuple(self._trials[number] for number in sorted(self._trials))

    def report(self, found: Optimization, trials: Sequence[Trial] = ()) -> None:
        """How far it is, and trials that are new or have changed."""
        from modelyard.cli.views.trials import best_line

        began = self.found is None
        self.found = found
        self._trials.update({each.number: each for each in trials})
        best = best_line(found, self.trials)
        if self._drawn:
            self._draw()
        elif self._out.mode == "human":
            if began:
                self._out.say(f"optimization {found.id}: {found.title}, {found.recipe.name}")
            if best and best != self._best:
                self._out.say(f"  {found.done}/{found.recipe.trials} trials, best {best}")
        self._best = best

    def _draw(self) -> None:
        if self._live is None:
            from rich.console import Console
            from rich.live import Live

            self._live = Live(
                console=Console(stderr=True), transient=True, refresh_per_second=_OFTEN,
                get_renderable=self._picture, vertical_overflow="ellipsis",
            )  # fmt: skip
            self._live.start()

    def _picture(self) -> Any:
        from rich.text import Text

        lines = (paint(line, colour=True) for line in self._lines())
        return Text.from_ansi("\n".join(lines), no_wrap=True, overflow="ellipsis")

    def _lines(self) -> list[Spans]:
        from modelyard.cli.views.trials import progress_bar, trials_line

        found = self.found
        if found is None:
            return []
        trials = self.trials
        spent = time.monotonic() - self._began
        limit = "" if found.recipe.seconds is None else f" of {found.recipe.seconds:,.0f} s"
        lines: list[Spans] = [
            [Span(found.title, "bold"), "  ", Span(found.recipe.name, "name"),
             Span(f"  optimization {found.id}", "dim")],
            [progress_bar(found.done, found.recipe.trials), f"  {spent:,.0f} s{limit}  ",
             Span(trials_line(trials), "dim")],
            [Span("best  ", "dim"), Span(self._best, "good") if self._best else "nothing yet"],
        ]  # fmt: skip
        running = [each for each in trials if each.state == "running"]
        for each in running[-_RUNNING:]:
            done = ", ".join(step.name for step in each.steps)
            now = each.reason or done or words.pairs(dict(each.params))
            lines.append([Span(f"trial {each.number}  ", "dim"), now[:100]])
        return lines
