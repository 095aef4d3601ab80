"""`replay`: what an optimization published, made again from its recipe, and compared bit by bit."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelyard.core.trust import Trust
from modelyard.errors import Conflict, InvalidInput, NotFound
from modelyard.optimization.baselines import learned_from_all, steps_of
from modelyard.optimization.engines import engine_named
from modelyard.optimization.engines.refusing import Refusing
from modelyard.optimization.preparing import prepared
from modelyard.optimization.workplace import passing_workplace

if TYPE_CHECKING:
    from collections.abc import Iterable

    from modelyard.core.optimization import Candidate, Optimization
    from modelyard.core.trust import TrustAll
    from modelyard.optimization.engines.interface import Engine
    from modelyard.optimization.running import WorkingYard

__all__ = ["Replayed", "replay"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What was made again."""

    optimization: Optimization
    trial: int
    version: int
    """That was made by it."""
    before: str
    """SHA-256 over paths and digests of the files that were published."""
    after: str
    """The same of what was made now; equal if the libraries are the same, bit for bit."""
    seconds: float

    @property
    def same(self) -> bool:
        """Whether it is the same, bit for bit."""
        return self.before == self.after


def replay(
    yard: WorkingYard,
    id: int,
    *,
    version: int | None = None,
    engine: str | Engine = "local",
    trusted: Iterable[str] | TrustAll | None = None,
) -> Replayed:
    """Run the passes of a published version again, with the parameters that were found.

    Args:
        version: One of those that it published; the chosen one if None.

    Raises:
        NotFound: `no-optimization`; `no-candidate`: it has published no such version.
        InvalidInput: `other-data`; `replay-failed`. Denied: `untrusted`.
    """
    begun = time.monotonic()
    found = yard.optimizations.get(id)
    if found.state == "running":
        raise Conflict("optimization-runs", f"optimization {id} is still at work",
                       hint=f"yard optimizations {id} --follow")  # fmt: skip
    candidate = _candidate(found, version)
    [trial] = [each for each in yard.optimizations.trials(id) if each.number == candidate.trial]
    with passing_workplace(yard.url, found) as place:
        work = prepared(yard.desk, found, place, Trust.of(trusted))
        with closing(engine_named(engine)) as running:
            result = learned_from_all(
                work, Refusing(running), steps_of(trial), trial.number, whole=work.relearns
            )
    if result.state != "done":
        raise InvalidInput("replay-failed", f"it could not be made again: {result.reason}")
    assert candidate.version is not None
    return Replayed(
        optimization=found, trial=trial.number, version=candidate.version,
        before=candidate.digest, after=result.digest, seconds=round(time.monotonic() - begun, 3),
    )  # fmt: skip


def _candidate(found: Optimization, version: int | None) -> Candidate:
    for each in found.candidates:
        if each.version is not None and (
            each.chosen if version is None else each.version == version
        ):
            return each
    wanted = "anything" if version is None else f"version {version}"
    raise NotFound("no-candidate", f"optimization {found.id} has not published {wanted}",
                   hint=f"yard optimizations {found.id} shows what came of it")  # fmt: skip
