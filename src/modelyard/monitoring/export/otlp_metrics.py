"""Prometheus' text as OpenTelemetry's metrics: the same names and numbers (extra `otel`)."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["metrics_of"]


def metrics_of(text: str, *, began: int, now: int, resource: Any, scope: Any) -> Any:
    """All metrics as `MetricsData`: counters and histograms are cumulative.

    Args:
        began: Nanoseconds since 1970 at which the process began to count.
    """
    from opentelemetry.sdk.metrics.export import MetricsData, ResourceMetrics, ScopeMetrics

    found = list(_metrics(text, began, now))
    of_scope = ScopeMetrics(scope=scope, metrics=found, schema_url="")
    of_process = ResourceMetrics(resource=resource, scope_metrics=[of_scope], schema_url="")
    return MetricsData(resource_metrics=[of_process])


def _metrics(text: str, began: int, now: int) -> Iterator[Any]:
    from opentelemetry.sdk.metrics.export import (
        AggregationTemporality,
        Gauge,
        Histogram,
        Metric,
        NumberDataPoint,
        Sum,
    )
    from prometheus_client.parser import text_string_to_metric_families as parse

    for family in parse(text):
        if family.type == "histogram":
            points: Any = list(_histograms(family.samples, began, now))
            data: Any = Histogram(points, AggregationTemporality.CUMULATIVE)
        elif family.type in ("counter", "gauge"):
            points = [
                NumberDataPoint(sample.labels, began, now, float(sample.value))
                for sample in family.samples
                if not sample.name.endswith("_created")
            ]
            data = Gauge(points)
            if family.type == "counter":
                data = Sum(points, AggregationTemporality.CUMULATIVE, is_monotonic=True)
        else:
            continue
        if points:
            yield Metric(family.name, family.documentation, _unit(family.name), data)


def _histograms(samples: Any, began: int, now: int) -> Iterator[Any]:
    from opentelemetry.sdk.metrics.export import HistogramDataPoint

    series: dict[tuple[tuple[str, str], ...], dict[str, Any]] = {}
    for sample in samples:
        labels = {name: value for name, value in sample.labels.items() if name != "le"}
        one = series.setdefault(tuple(labels.items()), {"bounds": [], "counts": []})
        if sample.name.endswith("_bucket"):
            one["counts"].append(int(sample.value))
            if sample.labels["le"] != "+Inf":
                one["bounds"].append(float(sample.labels["le"]))
        elif sample.name.endswith(("_sum", "_count")):
            one[sample.name.rpartition("_")[2]] = sample.value
    for labels_of, one in series.items():
        counts = [after - before for before, after in pairwise([0, *one["counts"]])]
        yield HistogramDataPoint(
            dict(labels_of), began, now, int(one["count"]), one["sum"], counts, one["bounds"],
            min=float("inf"), max=float("-inf"),
        )  # fmt: skip


def _unit(name: str) -> str:
    for ending, unit in (("_seconds", "s"), ("_bytes", "By"), ("_ratio", "1")):
        if name.endswith(ending):
            return unit
    return ""
