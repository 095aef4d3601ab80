"""Work that takes longer than a request may: jobs, which another server can be asked about too.

A caller says how long it waits: `Prefer: respond-async, wait=SECONDS`. What is done by then is
answered at once and leaves no trace; what is not gets a row, and an id to ask for.
"""

from __future__ import annotations

import logging
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from concurrent.futures import wait as wait_for
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, cast

import msgspec

from modelyard.catalog.queries import jobs as rows
from modelyard.catalog.queries.jobs import JobRow
from modelyard.core.version import Progress
from modelyard.core.wire import Problem, encode, problem_of
from modelyard.errors import ModelyardError, NotFound, Unavailable
from modelyard.server.sse import Event

if TYPE_CHECKING:
    from modelyard.core.access import Caller
    from modelyard.registry.house import House
    from modelyard.server.routing import Answer
    from modelyard.server.state import Ask

__all__ = ["Job", "Jobs"]

_log = logging.getLogger("modelyard.server")

Report = Callable[[Progress], None]
State = Literal["waiting", "running", "done", "failed", "lost"]

_OFTEN = 0.2
"""Seconds between two rows of progress."""
_BEAT = 5.0
"""Seconds between signs of life."""
_DEAD = 30_000_000
"""Microseconds without one, after which a job's server is held for dead."""
_KEPT = 7 * 86_400_000_000
_PATIENCE = 20.0
"""Seconds that a caller waits who says nothing else."""
_MOST = 50.0
_WAIT = re.compile(r"\bwait=(\d{1,4}(?:\.\d{1,3})?)\b")


@dataclass(frozen=True, slots=True)
class Job:
    """Long work, as its caller sees it."""

    id: str
    kind: str
    models: tuple[str, ...]
    state: State
    progress: Progress | None
    created: datetime
    changed: datetime
    result: Any = None
    """What the request would have answered, once it is done."""
    problem: Any = None
    """Why it failed."""


class _Running:
    """A job of this process."""

    def __init__(self, caller: Caller, kind: str, models: Sequence[str]) -> None:
        self.id = secrets.token_hex(16)
        self.account = caller.id
        self.kind = kind
        self.models = " ".join(models)
        self.state: State = "waiting"
        self.progress = Progress("wait", 0, None)
        self.result: bytes | None = None
        self.kept = False
        """Whether it has a row."""
        self.written = 0.0
        self.lock = threading.Lock()
        self.future: Future[Any]

    def row(self, created: int, changed: int) -> JobRow:
        p = self.progress
        return JobRow(
            self.id, self.account, self.kind, self.models, self.state, p.phase[:40], p.done,
            p.total, self.result, created, changed,
        )  # fmt: skip


class Jobs:
    """The jobs of one process, and questions about those of all."""

    def __init__(self, house: House, at_once: int, stop_seconds: float = 30.0) -> None:
        self._house = house
        self._pool = ThreadPoolExecutor(at_once, "job")
        self._running: dict[str, _Running] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._stop_seconds = stop_seconds
        self._beating: threading.Thread | None = None

    def start(self) -> None:
        """Give signs of life from now on."""
        self._beating = threading.Thread(target=self._beat, name="job-beat", daemon=True)
        self._beating.start()

    def stop(self) -> None:
        """Take no more; let those that run end; what does not end in time is lost."""
        self._stopping.set()
        with self._lock:
            left = list(self._running.values())
        wait_for([job.future for job in left], self._stop_seconds)
        keys = [job.id for job in left if job.kept and not job.future.done()]
        if keys:
            house = self._house
            house.catalog.write(lambda c: rows.lose(c, 0, house.catalog.now(c), keys))
        self._pool.shutdown(wait=False, cancel_futures=True)
        if self._beating is not None:
            self._beating.join()

    @property
    def active(self) -> int:
        return len(self._running)

    def run(
        self,
        ask: Ask,
        kind: str,
        models: Sequence[str],
        work: Callable[[Report], Any],
        *,
        seconds: float | None = None,
    ) -> Answer:
        """What the work gives if it is done in time, else 202 with a job.

        Args:
            seconds: So long it is waited for; if None, as long as the request wishes.

        Raises what the work raises in that time. Unavailable: `not-ready` while the server stops.
        """
        from modelyard.server.routing import Answer

        if self._stopping.is_set():
            raise Unavailable("not-ready", "the server stops", hint="try again in a moment")
        job = _Running(ask.caller, kind, models)
        with self._lock:
            self._running[job.id] = job
        job.future = self._pool.submit(self._work, job, work)
        try:
            return _answer(job.future.result(_patience(ask) if seconds is None else seconds))
        except NotYet:
            if job.future.done():
                return _answer(job.future.result())
        self._keep(job)
        where = f"{ask.server.settings.prefix}/api/v1/jobs/{job.id}"
        return Answer(self.show(job.id, ask.caller), 202, {"location": where})

    def show(self, key: str, caller: Caller) -> Job:
        """A job of the caller's, about what they may read now, or any for an admin.

        NotFound: `no-job`.
        """
        with self._house.catalog.fresh() as connection:
            row = rows.get(connection, key)
            now = self._house.catalog.now(connection)
        if row is None or not _may_see(row, caller):
            raise NotFound("no-job", "there is no such job", hint="jobs are kept for 7 days")
        return _job(row, now)

    def newest(self, caller: Caller, limit: int = 100) -> list[Job]:
        """The caller's newest jobs; of all accounts for an admin."""
        account = None if caller.may("*", "admin") else caller.id
        with self._house.catalog.fresh() as connection:
            now = self._house.catalog.now(connection)
            found = rows.newest(connection, account, limit)
        return [_job(row, now) for row in found if _may_see(row, caller)]

    def events(self, key: str, caller: Caller) -> Iterator[list[Event] | None]:
        """A source for `event_stream`: progress, and at the end `done` or `failed`."""
        seen: Progress | None = None
        while True:
            job = self.show(key, caller)
            if job.state == "done":
                yield [Event("done", job.result)]
                return
            if job.state in ("failed", "lost"):
                yield [Event("failed", job.problem)]
                return
            yield [Event("progress", job.progress)] if job.progress != seen else []
            seen = job.progress

    # -- in the job's thread -----------------------------------------------------------------------

    def _work(self, job: _Running, work: Callable[[Report], Any]) -> Any:
        def report(progress: Progress) -> None:
            job.progress = progress
            now = time.monotonic()
            if job.kept and now - job.written >= _OFTEN:
                job.written = now
                self._write(job)

        job.state = "running"
        try:
            result = work(report)
            job.result = encode(_plain(result))
            job.state = "done"
            return result
        except BaseException as error:
            job.result = encode(_problem(error))
            job.state = "failed"
            raise
        finally:
            with job.lock:
                kept = job.kept
            if kept:
                self._write(job)
            with self._lock:
                self._running.pop(job.id, None)

    def _keep(self, job: _Running) -> None:
        """Give it a row, from which all servers know of it."""

        def work(connection: Any) -> None:
            now = self._house.catalog.now(connection)
            rows.drop_old(connection, now - _KEPT)
            rows.add(connection, job.row(now, now))

        with job.lock:  # an end that comes now writes after this
            self._house.catalog.write(work)
            job.kept = True
        if job.future.done():
            self._write(job)

    def _write(self, job: _Running) -> None:
        def work(connection: Any) -> None:
            known = rows.get(connection, job.id)
            if known is not None:
                now = self._house.catalog.now(connection)
                rows.update(connection, job.row(known.created, now))

        self._house.catalog.write(work)

    def _beat(self) -> None:
        while not self._stopping.wait(_BEAT):
            with self._lock:
                kept = [job for job in self._running.values() if job.kept]
            try:
                for job in kept:
                    self._write(job)
                if kept:
                    self._lose_dead()
            except ModelyardError as error:  # the catalog is away: the next beat tries again
                _log.warning("no sign of life of jobs: %s", error)

    def _lose_dead(self) -> None:
        def work(connection: Any) -> None:
            now = self._house.catalog.now(connection)
            rows.lose(connection, now - _DEAD, now)

        self._house.catalog.write(work)


def _may_see(row: JobRow, caller: Caller) -> bool:
    """Results tell of models, of which a role, or the token that is shown, may be no more."""
    if caller.may("*", "admin"):
        return True
    own = row.account_id == caller.id
    return own and all(caller.may(model, "reader") for model in row.models.split())


def _patience(ask: Ask) -> float:
    prefer = ask.request.headers.get("prefer", "")
    found = _WAIT.search(prefer)
    if found is not None:
        return min(float(found[1]), _MOST)
    return 0.0 if "respond-async" in prefer else min(_PATIENCE, ask.server.settings.seconds / 2)


def _answer(result: Any) -> Answer:
    from modelyard.server.routing import Answer

    return result if isinstance(result, Answer) else Answer(result)


def _plain(result: Any) -> Any:
    from modelyard.server.routing import Answer

    return result.value if isinstance(result, Answer) else result


def _problem(error: BaseException) -> Problem:
    if isinstance(error, ModelyardError):
        return problem_of(error)
    _log.error("a job failed", exc_info=error)
    return Problem(
        title="Unavailable", status=500, kind="internal",
        detail="this should not have happened; the server's log tells more",
    )  # fmt: skip


def _job(row: JobRow, now: int) -> Job:
    state = cast("State", row.state)
    if state in ("waiting", "running") and row.changed < now - _DEAD:
        state = "lost"
    told = msgspec.json.decode(row.result) if row.result else None
    if state == "lost":
        told = problem_of(
            Unavailable("job-lost", "its server ended before it did", hint="begin it again")
        )
    return Job(
        id=row.id, kind=row.kind, models=tuple(row.models.split()), state=state,
        progress=Progress(row.phase, row.done, row.total) if row.phase else None,
        created=_moment(row.created), changed=_moment(row.changed),
        result=told if state == "done" else None,
        problem=told if state in ("failed", "lost") else None,
    )  # fmt: skip


def _moment(microseconds: int) -> datetime:
    return datetime.fromtimestamp(microseconds / 1_000_000, UTC)
