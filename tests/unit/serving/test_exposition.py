"""Metrics of what is served: names that promtool likes, bounded, also by others' names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families as parse
from tests.services.prometheus import installed, promtool

from modelyard.serving.exposition import MOST, exemplars_of, exposition
from modelyard.serving.interface import Timing
from modelyard.serving.statistics import Counts, Statistics

if TYPE_CHECKING:
    from collections.abc import Callable

MICRO = 1000


def counted(statistics: Statistics, version: str, times: int = 3) -> Counts:
    counts = statistics.of("iris", "flowers/iris", version)
    for _ in range(times):
        timing = Timing(begun=0, queued=200 * MICRO, computed=900 * MICRO, rows=2, batch=4)
        counts.success(timing, decoded=50 * MICRO, ended=1_000 * MICRO)
    counts.failure("overloaded", 10)
    return counts


def test_phases_are_parts_of_the_whole() -> None:
    counts = counted(Statistics(), "1")
    found = {family.name: family for family in parse(exposition([counts], []))}

    def total(name: str) -> float:
        samples = found[f"modelyard_inference_{name}_duration_seconds"].samples
        (value,) = [sample.value for sample in samples if sample.name.endswith("_sum")]
        return value

    phases = [total(name) for name in ("preprocess", "queue", "predict", "postprocess")]
    assert [round(phase * 1e6) for phase in phases] == [150, 450, 2100, 300]
    assert round(total("request"), 12) == round(sum(phases), 12)
    sizes = found["modelyard_inference_batch_size"].samples
    assert [s.value for s in sizes if s.labels.get("le") in ("2.0", "4.0")] == [0, 3]


def test_promtool_finds_nothing_to_object_to(require: Callable[[str, object], None]) -> None:
    require("prometheus", installed())
    code, told = promtool("check", "metrics", text=exposition([counted(Statistics(), "1")], []))
    assert (code, told) == (0, "")


def test_however_many_versions_there_are_the_series_are_bounded() -> None:
    statistics = Statistics()
    for version in range(600):
        counted(statistics, str(version), times=600 - version)
    text = exposition(statistics.every(), [])
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert len(lines) <= MOST + 10
    assert 'version="0",shadow="false",outcome="deadline"' in text, "the busiest are told in full"
    (left_out,) = [line for line in lines if line.startswith("modelyard_inference_left_out")]
    assert int(left_out.rpartition(" ")[2]) > 500


def test_the_last_traced_request_is_its_buckets_example() -> None:
    counts = counted(Statistics(), "1")
    counts.trace(f"00-{'a' * 32}-{'b' * 16}-01", 700 * MICRO, 1_700_000_000.0)
    ((key, told),) = exemplars_of([counts]).items()
    assert key.endswith('le="0.001"}')
    assert told == f'{{trace_id="{"a" * 32}"}} 0.0007 1700000000.000'
    assert key in exposition([counts], [])


def test_others_names_are_told_if_wished() -> None:
    counts = counted(Statistics(), "1")
    assert "nv_" not in exposition([counts], [])
    text = exposition([counts], [], aliases=("triton", "mlserver"))
    assert 'nv_inference_request_success{model="iris",version="1"} 3' in text
    assert 'nv_inference_queue_duration_us{model="iris",version="1"} 450' in text
    assert 'model_infer_request_success_total{model="iris",version="1"} 3' in text
    assert 'model_infer_request_duration_sum{model="iris",version="1"} 0.003' in text
