"""What the proof measured, written down by the worker and kept as evaluations by the publisher.

So `yard compare` and `yard best` know the versions that came of an optimization, on the rows that
no pass has seen.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from modelyard.core.decoding import decode_json
from modelyard.core.evaluation import Evaluation, Latency
from modelyard.core.metrics import SUITE_VERSION, Classified
from modelyard.optimization.hashing import row_hashes
from modelyard.registry.outcomes import kept_rows
from modelyard.registry.reports import keep_evaluation

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from modelyard.core.evaluation import Measure
    from modelyard.core.metrics import Facts
    from modelyard.optimization.engines.interface import Task
    from modelyard.optimization.measuring import Timing
    from modelyard.optimization.state import Rows
    from modelyard.registry.desk import Desk

__all__ = ["keep_written", "write_evaluation"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def write_evaluation(
    place: Path,
    facts: Facts | None,
    measures: Sequence[Measure],
    timing: Timing | None,
    rows: Rows,
    task: Task,
) -> None:
    """Write `PLACE.json` and `PLACE.npz`; not where no suite measures such a task."""
    if facts is None or task.task not in ("classification", "regression"):
        return
    digest = _digest(rows)
    pictures: dict[str, Any] = {}
    if isinstance(facts, Classified):
        pictures = {
            "labels": facts.classes, "confusion": facts.confusion(),
            "calibration": facts.calibration(),
        }  # fmt: skip
    found = Evaluation(
        id=0, model="", number=0, suite=task.task, data="", data_digest=digest,
        target=task.target or "", rows=len(rows), seed=task.seed, created=_EPOCH, who="",
        code={"suite": str(SUITE_VERSION)}, measures=tuple(measures), latency=_latency(timing),
        has_outcomes=True, notes=("measured by the proof of an optimization",), **pictures,
    )  # fmt: skip
    kept = kept_rows(facts.rows, digest)
    outcomes = (facts if kept is None else facts.take(kept)).outcomes()
    place.with_suffix(".json").write_bytes(msgspec.json.encode(found))
    with place.with_suffix(".npz").open("wb") as stream:
        np.savez(stream, allow_pickle=False, **outcomes)


def keep_written(desk: Desk, place: Path, *, model: str, number: int, size: int, data: str) -> None:
    """Keep an evaluation that a worker wrote, if it wrote one, with a version."""
    told = place.with_suffix(".json")
    if not told.is_file():
        return
    found = decode_json(told.read_bytes(), Evaluation)
    with np.load(place.with_suffix(".npz"), allow_pickle=False) as columns:
        outcomes = {name: columns[name] for name in columns.files}
    named = replace(found, model=model, number=number, size=size, data=data, who=desk.author)
    keep_evaluation(desk, named, outcomes)


def _digest(rows: Rows) -> str:
    """SHA-256 of the rows, by which evaluations are told to be of the same data."""
    found = hashlib.sha256(row_hashes(rows.inputs).tobytes())
    if rows.target is not None:
        found.update(repr(rows.target.tolist()).encode())
    return found.hexdigest()


def _latency(timing: Timing | None) -> Latency | None:
    if timing is None:
        return None
    ones = [float(f"{v:.4g}") for v in np.percentile(timing.singles, [50, 95, 99])]
    many = [float(f"{v:.4g}") for v in np.percentile(timing.batches, [50, 95, 99])]
    return Latency(
        p50=ones[0], p95=ones[1], p99=ones[2], asked=len(timing.singles),
        batch_rows=timing.batch_rows, batch_p50=many[0], batch_p95=many[1], batch_p99=many[2],
        rows_per_second=float(f"{timing.batch_rows / max(many[0], 1e-6) * 1000:.4g}"),
    )  # fmt: skip
