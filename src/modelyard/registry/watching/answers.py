"""Answers in the catalog that wait for their truth, and truths that wait for their answers.

What is in an answer's body only `monitoring` knows; here it is bytes. Whoever marks answers as
joined does so while nobody else writes, together with what that adds to tiles: so a truth counts
once, however many servers are told of it and however often.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final, TypeVar

from modelyard.catalog.queries import watch_answers
from modelyard.catalog.queries.watch_answers import AnswerRow, Head, WaitingRow

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    import sqlalchemy as sa

    from modelyard.registry.house import House

__all__ = [
    "KEPT", "LARGEST", "WAITS", "AnswerRow", "Head", "WaitingRow", "bodies", "deployments_of",
    "gather", "heads", "join", "keep_answers", "let_go", "waiting",
]  # fmt: skip

T = TypeVar("T")

KEPT: Final = 31 * 86_400
"""Seconds for which answers are kept: a day more than they are joined, to tell what is late."""
LARGEST: Final = 256 << 20
"""Bytes of a deployment's answers; the oldest go first."""
WAITS: Final = 3600
"""Seconds for which a truth waits for its answer."""
_WHOLE: Final = 50_000
"""Rows of a segment that is large enough."""
_SMALL: Final = 16
"""Segments of a version that are small: so many become one."""
_SETTLED: Final = 60
"""Seconds after which nobody adds to a span of time any more."""


def keep_answers(
    house: House, deployment_id: int, model_id: int, number: int,
    segments: Sequence[tuple[bytes, int, int, int]],
) -> None:  # fmt: skip
    """Keep answers of a version: all of these or none, and once if they are sent again.

    Args:
        segments: Body, first and last second since 1970, and rows of each.
    """
    made = [
        AnswerRow(deployment_id, model_id, number, first, last, rows, len(body), body, b"")
        for body, first, last, rows in segments
    ]

    def work(connection: sa.Connection) -> None:
        for row in made:
            if not watch_answers.is_there(connection, row):
                watch_answers.add(connection, row)

    if made:
        house.catalog.write_soft(work)


def heads(house: House, deployment_id: int, since: float = 0) -> list[Head]:
    """What there is whose last answer is no older; newest first."""
    with house.catalog.fresh() as connection:
        return watch_answers.heads(connection, deployment_id, int(since))


def bodies(house: House, keys: Collection[int]) -> dict[int, bytes]:
    """By id; those that are gone are left out."""
    with house.catalog.fresh() as connection:
        return watch_answers.bodies(connection, keys)


def waiting(house: House, deployment_id: int) -> list[WaitingRow]:
    """Truths whose answers are not known, oldest first."""
    with house.catalog.fresh() as connection:
        return watch_answers.waiting(connection, deployment_id)


def deployments_of(house: House, *, waiting: bool = False) -> list[int]:
    """Ids of deployments that have answers, or truths that wait."""
    with house.catalog.fresh() as connection:
        if waiting:
            return watch_answers.waiting_of(connection)
        return watch_answers.kept_of(connection)


def join(house: House, work: Callable[[sa.Connection], T]) -> T:
    """Run `work`, which marks answers as joined, while nobody else writes."""
    return house.catalog.write_alone(work)


def gather(
    house: House,
    deployment_id: int,
    now: float,
    merge: Callable[[Sequence[tuple[bytes, bytes]]], Sequence[tuple[list[int], bytes, bytes]]],
) -> int:
    """Make large segments of many small ones; gives how many went.

    Args:
        merge: Of bodies and what is joined in them, oldest first: segments, with the places of
            those that each is made of.
    """
    settled = int(now) - _SETTLED
    found = [head for head in heads(house, deployment_id) if head.last < settled]
    found.sort(key=lambda head: (head.model_id, head.number, head.last, head.id))
    gone = 0
    for _, group in groupby(found, key=lambda head: (head.model_id, head.number)):
        for some in _together([head for head in group if head.rows < _WHOLE]):
            gone += join(house, lambda connection, some=some: _gathered(  # type: ignore[misc]
                connection, deployment_id, some, merge))  # fmt: skip
    return gone


def _together(small: Sequence[Head]) -> list[list[Head]]:
    """Neighbours that are large enough together, and what is left if that is many."""
    groups: list[list[Head]] = [[]]
    for head in small:
        groups[-1].append(head)
        if sum(each.rows for each in groups[-1]) >= _WHOLE:
            groups.append([])
    return [group for group in groups[:-1] if len(group) > 1] + [
        group for group in groups[-1:] if len(group) >= _SMALL
    ]


def _gathered(
    connection: sa.Connection,
    deployment_id: int,
    some: Sequence[Head],
    merge: Callable[[Sequence[tuple[bytes, bytes]]], Sequence[tuple[list[int], bytes, bytes]]],
) -> int:
    keys = [head.id for head in some]
    there = watch_answers.bodies(connection, keys)
    known = watch_answers.joined(connection, keys)
    if len(there) < len(keys):  # another server did it
        return 0
    made = merge([(there[key], known[key]) for key in keys])
    if len(made) >= len(keys):
        return 0
    for places, body, joined in made:
        of = [some[place] for place in places]
        row = AnswerRow(
            deployment_id, of[0].model_id, of[0].number, min(head.first for head in of),
            max(head.last for head in of), sum(head.rows for head in of), len(body), body, joined,
        )  # fmt: skip
        watch_answers.add(connection, row)
    watch_answers.drop(connection, keys)
    return len(keys) - len(made)


def let_go(house: House, deployment_id: int, now: float) -> int:
    """Forget answers that are too old, or the oldest if they are too many; gives how many went."""
    size, old = 0, []
    for head in heads(house, deployment_id):
        size += head.size
        if head.last < now - KEPT or size > LARGEST:
            old.append(head.id)
    if old:
        house.catalog.write_soft(lambda connection: watch_answers.drop(connection, old))
    return len(old)
