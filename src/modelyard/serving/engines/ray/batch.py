"""Batch inference on Ray: actors that load the version, fed batch by batch.

Batches keep their edges and their order, so that a run that was killed on one machine goes on the
same on another. Ray Data cuts its own blocks and can't be fed by a stream, so actors are asked
directly: a batch whose actor died is computed again by the next.
"""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from modelyard.core.extras import need
from modelyard.errors import InvalidInput, ModelyardError, Unavailable
from modelyard.serving.batch.workers import local_workers, rows_named
from modelyard.serving.engines.ray.cluster import Cluster
from modelyard.serving.engines.ray.replica import Loaded, bare
from modelyard.serving.interface import Served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from modelyard.serving.batch.workers import Answering, Batch
    from modelyard.serving.engines.ray.replica import HasDesk
    from modelyard.serving.engines.ray_settings import RaySettings
    from modelyard.serving.interface import Executor, Feeds, Outputs

__all__ = ["RayWorkers", "ray_workers"]

_AHEAD = 2
"""Batches that wait for each actor, so that none is ever idle."""


class Actor:
    """What Ray makes an actor of: one loaded version, asked for one batch after the other."""

    def __init__(
        self,
        open_yard: Callable[[], HasDesk],
        model: str,
        revision: str | int | None,
        trusted: Any,
        memory: int | None,
    ) -> None:
        with open_yard() as yard:
            # it stays as long as the process: Ray ends it, and the worker's own child with it
            self._opened = local_workers(
                yard.desk, model, revision, trusted=trusted, workers=1, memory=memory
            )
            self._refusal: ModelyardError | None = None
            try:
                self._answering: Answering = self._opened.__enter__()
            except ModelyardError as error:
                self._refusal = bare(error)

    def about(self) -> tuple[str, int, str, Loaded] | ModelyardError:
        """What it loaded, or why it can't."""
        if self._refusal is not None:
            return self._refusal
        served = self._answering.served
        loaded = Loaded(
            framework=served.framework, platform=served.platform, inputs=served.inputs,
            outputs=served.outputs, rows=served.rows, columns=served.columns,
            memory=served.memory, example=served.example, classes=served.classes, note=None,
            mode="batch",
        )  # fmt: skip
        return served.model, served.number, served.commit, loaded

    def answer(self, feeds: Feeds, rows: int) -> Outputs | ModelyardError:
        """Predict a batch."""
        try:
            return self._answering.ask(self._answering.runtimes[0], dict(feeds), rows)
        except ModelyardError as error:
            return bare(error)

    def close(self) -> None:
        """Free the version, its files and its process."""
        if self._refusal is None:
            self._opened.__exit__(None, None, None)


@dataclass(frozen=True, slots=True)
class RayWorkers:
    """`batch.Workers` over actors."""

    served: Served
    actors: tuple[Any, ...]

    @property
    def count(self) -> int:
        return len(self.actors)

    def answers(self, batches: Iterable[Batch]) -> Iterator[tuple[Batch, Outputs]]:
        """As `Workers.answers`."""
        coming: deque[tuple[Batch, Any]] = deque()
        for place, batch in enumerate(batches):
            feeds, rows = batch.feeds()
            actor = self.actors[place % self.count]
            coming.append((batch, actor.answer.remote(dict(feeds), rows)))
            if len(coming) > self.count * _AHEAD:
                yield _got(*coming.popleft())
        while coming:
            yield _got(*coming.popleft())


@contextmanager
def ray_workers(
    place: str,
    model: str,
    revision: str | int | None,
    *,
    settings: RaySettings,
    trusted: Any = None,
    workers: int | None = None,
    memory: int | None = None,
) -> Iterator[RayWorkers]:
    """Load a version in actors of a cluster.

    Args:
        place: The yard, a folder or a server's URL; unless the settings say how actors reach it.
        workers: How many actors; as many as the cluster has cores if None.

    Raises:
        Denied: `untrusted`. Unsupported: `no-extra`, `no-framework`. Unavailable: `no-ray`.
    """
    if workers is not None and not 1 <= workers <= 256:
        raise InvalidInput("bad-workers", f"{workers} workers", hint="1 to 256")
    open_yard = settings.open_yard(place)
    cluster = Cluster(settings)
    cluster.connect(serve=False)
    actors: list[Any] = []
    try:
        ray: Any = need("ray", "ray")
        count = workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
        make = ray.remote(num_cpus=settings.cpus_of(1), max_restarts=3, max_task_retries=3)(Actor)
        first = make.remote(open_yard, model, revision, trusted, memory)
        actors.append(first)
        told = _get(first.about.remote())
        if isinstance(told, ModelyardError):
            raise told
        name, number, commit, loaded = told
        actors += [make.remote(open_yard, name, commit, trusted, memory) for _ in range(count - 1)]
        served = Served(
            model=name, number=number, commit=commit, framework=loaded.framework,
            platform=loaded.platform, inputs=loaded.inputs, outputs=loaded.outputs,
            rows=loaded.rows, columns=loaded.columns, memory=loaded.memory,
            example=loaded.example, classes=loaded.classes,
            executor=cast("Executor", None),  # batches go by `answers` alone
        )  # fmt: skip
        yield RayWorkers(served, tuple(actors))
    finally:
        try:
            for closing in [actor.close.remote() for actor in actors]:
                need("ray", "ray").get(closing, timeout=10)
        except Exception:
            pass
        cluster.disconnect()


def _got(batch: Batch, reference: Any) -> tuple[Batch, Outputs]:
    found = _get(reference)
    if isinstance(found, ModelyardError):
        with rows_named(batch):
            raise found
    return batch, found


def _get(reference: Any) -> Any:
    """What an actor gave. Unavailable: `model-died`."""
    rays: Any = need("ray.exceptions", "ray")
    try:
        return need("ray", "ray").get(reference)
    except rays.RayTaskError as error:
        cause = error.as_instanceof_cause()
        if isinstance(cause, ModelyardError):
            raise bare(cause) from None
        raise Unavailable("model-failed", f"an actor failed: {type(cause).__name__}") from None
    except rays.RayError as error:
        raise Unavailable(
            "model-died", f"actors ended again and again: {type(error).__name__}",
            hint="--resume goes on; ray logs tells more",
        ) from None  # fmt: skip
