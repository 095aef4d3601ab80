"""Merge: three ways, file by file; what excludes itself is named and nothing is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.errors import Conflict, NotFound
from modelyard.testing.yard.case import Desk, YardCase, refused

if TYPE_CHECKING:
    from modelyard.core.yard import Yard

__all__ = ["MergeTests"]

BASE = {"a.bin": b"a", "b.bin": b"b", "c/d.txt": b"d"}


class MergeTests(YardCase):
    def test_changes_of_both_sides_meet(self, yard: Yard, desk: Desk) -> None:
        desk.commit(BASE)
        desk.commit({**BASE, "a.bin": b"ours"})
        desk.commit({**BASE, "b.bin": b"theirs", "new.txt": b"n"}, branch="dev", parent=1)
        done = yard.merge("m", "dev", into="main")
        assert (done.number, done.branch, done.created) == (4, "main", True)
        assert desk.read("main") == {
            "a.bin": b"ours", "b.bin": b"theirs", "c/d.txt": b"d", "new.txt": b"n",
        }  # fmt: skip
        assert yard.resolve("m", 4).parents == (2, 3)
        assert desk.refs() == {"main": ("branch", 4), "dev": ("branch", 3)}
        assert desk.numbers(revision="main") == [4, 3, 2, 1]

    def test_a_removal_on_one_side_is_kept(self, yard: Yard, desk: Desk) -> None:
        desk.commit(BASE)
        desk.commit({**BASE, "a.bin": b"ours"})
        desk.commit({"a.bin": b"a", "c/d.txt": b"d"}, branch="dev", parent=1)
        yard.merge("m", "dev", into="main")
        assert desk.read("main") == {"a.bin": b"ours", "c/d.txt": b"d"}

    def test_the_same_change_on_both_sides_is_no_conflict(self, yard: Yard, desk: Desk) -> None:
        desk.commit(BASE)
        desk.commit({**BASE, "a.bin": b"same", "b.bin": b"ours"})
        desk.commit({**BASE, "a.bin": b"same", "c/d.txt": b"theirs"}, branch="dev", parent=1)
        yard.merge("m", "dev", into="main")
        assert desk.read("main") == {"a.bin": b"same", "b.bin": b"ours", "c/d.txt": b"theirs"}

    def test_a_conflict_names_every_file_and_changes_nothing(self, yard: Yard, desk: Desk) -> None:
        desk.commit(BASE)
        desk.commit({"a.bin": b"ours", "b.bin": b"ours", "c/d.txt": b"d", "x": b"1"})
        desk.commit({"a.bin": b"theirs", "c/d.txt": b"new", "x": b"2"}, branch="dev", parent=1)
        with refused(Conflict, "merge-conflict", hint=True) as caught:
            yard.merge("m", "dev", into="main")
        for path in ("a.bin", "b.bin", "x"):
            assert path in caught.value.message
        assert "c/d.txt" not in caught.value.message
        assert desk.refs() == {"main": ("branch", 2), "dev": ("branch", 3)}
        assert desk.numbers() == [3, 2, 1]

    def test_a_conflict_of_many_files_names_each(self, yard: Yard, desk: Desk) -> None:
        paths = [f"shard-{number:02}.bin" for number in range(30)]
        desk.commit(BASE)
        desk.commit(dict.fromkeys(paths, b"ours"))
        desk.commit(dict.fromkeys(paths, b"theirs"), branch="dev", parent=1)
        with refused(Conflict, "merge-conflict") as caught:
            yard.merge("m", "dev", into="main")
        assert all(path in caught.value.message for path in paths)

    def test_a_merge_of_what_is_merged_makes_no_version(self, yard: Yard, desk: Desk) -> None:
        desk.commit(b"1")
        yard.branch("m", "dev", 1)
        desk.commit(b"2")
        done = yard.merge("m", "dev", into="main")
        assert (done.number, done.created) == (2, False)
        assert not yard.merge("m", "main", into="main").created

    def test_a_merge_into_an_ancestor_brings_its_content(self, yard: Yard, desk: Desk) -> None:
        desk.commit(b"1")
        desk.commit(b"2", branch="dev")
        done = yard.merge("m", "dev", into="main")
        assert desk.read("main") == {"model.bin": b"2"}
        assert yard.resolve("m", done.number).parents == (1, 2), "a merge is always a version"
        assert not yard.merge("m", "dev", into="main").created

    def test_a_second_merge_takes_only_what_is_new(self, yard: Yard, desk: Desk) -> None:
        desk.commit(BASE)
        desk.commit({**BASE, "a.bin": b"ours"})
        desk.commit({**BASE, "b.bin": b"b2"}, branch="dev", parent=1)
        yard.merge("m", "dev", into="main")
        desk.commit({**BASE, "b.bin": b"b3"}, branch="dev")
        yard.merge("m", "dev", into="main")
        assert desk.read("main") == {**BASE, "a.bin": b"ours", "b.bin": b"b3"}

    def test_a_merge_takes_any_revision_and_keeps_its_message(self, yard: Yard, desk: Desk) -> None:
        desk.commit(BASE)
        desk.commit({**BASE, "a.bin": b"ours"})
        desk.commit({**BASE, "b.bin": b"theirs"}, branch="dev", parent=1)
        done = yard.merge("m", 3, into="main", message="bring b")
        assert yard.resolve("m", done.number).message.strip() == "bring b"

    def test_metrics_of_both_sides_do_not_stand_in_the_way(self, yard: Yard, desk: Desk) -> None:
        desk.commit(BASE, metrics={"accuracy": 0.5})
        desk.commit({**BASE, "a.bin": b"ours"}, metrics={"accuracy": 0.6})
        theirs = {**BASE, "b.bin": b"theirs"}
        desk.commit(theirs, metrics={"accuracy": 0.7}, branch="dev", parent=1)
        yard.merge("m", "dev", into="main")
        assert desk.read("main") == {**theirs, "a.bin": b"ours"}

    def test_a_merge_of_or_into_nothing_is_not_found(self, yard: Yard, desk: Desk) -> None:
        desk.commit(b"1")
        with refused(NotFound):
            yard.merge("m", "nobody", into="main")
        with refused(NotFound):
            yard.merge("m", "main", into="nobody")
        assert set(desk.refs()) == {"main"}
