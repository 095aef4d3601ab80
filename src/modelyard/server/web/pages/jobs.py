"""Long work: what runs, how far it is, and what it told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from modelyard.server.jobs import Job
from modelyard.server.routing import SIGNED_IN
from modelyard.server.state import Ask
from modelyard.server.web.twins import Pages

__all__ = ["pages"]

pages = Pages("jobs")

_ON_A_PAGE = 100
_OPEN = ("waiting", "running")


@dataclass(frozen=True, slots=True)
class JobsPage:
    """What the list shows."""

    items: tuple[Job, ...]
    """The caller's newest jobs, or those of all for an admin; without what they told."""
    is_running: bool
    """Whether one of them is not over."""


@dataclass(frozen=True, slots=True)
class JobPage:
    """What the page of one job shows."""

    job: Job
    """The job."""
    is_running: bool
    """Whether it is not over."""
    made: str
    """The version that it made, as `model@number`; empty if it made none."""


@pages.page("/jobs", "jobs.html", needs=SIGNED_IN)
def list_jobs(ask: Ask) -> JobsPage:
    """The newest jobs."""
    from dataclasses import replace

    found = ask.server.jobs.newest(ask.caller, _ON_A_PAGE)
    items = tuple(replace(job, result=None) for job in found)
    return JobsPage(items, any(job.state in _OPEN for job in items))


@pages.page("/jobs/{job}", "job.html", needs=SIGNED_IN)
def show_job(ask: Ask, job: str) -> JobPage:
    """How far a job is, and in the end what it told."""
    found = ask.server.jobs.show(job, ask.caller)
    return JobPage(found, found.state in _OPEN, _made(found.result))


def _made(result: Any) -> str:
    if not isinstance(result, dict):
        return ""
    model, number = result.get("model"), result.get("number")
    return f"{model}@{number}" if isinstance(model, str) and isinstance(number, int) else ""
