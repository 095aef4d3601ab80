"""How a version was measured: metrics with intervals, confusion, calibration, slices."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from modelyard.core.evaluation import Evaluation
from modelyard.core.explanation import Explanation
from modelyard.errors import Corrupt
from modelyard.registry.graph import Head, head_of
from modelyard.registry.pages import reports_page
from modelyard.registry.reports import evaluation_of
from modelyard.server.routing import on_model
from modelyard.server.state import Ask
from modelyard.server.web.twins import Pages

__all__ = ["pages"]

pages = Pages("evaluations")

_MOST = 10


@dataclass(frozen=True, slots=True)
class EvaluationsPage:
    """What the page shows."""

    head: Head
    """The version."""
    evaluations: tuple[Evaluation, ...]
    """The newest first."""
    explanation: Explanation | None
    """The newest one, if there is any."""
    next: str | None
    """Where the next page of evaluations goes on."""


@pages.page(
    "/evaluations/{model:path}@{revision:path}", "evaluations.html", needs=on_model("reader")
)
def list_evaluations(
    ask: Ask, model: str, revision: str, *, after: str | None = None
) -> EvaluationsPage:
    """The evaluations of a version."""
    head = head_of(ask.house, model, revision)
    number = head.version.number
    found = reports_page(ask.house, model, number, "evaluation", limit=_MOST, after=after)
    evaluations = []
    for report in found.items:
        with suppress(Corrupt):
            evaluations.append(evaluation_of(report))
    explanation = None
    for report in reports_page(ask.house, model, number, "explanation", limit=1).items:
        with suppress(Corrupt):
            explanation = Explanation.decode(report.content)
    return EvaluationsPage(head, tuple(evaluations), explanation, found.next)
