"""Comparisons of two versions, kept while they are looked at: what a commit holds never changes.

They are kept in this process alone, by the two commits. A long one runs as a job, which any process
of the yard can be asked about, and whose result each then keeps too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelyard.core.decoding import converted
from modelyard.core.recent import Recent
from modelyard.core.wire import encode, error_of
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
_ROOM = 100_000
"""Tensors, files and lines of all comparisons that are kept."""
_LEAST = 500
"""What a comparison counts for, however small it is."""
_KEPT = 200
_SECONDS = 0.4
"""A page waits so long for what may be done soon, and shows progress after."""

Pair = tuple[str, str]


class Comparisons:
    """What was found, the least looked at first to go."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._found: Recent[Pair, Compared] = Recent(_ROOM, _weight)
        self._running: Recent[tuple[Pair, int | None], str] = Recent(_KEPT)
        self._tensors: Recent[tuple[str, str, str, str], TensorDifference] = Recent(_KEPT)

    def get(
        self, ask: Ask, old: VersionInfo, new: VersionInfo, job: str | None = None
    ) -> Compared | Job:
        """The comparison, or the job that makes it.

        Args:
            old: Both may be read by the caller: that was looked at before.
            job: One that was begun before, here or in another process. If it failed, what it
                failed with is raised: who waits for it is not to wait for ever.
        """
        pair = old.commit, new.commit
        found = self._found.get(pair)
        if found is not None:
            return found
        begun = job or self._running.get((pair, ask.caller.id))
        told = None if begun is None else self._told(ask, begun, pair)
        if isinstance(told, Job) and told.state == "failed":
            if job is not None:
                raise error_of(encode(told.problem), 500)
            told = None
        return self._begin(ask, old, new) if told is None else told

    def tensor(
        self, ask: Ask, old: VersionInfo, new: VersionInfo, name: str, file: str
    ) -> TensorDifference:
        """One tensor of both. NotFound: `no-tensor`."""
        key = old.commit, new.commit, name, file
        found = self._tensors.get(key)
        if found is None:
            found = difference_of(ask.house, old.title, new.title, name, file)
            self._tensors.put(key, found)
        return found

    def _told(self, ask: Ask, key: str, pair: Pair) -> Compared | Job | None:
        """What became of a job; None if it is not one of this pair, or nobody works at it."""
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
            self._found.put(pair, made)
            return made
        return None if job.state == "lost" else job

    def _begin(self, ask: Ask, old: VersionInfo, new: VersionInfo) -> Compared | Job:
        house, pair = ask.house, (old.commit, new.commit)

        def work(report: Any) -> Compared:
            made = compared(house, old.title, new.title, MOST_TENSORS, report)
            self._found.put(made.commits, made)
            return made

        models = sorted({old.model, new.model})
        value = self._jobs.run(ask, _KIND, models, work, seconds=_SECONDS).value
        if isinstance(value, Job):
            self._running.put((pair, ask.caller.id), value.id)
        assert isinstance(value, Compared | Job)
        return value


def _weight(made: Compared) -> int:
    diff = made.diff
    return max(_LEAST, len(made.tensors) + len(diff.tensors) + len(diff.files) + len(made.card))
