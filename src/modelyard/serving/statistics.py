"""Counts and times of every version, as requests change them, and as the protocol tells them."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from modelyard.serving.interface import Timing

__all__ = ["BATCH_BOUNDS", "BOUNDS", "OUTCOMES", "PHASE_BOUNDS", "Counts", "Statistics"]

BOUNDS: Final = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0, 30.0,
)  # fmt: skip
"""Upper ends of the buckets of seconds, of whole requests."""
PHASE_BOUNDS: Final = (0.0001, 0.0005, 0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0)
"""Of the phases of requests: fewer, since each version has four of them."""
BATCH_BOUNDS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 1024)
"""Of rows that were computed together."""
OUTCOMES: Final = (
    "bad-inputs", "bad-request", "overloaded", "deadline", "model-failed", "model-died",
    "model-timeout", "failed",
)  # fmt: skip
"""Kinds of errors that are told from the start, as 0: a rule about a share of errors finds nothing
as long as a series does not exist."""
_NANO: Final = tuple(int(bound * 1e9) for bound in BOUNDS)
_PHASE_NANO: Final = tuple(int(bound * 1e9) for bound in PHASE_BOUNDS)
_KINDS: Final = 30
"""Kinds of errors that are counted apart for one version; more are counted as `other`."""
_LATELY: Final = 512
"""Requests whose median time is told."""


@dataclass(slots=True)
class Counts:
    """Of one version of one deployment. Times are nanoseconds."""

    deployment: str
    model: str
    version: str
    answered: int = 0
    rows: int = 0
    executions: float = 0.0
    """Calls of the model: a batch of four requests is a quarter for each."""
    failed: int = 0
    failed_ns: int = 0
    total_ns: int = 0
    queue_ns: int = 0
    input_ns: int = 0
    compute_ns: int = 0
    output_ns: int = 0
    last: float = 0.0
    """When it was asked last, as `time.time()`."""
    errors: dict[str, int] = field(default_factory=dict)
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    batches: dict[int, list[int]] = field(default_factory=dict)
    """By rows of a batch, to a power of two: how often, and nanoseconds."""
    phases: tuple[list[int], ...] = field(
        default_factory=lambda: tuple([0] * (len(PHASE_BOUNDS) + 1) for _ in range(4))
    )
    """Of `queue`, `preprocess`, `predict`, `postprocess`: as `buckets`."""
    sizes: list[int] = field(default_factory=lambda: [0] * (len(BATCH_BOUNDS) + 1))
    size_sum: int = 0
    cold: int = 0
    """Requests that had to wait until the version was loaded."""
    lately: list[int] = field(default_factory=lambda: [0] * _LATELY)
    traced: dict[int, tuple[str, float, float]] = field(default_factory=dict)
    """The last traced request of each bucket: its trace, seconds, and when it ended."""
    shadow: bool = False

    def success(self, timing: Timing, decoded: int, ended: int) -> None:
        """Count an answer.

        Args:
            decoded: When the request was read, and `ended`: when its answer was ready.
        """
        total = ended - timing.begun
        self.lately[self.answered % _LATELY] = total
        self.answered += 1
        self.rows += timing.rows
        batch = timing.batch or 1
        self.executions += timing.rows / batch if batch > timing.rows else 1
        self.total_ns += total
        self.input_ns += (read := decoded - timing.begun)
        self.queue_ns += (waited := timing.queued - decoded)
        self.compute_ns += (computed := timing.computed - timing.queued)
        self.output_ns += (written := ended - timing.computed)
        self.buckets[bisect_left(_NANO, total)] += 1
        queue, preprocess, predict, postprocess = self.phases
        queue[bisect_left(_PHASE_NANO, waited)] += 1
        preprocess[bisect_left(_PHASE_NANO, read)] += 1
        predict[bisect_left(_PHASE_NANO, computed)] += 1
        postprocess[bisect_left(_PHASE_NANO, written)] += 1
        self.sizes[bisect_left(BATCH_BOUNDS, batch)] += 1
        self.size_sum += batch
        kept = self.batches.get(size := 1 << (batch - 1).bit_length())
        if kept is None:
            kept = self.batches[size] = [0, 0]
        kept[0] += 1
        kept[1] += computed

    def trace(self, parent: str, nanoseconds: int, now: float) -> None:
        """Remember a traced request that was answered: an example of its bucket.

        Args:
            parent: The value of `traceparent`.
        """
        self.traced[bisect_left(_NANO, nanoseconds)] = (parent[3:35], nanoseconds / 1e9, now)

    def failure(self, kind: str, nanoseconds: int) -> None:
        """Count an error. Its time is not among those of answers."""
        self.failed += 1
        self.failed_ns += nanoseconds
        if kind not in self.errors and len(self.errors) >= _KINDS:
            kind = "other"
        self.errors[kind] = self.errors.get(kind, 0) + 1

    @property
    def median(self) -> float | None:
        """Seconds of an answer, of the last ones."""
        count = min(self.answered, _LATELY)
        return sorted(self.lately[:count])[count // 2] / 1e9 if count else None

    def told(self) -> dict[str, Any]:
        """As Triton's statistics extension has it."""
        good = self.answered
        return {
            "name": self.deployment,
            "version": self.version,
            "last_inference": int(self.last * 1000),
            "inference_count": self.rows,
            "execution_count": round(self.executions),
            "inference_stats": {
                "success": _pair(good, self.total_ns),
                "fail": _pair(self.failed, self.failed_ns),
                "queue": _pair(good, self.queue_ns),
                "compute_input": _pair(good, self.input_ns),
                "compute_infer": _pair(good, self.compute_ns),
                "compute_output": _pair(good, self.output_ns),
                "cache_hit": _pair(0, 0),
                "cache_miss": _pair(0, 0),
            },
            "batch_stats": [
                {
                    "batch_size": size,
                    "compute_input": _pair(count, 0),
                    "compute_infer": _pair(count, nanoseconds),
                    "compute_output": _pair(count, 0),
                }
                for size, (count, nanoseconds) in sorted(self.batches.items())
            ],
        }


class Statistics:
    """Counts of all versions of one process."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str, str, bool], Counts] = {}

    def of(self, deployment: str, model: str, version: str, *, shadow: bool = False) -> Counts:
        """The counts of one version; begun at 0 when first asked for."""
        key = (deployment, model, version, shadow)
        found = self._counts.get(key)
        if found is None:
            found = Counts(deployment, model, version, shadow=shadow)
            self._counts[key] = found
        return found

    def every(self) -> list[Counts]:
        return list(self._counts.values())

    def forget(self, deployment: str) -> None:
        """A deployment that is gone; a metric whose series never end fills every database."""
        for key in [key for key in self._counts if key[0] == deployment]:
            del self._counts[key]


def _pair(count: int, nanoseconds: int) -> dict[str, int]:
    return {"count": count, "ns": nanoseconds}
