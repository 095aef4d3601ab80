"""A deployment's report: one page that needs nothing else, to send, to keep, to print."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from markupsafe import Markup

from modelyard.server.web.rendering import environment
from modelyard.server.web.watched import (
    SERIES,
    Chart,
    Feature,
    Happened,
    Quality,
    Watched,
    Window,
    charts_of,
    features_of,
    happened,
    qualities_of,
    versions_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from modelyard.core.deployment import DeploymentChange, DeploymentSpec
    from modelyard.core.monitoring import Monitor, RuleSet, Series

__all__ = ["DRAWN", "ReportPage", "Told", "report_html", "report_of"]

DRAWN: Final = tuple(name for names in SERIES.values() for name in names)
"""Names of the series that a report shows."""
_PICTURES: Final = 40
"""Columns with a picture; of the others there are the numbers."""


@dataclass(frozen=True, slots=True)
class Told:
    """One version in the report."""

    version: Watched
    charts: tuple[Chart, ...]
    """Of its quality and its drift over time."""
    qualities: tuple[Quality, ...]
    features: tuple[Feature, ...]
    """Worst first, all of them."""

    @property
    def pictured(self) -> tuple[Feature, ...]:
        """Those that are drawn."""
        return self.features[:_PICTURES]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportPage:
    """What the report shows."""

    monitor: Monitor
    window: Window
    charts: tuple[Chart, ...]
    """Of performance, all versions together."""
    versions: tuple[Told, ...]
    moments: tuple[Happened, ...]
    rules: RuleSet | None
    made: datetime


def report_of(
    monitor: Monitor,
    spec: DeploymentSpec,
    series: Sequence[Series],
    changes: Iterable[DeploymentChange],
    rules: RuleSet | None = None,
) -> ReportPage:
    """What a report shows.

    Args:
        series: Those of `DRAWN`.
        changes: Of the deployment, newest first.
    """
    window = Window("", monitor.since, monitor.until)
    versions = versions_of(monitor, spec)
    charts = charts_of(series, versions, by_version=False)
    told = [
        Told(
            one, tuple(c for c in charts_of(series, [one], by_version=False) if _is_own(c)),
            qualities_of(one.seen), features_of(one.seen),
        )
        for one in versions
    ]  # fmt: skip
    return ReportPage(
        monitor=monitor, window=window, charts=tuple(c for c in charts if not _is_own(c)),
        versions=tuple(told), moments=happened(changes, window), rules=rules,
        made=datetime.now(UTC),
    )  # fmt: skip


def report_html(page: ReportPage, language: str = "en") -> str:
    """The whole page, with its styles and pictures inside."""
    template = environment(language).get_template("report.html")
    return template.render(page=page, sheet=_sheet())


@cache
def _sheet() -> Markup:
    """What gives the pictures their colours; the pages of monitoring have the same."""
    return Markup((Path(__file__).parent / "static" / "monitoring.css").read_text("utf-8"))


def _is_own(chart: Chart) -> bool:
    return chart.name in ("accuracy", "drift")
