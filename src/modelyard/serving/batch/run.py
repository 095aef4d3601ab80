"""One run: read, predict, keep, write."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from modelyard.core.version import Progress
from modelyard.errors import Conflict, InvalidInput, NotFound, Unsupported
from modelyard.formats.tables.checks import arrow_module
from modelyard.serving.batch.reading import digest_of, format_of, read_batches, row_count
from modelyard.serving.batch.spool import Identity, Spool, is_begun
from modelyard.serving.batch.workers import local_workers
from modelyard.serving.batch.writing import write_output
from modelyard.serving.feeding import plan_of
from modelyard.serving.tabular import arrow_table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from modelyard.registry.desk import Desk
    from modelyard.runtimes.tensors import TensorSpec
    from modelyard.serving.batch.workers import Batch, Workers
    from modelyard.serving.interface import Outputs, Served

__all__ = ["Predicted", "predict_file"]

_BYTES: Final = 8 << 20
"""Of the inputs of one batch, about."""
_MOST: Final = 8192
_SIDE: Final = 64
"""What a side that varies is taken for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """What a run did."""

    model: str
    number: int
    source: str
    target: str
    rows: int
    resumed: int
    """Rows of them that an earlier run had done."""
    batch: int
    workers: int
    engine: str
    seconds: float

    @property
    def title(self) -> str:
        return f"{self.model}@{self.number}"


def predict_file(
    desk: Desk,
    model: str,
    revision: str | int | None,
    source: Path,
    target: Path,
    *,
    resume: bool = False,
    batch: int | None = None,
    keep: Sequence[str] = (),
    workers: int | None = None,
    memory: int | None = None,
    trusted: Any = None,
    placement: str = "auto",
    engine: AbstractContextManager[Workers] | None = None,
    engine_name: str = "embedded",
    report: Callable[[Progress], None] = lambda _: None,
) -> Predicted:
    """Predict all rows of a file, into a file: CSV, Parquet, Arrow or JSON lines, by their names.

    Args:
        resume: Go on where a run that was killed ended. The output is the same, bit for bit.
        batch: Rows that are computed together; as many as are about 8 MB if None.
        keep: Columns of the input that stand in the output too, before the answers.
        engine: Who computes, opened for the same version; the cores of this machine if None.

    Raises:
        NotFound: `no-data`, `no-folder`, `no-model`, `no-version`.
        InvalidInput: `bad-data`, `bad-format`, `no-column`, `bad-inputs`: naming the rows.
        Conflict: `output-exists`, `other-run`, `in-use`.
        Denied: `untrusted`. Unsupported: `not-by-rows`: it takes whole tensors; `no-extra`.
        Unavailable: `model-died`, `model-failed`. `resume=True` goes on after any of these.
    """
    began = time.monotonic()
    source, target = Path(source), Path(target)
    if not source.is_file():
        raise NotFound("no-data", f"no file {source}", hint="give the path of a file with rows")
    format_of(source)
    kind = format_of(target)
    _check_target(source, target)
    if batch is not None and not 1 <= batch <= 1 << 20:
        raise InvalidInput("bad-batch", f"a batch of {batch} rows", hint="1 to 1048576")
    total, digest = row_count(source), digest_of(source)
    opened: AbstractContextManager[Workers] = engine or local_workers(
        desk, model, revision,
        trusted=trusted, workers=workers, memory=memory, placement=placement,
    )  # fmt: skip
    with opened as answering:
        served = answering.served
        if not served.rows:
            raise Unsupported(
                "not-by-rows", f"{served.model}@{served.number} takes no rows, but whole tensors",
                hint="ask it for one request at a time: yard predict --data",
            )  # fmt: skip
        begun = is_begun(target) if resume and batch is None else None
        size = batch or (begun.batch if begun else batch_size(served))
        identity = Identity(
            served.model, served.number, served.commit, digest, size, tuple(keep), engine_name
        )
        with Spool.open(target, identity, resume=resume) as spool:
            resumed = spool.rows
            plan = plan_of(served)
            batches = read_batches(source, plan, size, start=resumed, keep=keep)
            for done, outputs in answering.answers(batches):
                spool.add(_table(done, outputs), done.rows)
                report(Progress("predict", spool.rows, total))
            if not spool.rows:
                raise InvalidInput("no-rows", f"{source} has no rows")
            as_json = keep if format_of(source) == "jsonl" else ()
            with spool.batches() as found:
                write_output(target, kind, found, served.classes, as_json)
            spool.drop()
            return Predicted(
                model=served.model, number=served.number, source=str(source), target=str(target),
                rows=spool.rows, resumed=resumed, batch=size, workers=answering.count,
                engine=engine_name, seconds=time.monotonic() - began,
            )  # fmt: skip


def batch_size(served: Served) -> int:
    """Rows that are about 8 MB, by what is known of their shapes."""
    size = sum(_row_bytes(spec, served) for spec in served.inputs)
    return max(1, min(_MOST, _BYTES // max(1, size)))


def _row_bytes(spec: TensorSpec, served: Served) -> int:
    example = (served.example or {}).get(spec.name)
    known = None if example is None or not len(example) else example.shape[1:]
    sides = known or tuple(_SIDE if side < 0 else side for side in spec.shape[1:])
    width = {"string": 64, "bytes": 1024, "bool": 1}.get(spec.dtype, 8)
    return int(math.prod(sides)) * width


def _check_target(source: Path, target: Path) -> None:
    if target.exists():
        raise Conflict(
            "output-exists", f"{target} is there already, and whole", hint="name another file"
        )
    if not target.absolute().parent.is_dir():
        raise NotFound("no-folder", f"there is no folder {target.absolute().parent}")
    if source.absolute() == target.absolute():
        raise Conflict("output-exists", f"{target} is what is read")


def _table(batch: Batch, outputs: Outputs) -> Any:
    """The columns that are kept, then the answers."""
    found = arrow_table(outputs)
    if batch.kept is None:
        return found
    arrow = arrow_module("pyarrow")
    columns = dict(zip(batch.kept.column_names, batch.kept.columns, strict=True))
    columns |= {
        name if name not in columns else f"predicted_{name}": column
        for name, column in zip(found.column_names, found.columns, strict=True)
    }
    return arrow.table(columns)
