"""Many at once: everything that was acknowledged is there, everything else said so."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING

import numpy as np

from modelyard.errors import Conflict
from modelyard.testing.yard.case import Desk, YardCase

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelyard.core.version import Committed
    from modelyard.core.yard import Yard

__all__ = ["CrowdTests", "content_of"]

WORKERS = 8
EACH = 4


def content_of(worker: int, turn: int) -> bytes:
    """Bytes that tell who committed them, partly shared by all."""
    own = np.random.default_rng((worker, turn)).bytes(40_000)
    return b"shared by all " * 5000 + own


def together(work: Callable[[int], list[Committed]], workers: int = WORKERS) -> list[Committed]:
    """Run `work(0)`, `work(1)`, ... at the same moment."""
    start = Barrier(workers)

    def run(worker: int) -> list[Committed]:
        start.wait(timeout=30)
        return work(worker)

    with ThreadPoolExecutor(workers) as pool:
        return [done for dones in pool.map(run, range(workers)) for done in dones]


class CrowdTests(YardCase):
    def test_commits_to_one_branch_are_all_there_or_say_so(self, yard: Yard, desk: Desk) -> None:
        contents: dict[int, bytes] = {}
        refusals: list[str] = []

        def work(worker: int) -> list[Committed]:
            acknowledged = []
            for turn in range(EACH):
                content = content_of(worker, turn)
                try:
                    done = desk.commit(content)
                except Conflict as error:
                    refusals.append(error.kind)
                    continue
                contents[done.number] = content
                acknowledged.append(done)
            return acknowledged

        acknowledged = together(work)
        assert set(refusals) <= {"branch-moved"}
        assert len(acknowledged) + len(refusals) == WORKERS * EACH
        numbers = sorted(done.number for done in acknowledged)
        assert numbers
        assert len(set(numbers)) == len(numbers), "no number is given twice"
        assert desk.numbers(revision="main") == sorted(numbers, reverse=True), "none is lost"
        for number, content in contents.items():
            assert desk.read(number) == {"model.bin": content}

    def test_commits_from_one_parent_let_one_through(self, yard: Yard, desk: Desk) -> None:
        desk.commit(b"base")
        refusals: list[str] = []

        def work(worker: int) -> list[Committed]:
            try:
                return [desk.commit(content_of(worker, 0), parent=1)]
            except Conflict as error:
                refusals.append(error.kind)
                return []

        (winner,) = together(work)
        assert refusals == ["branch-moved"] * (WORKERS - 1)
        assert desk.refs() == {"main": ("branch", winner.number)}
        assert yard.resolve("m", "main").parents == (1,)

    def test_commits_to_different_models_do_not_meet(self, yard: Yard, desk: Desk) -> None:
        def work(worker: int) -> list[Committed]:
            return [
                desk.commit(content_of(worker, turn), f"m{worker}", branch="dev")
                for turn in range(EACH)
            ]

        together(work)
        for worker in range(WORKERS):
            assert desk.numbers(f"m{worker}") == [4, 3, 2, 1]
            for turn in range(EACH):
                expected = {"model.bin": content_of(worker, turn)}
                assert desk.read(turn + 1, f"m{worker}") == expected

    def test_the_same_content_from_all_is_stored_once(self, yard: Yard, desk: Desk) -> None:
        content = np.random.default_rng(1).bytes(1_000_000)
        together(lambda worker: [desk.commit(content, f"m{worker}")])
        stats = yard.stats()
        assert stats.versions == WORKERS
        assert stats.unique <= 1_050_000
        for worker in range(WORKERS):
            assert desk.read(model=f"m{worker}") == {"model.bin": content}

    def test_one_tag_is_made_once(self, yard: Yard, desk: Desk) -> None:
        dones = [desk.commit(b"%d" % number) for number in range(WORKERS)]
        refusals: list[str] = []

        def work(worker: int) -> list[Committed]:
            try:
                yard.tag("m", "v1", worker + 1)
            except Conflict as error:
                refusals.append(error.kind)
                return []
            return [dones[worker]]

        (winner,) = together(work)
        assert refusals == ["ref-exists"] * (WORKERS - 1)
        assert yard.resolve("m", "v1").number == winner.number

    def test_aliases_moved_by_many_leave_a_gapless_reflog(self, yard: Yard, desk: Desk) -> None:
        for number in range(WORKERS):
            desk.commit(b"%d" % number)

        def work(worker: int) -> list[Committed]:
            yard.alias("m", "champion", worker + 1)
            return []

        together(work)
        moves = list(yard.reflog("m", "champion"))[::-1]
        assert [move.old for move in moves] == [None, *(move.new for move in moves[:-1])]
        assert moves[-1].new == yard.resolve("m", "champion").number

    def test_readers_never_see_half_a_version(self, yard: Yard, desk: Desk) -> None:
        desk.commit({"a.bin": b"0" * 90_000, "b.bin": b"0" * 90_000})

        def work(worker: int) -> list[Committed]:
            if worker == 0:
                sides = [b"%d" % n * 90_000 for n in range(1, 9)]
                return [desk.commit({"a.bin": side, "b.bin": side}) for side in sides]
            for _ in range(6):
                files = desk.read("main")
                assert files["a.bin"] == files["b.bin"]
            return []

        assert len(together(work, workers=3)) == 8

    def test_gc_beside_commits_takes_nothing_that_is_needed(self, yard: Yard, desk: Desk) -> None:
        def work(worker: int) -> list[Committed]:
            if worker == 0:
                for _ in range(4):
                    yard.gc()
                return []
            return [desk.commit(content_of(worker, t), f"m{worker}") for t in range(EACH)]

        for done in together(work, workers=3):
            worker = int(done.model[1:])
            expected = {"model.bin": content_of(worker, done.number - 1)}
            assert desk.read(done.number, done.model) == expected
