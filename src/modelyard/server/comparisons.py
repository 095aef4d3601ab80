"""Comparisons of two versions, kept while they are looked at: what a commit holds never changes.

They are kept in this process alone, by the two commits. A long one runs as a job, which any process
of the yard can be asked about, and whose result each then keeps too.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from modelyard.core.decoding import converted
from modelyard.registry.compare import Compared, compared
from modelyard.registry.tensor_difference import TensorDifference, difference_of
from modelyard.server.jobs import Job

if TYPE_CHECKING:
    from modelyard.core.version import VersionInfo
    from modelyard.server.jobs import Jobs
    from modelyard.server.state import Ask

__all__ = ["MOST_TENSORS", "Comparisons"]

MOST_TENSORS = 5000
"""Of one comparison; those that changed less are left out."""
_KIND = "compare"
_KEPT_TENSORS = 100_000
_KEPT = 200
_SECONDS = 0.4
"""A page waits so long for what may be done soon, and shows progress after."""

Pair = tuple[str, str]


class Comparisons:
    """What was found, the least looked at first to go."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._found: OrderedDict[Pair, Compared] = OrderedDict()
        self._running: OrderedDict[tuple[Pair, int | None], str] = OrderedDict()
        self._tensors: OrderedDict[tuple[str, str, str, str], TensorDifference] = OrderedDict()
        self._lock = threading.Lock()

    def get(
        self, ask: Ask, old: VersionInfo, new: VersionInfo, job: str | None = None
    ) -> Compared | Job:
        """The comparison, or the job that makes it.

        Args:
            old: Both may be read by the caller: that was looked at before.
            job: One that was begun before, here or in another process.
        """
        pair = old.commit, new.commit
        with self._lock:
            found = self._found.get(pair)
            if found is not None:
                self._found.move_to_end(pair)
                return found
            job = job or self._running.get((pair, ask.caller.id))
        if job is not None:
            told = self._told(ask, job, pair)
            if told is not None:
                return told
        return self._begin(ask, old, new)

    def tensor(
        self, ask: Ask, old: VersionInfo, new: VersionInfo, name: str, file: str
    ) -> TensorDifference:
        """One tensor of both. NotFound: `no-tensor`."""
        key = old.commit, new.commit, name, file
        with self._lock:
            found = self._tensors.get(key)
        if found is None:
            found = difference_of(ask.house, old.title, new.title, name, file)
            with self._lock:
                self._tensors[key] = found
                while len(self._tensors) > _KEPT:
                    self._tensors.popitem(last=False)
        return found

    def _told(self, ask: Ask, key: str, pair: Pair) -> Compared | Job | None:
        """What became of a job; None if it is not one of this pair, or came to nothing."""
        from modelyard.errors import NotFound

        try:
            job = self._jobs.show(key, ask.caller)
        except NotFound:
            return None
        if job.kind != _KIND:
            return None
        if job.state == "done":
            made = converted(job.result, Compared)
            if made.commits != pair:
                return None
            self._keep(made)
            return made
        return job if job.state in ("waiting", "running") else None

    def _begin(self, ask: Ask, old: VersionInfo, new: VersionInfo) -> Compared | Job:
        house, pair = ask.house, (old.commit, new.commit)

        def work(report: Any) -> Compared:
            made = compared(house, old.title, new.title, MOST_TENSORS, report)
            self._keep(made)
            return made

        models = sorted({old.model, new.model})
        value = self._jobs.run(ask, _KIND, models, work, seconds=_SECONDS).value
        if isinstance(value, Job):
            with self._lock:
                self._running[pair, ask.caller.id] = value.id
                while len(self._running) > _KEPT:
                    self._running.popitem(last=False)
        assert isinstance(value, Compared | Job)
        return value

    def _keep(self, made: Compared) -> None:
        with self._lock:
            self._found[made.commits] = made
            self._found.move_to_end(made.commits)
            while len(self._found) > _KEPT or (
                len(self._found) > 1
                and sum(len(each.tensors) for each in self._found.values()) > _KEPT_TENSORS
            ):
                self._found.popitem(last=False)
