"""Who computes batches: this machine's cores, or another engine."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING, Protocol

from modelyard.core.trust import Trust
from modelyard.errors import InvalidInput
from modelyard.serving.batch.single import by_rows
from modelyard.serving.checking import check_feeds
from modelyard.serving.executors import Inline, Pace
from modelyard.serving.interface import Served, Wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future
    from typing import Any

    from modelyard.registry.desk import Desk
    from modelyard.runtimes.tensors import TensorRuntime
    from modelyard.serving.interface import Feeds, Outputs
    from modelyard.serving.loading import Opened

__all__ = ["Answering", "Batch", "Workers", "local_workers", "rows_named"]

_AHEAD = 2
"""Batches that wait for each worker, so that none is ever idle."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows on their way."""

    feeds: Callable[[], tuple[Feeds, int]]
    """Reads them; called where they are computed."""
    kept: Any
    """What goes past the model into the output: an Arrow table, or None."""
    start: int
    rows: int


class Workers(Protocol):
    """What predicts batches. Engines have one each."""

    @property
    def served(self) -> Served:
        """The version, as it tells of itself."""

    @property
    def count(self) -> int:
        """How many compute at once."""

    def answers(self, batches: Iterable[Batch]) -> Iterator[tuple[Batch, Outputs]]:
        """All of them in their order, never more under way than memory allows for.

        Raises:
            InvalidInput: `bad-inputs`: the model can't take these rows; `bad-outputs`.
            Unavailable: `model-died`, `model-failed`.
        """


@dataclass(frozen=True, slots=True)
class Answering:
    """`Workers` over runtimes of this machine."""

    served: Served
    runtimes: tuple[TensorRuntime, ...]
    count: int

    def answers(self, batches: Iterable[Batch]) -> Iterator[tuple[Batch, Outputs]]:
        free: SimpleQueue[TensorRuntime] = SimpleQueue()
        for at in range(self.count):
            free.put(self.runtimes[at % len(self.runtimes)])

        def compute(batch: Batch) -> Outputs:
            with rows_named(batch):
                feeds, rows = batch.feeds()
                runtime = free.get()
                try:
                    return self.ask(runtime, dict(feeds), rows)
                finally:
                    free.put(runtime)

        coming: deque[tuple[Batch, Future[Outputs]]] = deque()
        pool = ThreadPoolExecutor(self.count, "yard-predict")
        try:
            for batch in batches:
                coming.append((batch, pool.submit(compute, batch)))
                if len(coming) > self.count + _AHEAD:
                    first, answer = coming.popleft()
                    yield first, answer.result()
            while coming:
                first, answer = coming.popleft()
                yield first, answer.result()
        finally:
            pool.shutdown(cancel_futures=True)

    def ask(self, runtime: TensorRuntime, feeds: dict[str, Any], rows: int) -> Outputs:
        """Predict, and look whether each row got its answer."""
        check_feeds(self.served.model, self.served, feeds)
        found = runtime.run(feeds)
        if self.served.rows:
            for name, array in found.items():
                if array.ndim == 0 or len(array) != rows:
                    raise InvalidInput(
                        "bad-outputs",
                        f"asked about {rows:,} rows, the model gives {name!r} of the shape"
                        f" {list(array.shape)}",
                    )
        return found


@contextmanager
def rows_named(batch: Batch) -> Iterator[None]:
    """Errors say which rows can't be taken."""
    try:
        yield
    except InvalidInput as error:
        end = batch.start + batch.rows - 1
        raise InvalidInput(
            error.kind, f"rows {batch.start:,} to {end:,}: {error.message}", hint=error.hint
        ) from None


@contextmanager
def local_workers(
    desk: Desk,
    model: str,
    revision: str | int | None,
    *,
    trusted: Any = None,
    workers: int | None = None,
    memory: int | None = None,
    placement: str = "auto",
    as_served: bool = False,
) -> Iterator[Answering]:
    """Load a version once for each core; ONNX once, for all threads.

    Args:
        trusted: What its files may import, as `Yard.load` has it.
        workers: How many at once; as many as there are cores if None.
        memory: Bytes that a worker's process may take.
        as_served: Graphs for single rows take tensors, as with a server, and no rows.

    Raises:
        Denied: `untrusted`, naming what loading would run.
        Unavailable: `self-test`: it loads, and can't answer.
    """
    from modelyard.serving.loading import open_wanted

    if workers is not None and not 1 <= workers <= 256:
        raise InvalidInput("bad-workers", f"{workers} workers", hint="1 to 256")
    count = workers or os.cpu_count() or 1
    found = desk.contents(model, revision)
    limits = {} if memory is None else {"memory": memory}
    wanted = Wanted(
        found.model.name, found.version.number, found.version.commit_id.hex(),
        placement=placement, trusted=_names(trusted), replicas=count, **limits,
    )  # fmt: skip
    opened = open_wanted(desk, wanted)
    try:
        runtimes = opened.runtimes if as_served else tuple(map(by_rows, opened.runtimes))
        shared = runtimes[0].pid is None
        threads = count if not shared or runtimes[0].parallel else 1
        yield Answering(_served(opened, runtimes[0], wanted), runtimes, threads)
    finally:
        opened.close()


def _served(opened: Opened, runtime: TensorRuntime, wanted: Wanted) -> Served:
    return Served(
        model=opened.model, number=opened.number, commit=opened.commit,
        framework=runtime.framework, platform=runtime.platform, inputs=runtime.inputs,
        outputs=runtime.outputs, rows=runtime.rows, columns=runtime.columns,
        executor=Inline(runtime, Pace(0.0, wanted.queue_rows, 1), most=1),
        memory=opened.memory, example=opened.tried.example,
        classes=getattr(runtime, "classes", None),
    )  # fmt: skip


def _names(trusted: Any) -> tuple[str, ...]:
    trust = Trust.of(trusted)
    return ("*",) if trust.everything else tuple(sorted(trust.names))
