"""What a process serves, as metrics: names and units as Prometheus wants them.

Each version takes some ninety series; those that are asked the most are told in full, more in
brief, and beyond the bound they are only counted, so that no number of versions fills a database.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from modelyard.core.exposition import Exposition, sample_key
from modelyard.serving.statistics import BATCH_BOUNDS, BOUNDS, OUTCOMES, PHASE_BOUNDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from modelyard.serving.interface import Line, Slot
    from modelyard.serving.statistics import Counts

__all__ = ["ALIASES", "MOST", "exemplars_of", "exposition"]

MOST: Final = 900
"""Series of one process, about."""
_BRIEF: Final = 200
"""Of these, those that are kept for versions told in brief."""
_DURATION: Final = "modelyard_inference_request_duration_seconds"
_REQUESTS: Final = "modelyard_inference_requests_total"
_PHASES: Final = ("queue", "preprocess", "predict", "postprocess")
_WHAT: Final = {
    "queue": "Time that requests waited to be computed.",
    "preprocess": "Time from the head of a request to its tensors.",
    "predict": "Time in which a request was computed, with those beside it.",
    "postprocess": "Time from outputs to the answer.",
}
ALIASES: Final = ("triton", "mlserver")
"""Servers by whose names the same is told too, if wished: for dashboards that exist."""


def exposition(
    counts: Sequence[Counts],
    lines: Sequence[Line],
    *,
    dropped: int = 0,
    shadows_dropped: int = 0,
    aliases: Sequence[str] = (),
) -> str:
    """Prometheus' text format 0.0.4.

    Args:
        counts: Of all versions.
        lines: What is served now.
        dropped: Records that monitoring could not take, and `shadows_dropped`: copies.
        aliases: Of `ALIASES`.
    """
    told = Exposition()
    _begin(told)
    places = list(_places(lines))
    left_out = 0
    for one in sorted(counts, key=lambda one: -(one.answered + one.failed)):
        if told.samples < MOST - _BRIEF:
            _full(told, one)
            if aliases:
                _alias(told, one, aliases)
        elif told.samples < MOST:
            _brief(told, one)
        else:
            left_out += 1
    for line, slot, share, shadow in places:
        if told.samples >= MOST + _BRIEF:
            break
        _place(told, line, slot, share, shadow=shadow)
    told.add("modelyard_inference_left_out_versions", "", left_out)
    told.add("modelyard_monitor_dropped_rows_total", "", dropped)
    told.add("modelyard_shadow_dropped_requests_total", "", shadows_dropped)
    return told.text()


def exemplars_of(counts: Sequence[Counts]) -> dict[str, str]:
    """The last traced request of each bucket of the duration, by the sample it belongs to."""
    found = {}
    for one in counts:
        labels = _labels(one.deployment, one.model, one.version, one.shadow)
        for place, (trace, seconds, when) in list(one.traced.items()):
            bound = BOUNDS[place] if place < len(BOUNDS) else "+Inf"
            key = sample_key(_DURATION, labels, bound)
            found[key] = f'{{trace_id="{trace}"}} {seconds!r} {when:.3f}'
    return found


def _begin(told: Exposition) -> None:
    told.begin(_REQUESTS, "counter", "Requests, by what became of them.")
    told.begin("modelyard_inference_rows_total", "counter", "Rows that were predicted.")
    told.begin(_DURATION, "histogram", "Time from the head of a request to its answer.")
    for phase in _PHASES:
        told.begin(f"modelyard_inference_{phase}_duration_seconds", "histogram", _WHAT[phase])
    told.begin("modelyard_inference_batch_size", "histogram", "Rows that were computed together.")
    told.begin(
        "modelyard_inference_cold_starts_total", "counter",
        "Requests that had to wait until a version was loaded.",
    )  # fmt: skip
    told.begin("modelyard_inference_in_flight", "gauge", "Requests that are being answered.")
    told.begin("modelyard_inference_waiting_rows", "gauge", "Rows that wait or are computed.")
    told.begin("modelyard_model_awake", "gauge", "Processes in which a version is loaded.")
    told.begin("modelyard_model_memory_bytes", "gauge", "Memory that loading a version took.")
    told.begin(
        "modelyard_deployment_share_ratio", "gauge",
        "Part of a deployment's requests that a version gets, or gets a copy of.",
    )  # fmt: skip
    told.begin("modelyard_model_info", "gauge", "What answers: always 1.")
    told.begin(
        "modelyard_inference_left_out_versions", "gauge",
        "Versions of which nothing is told here, since there are so many.",
    )  # fmt: skip
    told.begin(
        "modelyard_monitor_dropped_rows_total", "counter",
        "Requests that monitoring could not take, since too many came at once.",
    )  # fmt: skip
    told.begin(
        "modelyard_shadow_dropped_requests_total", "counter",
        "Copies for shadows that were dropped, since too many waited.",
    )  # fmt: skip


def _full(told: Exposition, one: Counts) -> None:
    labels = _labels(one.deployment, one.model, one.version, one.shadow)
    errors = {**dict.fromkeys(OUTCOMES, 0), **one.errors}
    told.add(_REQUESTS, f'{labels},outcome="ok"', one.answered)
    for kind, number in errors.items():
        told.add(_REQUESTS, f'{labels},outcome="{kind}"', number)
    told.add("modelyard_inference_rows_total", labels, one.rows)
    told.histogram(_DURATION, labels, BOUNDS, one.buckets, one.total_ns / 1e9)
    spent = (one.queue_ns, one.input_ns, one.compute_ns, one.output_ns)
    for phase, buckets, nanoseconds in zip(_PHASES, one.phases, spent, strict=True):
        name = f"modelyard_inference_{phase}_duration_seconds"
        told.histogram(name, labels, PHASE_BOUNDS, buckets, nanoseconds / 1e9)
    told.histogram("modelyard_inference_batch_size", labels, BATCH_BOUNDS, one.sizes, one.size_sum)
    told.add("modelyard_inference_cold_starts_total", labels, one.cold)


def _brief(told: Exposition, one: Counts) -> None:
    """What rules need: how many, how they went, how long in the mean."""
    labels = _labels(one.deployment, one.model, one.version, one.shadow)
    told.add(_REQUESTS, f'{labels},outcome="ok"', one.answered)
    for kind, number in list(one.errors.items()):
        told.add(_REQUESTS, f'{labels},outcome="{kind}"', number)
    told.add("modelyard_inference_rows_total", labels, one.rows)
    told.histogram(_DURATION, labels, (), one.buckets, one.total_ns / 1e9)


def _places(lines: Sequence[Line]) -> Iterator[tuple[Line, Slot, float, bool]]:
    """Each version of each line, with its share and whether it gets copies only."""
    for line in lines:
        before = 0.0
        for slot, bound in zip(line.slots, line.bounds, strict=True):
            yield line, slot, bound - before, False
            before = bound
        for slot, share in line.shadows:
            yield line, slot, share, True


def _place(told: Exposition, line: Line, slot: Slot, share: float, *, shadow: bool) -> None:
    labels = _labels(line.name, slot.model, slot.version, shadow)
    served = slot.served
    told.add("modelyard_deployment_share_ratio", labels, round(share, 9))
    told.add("modelyard_model_awake", labels, int(served is not None))
    told.add("modelyard_inference_in_flight", labels, served.under_way if served else 0)
    told.add("modelyard_inference_waiting_rows", labels, served.executor.waiting if served else 0)
    if served is not None:
        if served.memory is not None:
            told.add("modelyard_model_memory_bytes", labels, served.memory)
        about = Exposition.labels(
            deployment=line.name, model=slot.model, version=slot.version, digest=slot.commit,
            format=served.framework, platform=served.platform, mode=served.executor.mode,
        )  # fmt: skip
        told.add("modelyard_model_info", about, 1)


_TRITON: Final = {
    "nv_inference_request_success": "Successful requests.",
    "nv_inference_request_failure": "Failed requests.",
    "nv_inference_count": "Inferences: rows.",
    "nv_inference_exec_count": "Executions of the model.",
    "nv_inference_request_duration_us": "Time of requests, cumulative, in microseconds.",
    "nv_inference_queue_duration_us": "Time in queues, cumulative, in microseconds.",
    "nv_inference_compute_input_duration_us": "Time of reading, cumulative, in microseconds.",
    "nv_inference_compute_infer_duration_us": "Time of computing, cumulative, in microseconds.",
    "nv_inference_compute_output_duration_us": "Time of writing, cumulative, in microseconds.",
}


def _alias(told: Exposition, one: Counts, aliases: Sequence[str]) -> None:
    if one.shadow:
        return
    labels = Exposition.labels(model=one.deployment, version=one.version)
    if "triton" in aliases:
        times = (one.total_ns, one.queue_ns, one.input_ns, one.compute_ns, one.output_ns)
        values = (one.answered, one.failed, one.rows, round(one.executions),
                  *(nanoseconds // 1000 for nanoseconds in times))  # fmt: skip
        for (name, words), value in zip(_TRITON.items(), values, strict=True):
            told.begin(name, "counter", words)
            told.add(name, labels, value)
    if "mlserver" in aliases:
        for name, value in (("success", one.answered), ("failure", one.failed)):
            name = f"model_infer_request_{name}_total"
            told.begin(name, "counter", "Requests of inference.")
            told.add(name, labels, value)
        name = "model_infer_request_duration"
        told.begin(name, "summary", "Seconds of requests of inference.")
        told.add(name, labels, one.answered, "_count")
        told.add(name, labels, one.total_ns / 1e9, "_sum")


@lru_cache(4096)
def _labels(deployment: str, model: str, version: str, shadow: bool) -> str:
    return Exposition.labels(
        deployment=deployment, model=model, version=version, shadow=str(shadow).lower()
    )
