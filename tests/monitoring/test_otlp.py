"""Requests and counters reach an OpenTelemetry collector: a small real one, by its own protobuf."""

from __future__ import annotations

import gzip
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from tests.server.running import running
from tests.serving.life.here import plus

from modelyard.core.deployment import DeploymentSpec, Share
from modelyard.registry import create

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import httpx2

pytestmark = pytest.mark.slow
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PREDICT = "/v2/models/plus/infer"
ONE = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 1], "data": [1.0]}]}


class Collector(ThreadingHTTPServer):
    """Takes traces and metrics, and keeps them."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Taker)
        self.spans: list[Any] = []
        self.metrics: dict[str, Any] = {}
        self.resources: list[dict[str, str]] = []
        self.headers: list[Any] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Taker(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        self.server.headers.append(self.headers)
        if self.path == "/v1/traces":
            traces = ExportTraceServiceRequest.FromString(body)
            self.server.spans += [
                span
                for resource in traces.resource_spans
                for scope in resource.scope_spans
                for span in scope.spans
            ]
            answer = ExportTraceServiceResponse()
        else:
            told = ExportMetricsServiceRequest.FromString(body)
            for resource in told.resource_metrics:
                self.server.resources.append(strings(resource.resource.attributes))
                for scope in resource.scope_metrics:
                    self.server.metrics |= {metric.name: metric for metric in scope.metrics}
            answer = ExportMetricsServiceResponse()
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.end_headers()
        self.wfile.write(answer.SerializeToString())

    def log_message(self, *_: object) -> None:
        pass


def strings(attributes: Any) -> dict[str, str]:
    return {one.key: one.value.string_value or str(one.value.int_value) for one in attributes}


def wait_for(found: Callable[[], Any], seconds: float = 20.0) -> Any:
    end = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < end, "the collector was told nothing"
        time.sleep(0.05)
    return value


@pytest.fixture(scope="module")
def told(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Collector, httpx2.Client]]:
    """A collector, and a client of a server that tells it."""
    folder = tmp_path_factory.mktemp("told")
    _make(folder)
    with Collector() as collector:
        environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_EXPORTER_OTLP_HEADERS": "x-token=a%20secret",
            "OTEL_TRACES_SAMPLER_ARG": "0",
            "OTEL_METRIC_EXPORT_INTERVAL": "1000",
            "OTEL_SERVICE_NAME": "models",
        }
        with (
            running(folder / "yard", accounts=False, env=environment) as server,
            server.client() as client,
        ):
            wait_for(lambda: client.get("/v2/models/plus/ready").status_code == 200, 60)
            yield collector, client
        collector.shutdown()


def _make(folder: Path) -> None:
    yard = create(folder / "yard")
    try:
        yard.commit("plus", plus(folder / "plus", 1.0))
        yard.deployments.apply(
            DeploymentSpec(name="plus", shares=(Share(model="plus", revision="1"),))
        )
    finally:
        yard.close()


def test_a_request_is_a_span_of_its_callers_trace(told: tuple[Collector, httpx2.Client]) -> None:
    collector, client = told
    head = {"traceparent": f"00-{TRACE}-{PARENT}-01", "x-request-id": "traced-one"}
    answer = client.post(PREDICT, json=ONE, headers=head)
    own = answer.headers["traceparent"].split("-")[2]
    client.post(PREDICT, json=ONE, headers={"x-request-id": "nobody-traces-it"})
    spans = wait_for(lambda: [s for s in collector.spans if s.trace_id.hex() == TRACE])
    (whole,) = [span for span in spans if span.name == "infer plus"]
    assert (whole.parent_span_id.hex(), whole.span_id.hex()) == (PARENT, own)
    attributes = strings(whole.attributes)
    assert attributes["modelyard.request"] == "traced-one"
    assert attributes["modelyard.version"] == "1"
    parts = sorted((s for s in spans if s is not whole), key=lambda s: s.start_time_unix_nano)
    assert [part.name for part in parts] == ["preprocess", "queue", "predict", "postprocess"]
    assert all(part.parent_span_id == whole.span_id for part in parts)
    assert parts[0].start_time_unix_nano == whole.start_time_unix_nano
    assert parts[-1].end_time_unix_nano == whole.end_time_unix_nano
    assert abs(whole.end_time_unix_nano / 1e9 - time.time()) < 60
    assert "nobody-traces-it" not in str(collector.spans)


def test_what_fails_is_told_though_nobody_traces_it(
    told: tuple[Collector, httpx2.Client],
) -> None:
    collector, client = told
    assert client.post(PREDICT, json={"inputs": []}).status_code == 400
    (span,) = wait_for(lambda: [s for s in collector.spans if s.status.message == "bad-inputs"])
    assert strings(span.attributes)["error.type"] == "bad-inputs"


def test_metrics_are_those_of_prometheus(told: tuple[Collector, httpx2.Client]) -> None:
    collector, client = told
    client.post(PREDICT, json=ONE)

    def answered() -> bool:
        told = collector.metrics.get("modelyard_inference_requests")
        return told is not None and any(
            point.as_double >= 1 and strings(point.attributes)["outcome"] == "ok"
            for point in told.sum.data_points
        )

    wait_for(answered)
    requests = collector.metrics["modelyard_inference_requests"].sum
    assert requests.is_monotonic
    name = "modelyard_inference_request_duration_seconds"
    assert collector.metrics[name].unit == "s"
    (point,) = collector.metrics[name].histogram.data_points
    assert sum(point.bucket_counts) == point.count >= 1
    assert len(point.bucket_counts) == len(point.explicit_bounds) + 1
    assert "modelyard_inference_in_flight" in collector.metrics
    assert collector.resources[-1]["service.name"] == "models"
    assert collector.headers[-1]["x-token"] == "a secret"


def test_a_collector_that_is_away_holds_nobody_up(tmp_path: Path) -> None:
    _make(tmp_path)
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    with (
        running(tmp_path / "yard", accounts=False, env=environment) as server,
        server.client() as client,
    ):
        wait_for(lambda: client.get("/v2/models/plus/ready").status_code == 200, 60)
        head = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
        for _ in range(20):
            assert client.post(PREDICT, json=ONE, headers=head).status_code == 200
        assert server.stop() == 0
        assert "Traceback" not in server.log_text()
