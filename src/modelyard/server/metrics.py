"""What Prometheus is told of this server's control plane, at `/metrics`."""

from __future__ import annotations

import os
from importlib.metadata import version

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

__all__ = ["Metrics"]

_BUCKETS = (0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0)
_ROUTES = 250
"""Of methods, routes and statuses, those that are counted apart; more are counted as `other`."""
_AREAS = 24
"""Parts of the server that are told apart; each has ten series."""


class Metrics:
    """Counters of one process; of all workers together if they share a folder for it."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call] # as many series again, for nobody
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "modelyard_http_requests", "Requests to pages, API and git, answered.",
            ("method", "route", "status"), registry=self.registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "modelyard_http_request_duration_seconds",
            "Time from the head of a request to the end of its answer, by the part of the server.",
            ("area",), buckets=_BUCKETS, registry=self.registry,
        )  # fmt: skip
        self.active = Gauge(
            "modelyard_http_requests_in_flight", "Requests that are being answered.",
            registry=self.registry, multiprocess_mode="livesum",
        )  # fmt: skip
        self.jobs = Gauge(
            "modelyard_jobs_active", "Jobs that wait or run.", registry=self.registry,
            multiprocess_mode="livesum",
        )  # fmt: skip
        info = Gauge(
            "modelyard_build_info", "What runs: always 1.", ("version",), registry=self.registry,
            multiprocess_mode="max",
        )  # fmt: skip
        info.labels(version("modelyard")).set(1)
        self._seen: set[tuple[str, str, str]] = set()
        self._areas: set[str] = set()
        ProcessCollector(registry=self.registry)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request; `route` is a pattern, so that no name becomes a label."""
        labels = (method, route, str(status))
        if labels not in self._seen:
            if len(self._seen) >= _ROUTES:
                labels = ("other", "other", "other")
            self._seen.add(labels)
        self._requests.labels(*labels).inc()
        area = _area(route)
        if area not in self._areas:
            if len(self._areas) >= _AREAS:
                area = "other"
            self._areas.add(area)
        self._seconds.labels(area).observe(seconds)

    def text(self) -> bytes:
        """As Prometheus reads it."""
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            from prometheus_client.multiprocess import MultiProcessCollector

            shared = CollectorRegistry()
            MultiProcessCollector(shared)  # type: ignore[no-untyped-call]
            return generate_latest(shared)
        return generate_latest(self.registry)


def _area(route: str) -> str:
    """The part of the server that a route belongs to: `api/models`, `git`, `pages`."""
    parts = route.strip("/").split("/")
    if parts[0] == "api":
        return f"api/{parts[2]}" if len(parts) > 2 else "api"
    return parts[0] if parts[0] and "{" not in parts[0] else "pages"
