"""What became of requests: a ring that the hot path writes, and a thread that reads.

Writing never waits: when the ring is full, records are dropped and counted. Listeners (monitoring)
get records in groups; the log of each deployment keeps the last ones for people. Requests that were
refused before a version was known, or because of what they are, are only counted.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

from modelyard.serving.oip.datatypes import datatype_of

if TYPE_CHECKING:
    from modelyard.serving.interface import Feeds, Line, Outputs, Timing
    from modelyard.serving.tracing import Trace

__all__ = ["Record", "Recorder"]

_RING: Final = 8192
_ARRAYS: Final = 1 << 20
"""Bytes of inputs and outputs that a record may hold on to; of more, every so many-th row."""
_HELD: Final = 64 << 20
"""Bytes that all records in the ring may hold on to."""
_KEPT: Final = 500
"""Records that the log of one deployment keeps."""
_SHOWN: Final = 64
"""Elements of a tensor that the log keeps."""
_EVERY: Final = 0.25
_REFUSALS: Final = 8192
"""Refused requests that are counted between two tellings; what comes beyond is not."""
_WRONG: Final = frozenset(
    {"bad-inputs", "bad-request", "bad-rows", "bad-format", "no-output", "no-column", "no-rows",
     "not-by-rows", "wrong-media-type"}
)  # fmt: skip
"""Kinds of errors for which a request is refused though its version is known."""
_log = logging.getLogger("modelyard.serving")
Listener = Callable[[Sequence["Record"]], None]
RefusedListener = Callable[[str, str, str, int, int], None]
"""Told of a deployment, a kind of error and a client: the largest size, and how many."""


@dataclass(slots=True, eq=False)
class Record:
    """One request."""

    line: Line
    time: float
    """When it came, as `time.time()`."""
    request: str
    """Its id."""
    client: str
    version: str | None
    model: str | None
    commit: str | None
    timing: Timing
    ended: int
    """As `Timing`'s numbers."""
    error: str | None = None
    """The kind of what went wrong."""
    trace: Trace | None = None
    feeds: Feeds | None = None
    outputs: Outputs | None = None
    shadow: bool = False
    decoded: int = 0
    """When it was read, as `Timing`'s numbers."""

    step: int = 1
    """Every so many-th row of the request is in `feeds` and `outputs`."""

    @property
    def seconds(self) -> float:
        return (self.ended - self.timing.begun) / 1e9

    def thin_out(self, step: int) -> int:
        """Keep every so many-th row; gives the bytes that are left. What has no rows stays."""
        rows = self.timing.rows
        arrays = [*(self.feeds or {}).values(), *(self.outputs or {}).values()]
        if rows >= step and all(array.ndim and len(array) == rows for array in arrays):
            self.step = step  # copies: a view would hold on to all rows
            self.feeds = _every(self.feeds, step)
            self.outputs = _every(self.outputs, step)
        return _size(self.feeds) + _size(self.outputs)


class Recorder:
    """Takes records of one process."""

    def __init__(self) -> None:
        self.dropped = 0
        self._ring: deque[Record] = deque()
        self._held = 0
        self._listeners: list[Listener] = []
        self._refused: deque[tuple[str, str, str, int]] = deque()
        self._refused_listeners: list[RefusedListener] = []
        self._logs: dict[str, deque[dict[str, Any]]] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._draining = threading.Lock()

    def add(self, record: Record) -> None:
        """Called for each request, on the event loop."""
        if len(self._ring) >= _RING:
            self.dropped += 1
            return
        size = _size(record.feeds) + _size(record.outputs)
        if size > _ARRAYS and self._held < _HELD:
            size = record.thin_out(-(-size // _ARRAYS))
        if size > _ARRAYS or self._held + size > _HELD:
            record.feeds = record.outputs = None
        else:
            self._held += size
        self._ring.append(record)

    def listen(self, listener: Listener) -> None:
        """Give it every record from now on, in groups, in a thread of its own."""
        self._listeners.append(listener)

    def refuse(self, name: str, kind: str, client: str, size: int = 0) -> None:
        """Count a request that was refused before a version was known. Called on the event loop.

        Args:
            kind: Of the error.
            client: Its name, or its address if nobody knows who it is.
            size: Bytes of its body, as far as they are known.
        """
        if self._refused_listeners and len(self._refused) < _REFUSALS:
            self._refused.append((name, kind, client, size))

    def listen_refused(self, listener: RefusedListener) -> None:
        """Tell it of refusals from now on, four times a second, in the thread of `listen`."""
        self._refused_listeners.append(listener)

    def tail(self, name: str, limit: int = 100) -> list[dict[str, Any]]:
        """The last records of a deployment, newest first: what people may see."""
        self.drain()
        kept = self._logs.get(name, ())
        return list(kept)[-limit:][::-1]

    def forget(self, name: str) -> None:
        """A deployment that is gone."""
        self.drain()
        self._logs.pop(name, None)

    def start(self) -> None:
        self._thread = threading.Thread(target=self._work, name="serving-records", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self.drain()

    def drain(self) -> None:
        """Hand out what is in the ring."""
        with self._draining:
            self._tell_records()
            self._tell_refused()

    def _tell_records(self) -> None:
        count = len(self._ring)
        if not count:
            return
        group = [self._ring.popleft() for _ in range(count)]
        self._held = 0
        for record in group[-_KEPT:]:
            self._keep(record)
        for listener in self._listeners:
            try:
                listener(group)
            except Exception:
                _log.exception("records could not be taken")
        if self._refused_listeners:
            for record in group:
                if record.error in _WRONG and not record.shadow:
                    self.refuse(record.line.name, record.error, record.client)

    def _tell_refused(self) -> None:
        found: dict[tuple[str, str, str], tuple[int, int]] = {}
        for _ in range(len(self._refused)):
            name, kind, client, size = self._refused.popleft()
            largest, count = found.get((name, kind, client), (0, 0))
            found[name, kind, client] = max(largest, size), count + 1
        for (name, kind, client), (size, count) in found.items():
            for listener in self._refused_listeners:
                try:
                    listener(name, kind, client, size, count)
                except Exception:
                    _log.exception("refusals could not be taken")

    def _work(self) -> None:
        while not self._stop.wait(_EVERY):
            self.drain()

    def _keep(self, record: Record) -> None:
        log = self._logs.get(record.line.name)
        if log is None:
            log = self._logs[record.line.name] = deque(maxlen=_KEPT)
        log.append(_told(record))


def _every(arrays: Feeds | None, step: int) -> dict[str, Any] | None:
    return None if arrays is None else {name: a[::step].copy() for name, a in arrays.items()}


def _size(arrays: Feeds | None) -> int:
    size = 0
    if arrays:
        for array in arrays.values():
            size += array.nbytes
    return size


def _told(record: Record) -> dict[str, Any]:
    """What people see: inputs and outputs only of some requests, and never what is redacted."""
    timing, spec = record.timing, record.line.spec
    told: dict[str, Any] = {
        "time": record.time, "request": record.request, "client": record.client,
        "model": record.model, "version": record.version, "error": record.error,
        "seconds": round(record.seconds, 6), "rows": timing.rows, "batch": timing.batch,
        "shadow": record.shadow, "trace": None if record.trace is None else str(record.trace),
    }  # fmt: skip
    if record.step > 1:
        told["every"] = record.step
    if record.feeds is not None and crc32(record.request.encode()) < spec.sample * (1 << 32):
        told["inputs"] = _values(record.feeds, spec.redact)
        told["outputs"] = _values(record.outputs or {}, spec.redact)
    return told


def _values(arrays: Feeds, redact: Sequence[str]) -> dict[str, Any]:
    return {
        name: {
            "datatype": datatype_of(array), "shape": list(array.shape),
            "data": "redacted" if name in redact else _few(array.ravel()[:_SHOWN].tolist()),
        }
        for name, array in arrays.items()
    }  # fmt: skip


def _few(items: list[Any]) -> list[Any]:
    return [
        item[:200].decode("utf-8", "replace") if isinstance(item, bytes)
        else item[:200] if isinstance(item, str) else item
        for item in items
    ]  # fmt: skip
