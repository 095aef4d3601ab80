"""A server process tells an OpenTelemetry collector what it answers, if one is named."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import crc32

from modelyard.monitoring.export.otlp import Otlp, Traced
from modelyard.server.serving import serving_of
from modelyard.server.status import VERSION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelyard.monitoring.export.otlp_settings import OtlpSettings
    from modelyard.server.state import Server
    from modelyard.serving.records import Record

__all__ = ["Tracing", "traced_of"]


class Tracing:
    """A part of the server: starts after the data plane, and stops before it."""

    def __init__(self, server: Server, settings: OtlpSettings) -> None:
        """Unsupported: `no-extra`."""
        serving = serving_of(server)
        self._recorder = serving.plane.recorder
        self._share = settings.share * (1 << 32)

        def text() -> str:
            told = serving.metrics()
            return told + (server.watched_metrics.text() if server.settings.monitoring else "")

        self._otlp = Otlp(settings, instance=serving.name, version=VERSION, text=text)

    def start(self) -> None:
        self._otlp.start()
        self._recorder.listen(self.take)

    def stop(self) -> None:
        self._recorder.drain()
        self._otlp.close()

    def take(self, records: Sequence[Record]) -> None:
        """Called with the requests of a quarter of a second, in the recorder's thread."""
        for record in records:
            if record.shadow:
                continue
            trace = record.trace
            if (
                (trace is not None and trace.sampled)
                or record.error is not None
                or crc32(record.request.encode()) < self._share
            ):
                self._otlp.add(traced_of(record))


def traced_of(record: Record) -> Traced:
    """A request as a trace: itself, and the parts that it was made of."""
    timing, trace = record.timing, record.trace
    since = round(record.time * 1e9) - timing.begun
    marks = (timing.begun, record.decoded, timing.queued, timing.computed, record.ended)
    parts = [
        (name, since + begun, since + ended)
        for name, begun, ended in zip(
            ("preprocess", "queue", "predict", "postprocess"), marks, marks[1:], strict=False
        )
        if timing.begun <= begun <= ended
    ]  # fmt: skip
    attributes: dict[str, str | int] = {
        "modelyard.deployment": record.line.name, "modelyard.model": record.model or "",
        "modelyard.version": record.version or "", "modelyard.request": record.request,
        "modelyard.rows": timing.rows, "modelyard.batch": timing.batch,
    }  # fmt: skip
    if record.error is not None:
        attributes["error.type"] = record.error
    return Traced(
        f"infer {record.line.name}", since + timing.begun, since + record.ended,
        parts if record.error is None else (), attributes, error=record.error,
        trace=trace.id if trace else None, span=trace.span if trace else None,
        parent=trace.parent if trace else None,
    )  # fmt: skip
