"""History: the log, and old content made new again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.errors import NotFound
from modelyard.testing.yard.case import Desk, YardCase, refused

if TYPE_CHECKING:
    from modelyard.core.yard import Yard

__all__ = ["HistoryTests"]


class HistoryTests(YardCase):
    def test_the_log_of_a_revision_is_its_ancestors_children_first(
        self, yard: Yard, desk: Desk
    ) -> None:
        desk.commit(b"1")
        desk.commit(b"2", branch="dev")
        desk.commit(b"3")
        desk.commit(b"4", branch="dev")
        assert desk.numbers(revision="dev") == [4, 2, 1]
        assert desk.numbers(revision="main") == [3, 1]
        assert desk.numbers(revision=1) == [1]
        assert desk.numbers() == [4, 3, 2, 1]

    def test_the_log_tells_what_each_version_is(self, yard: Yard, desk: Desk) -> None:
        desk.commit(b"1", message="first", metrics={"accuracy": 0.5})
        desk.commit(b"22", message="second")
        yard.tag("m", "v1", 1)
        newest, oldest = yard.log("m")
        assert (newest.number, newest.parents, newest.message.strip()) == (2, (1,), "second")
        assert (oldest.number, oldest.parents, oldest.refs) == (1, (), ("v1",))
        assert newest.refs == ("main",)
        assert (oldest.size, newest.size) == (1, 2)
        assert oldest.metrics == {"accuracy": 0.5}

    def test_a_log_may_be_read_in_part(self, yard: Yard, desk: Desk) -> None:
        for number in range(5):
            desk.commit(b"%d" % number)
        assert next(iter(yard.log("m"))).number == 5
        assert desk.commit(b"more").number == 6

    def test_a_revert_is_a_new_version_with_old_content(self, yard: Yard, desk: Desk) -> None:
        desk.commit({"a.bin": b"1", "b.bin": b"1"}, metrics={"accuracy": 0.9})
        desk.commit({"a.bin": b"2", "c.bin": b"2"})
        done = yard.revert("m", 1)
        assert (done.number, done.branch, done.created) == (3, "main", True)
        assert desk.read(3) == {"a.bin": b"1", "b.bin": b"1"}
        version = yard.resolve("m", 3)
        assert version.parents == (2,)
        assert version.message.strip()
        assert version.metrics == {"accuracy": 0.9}
        assert desk.read(2) == {"a.bin": b"2", "c.bin": b"2"}, "history stays"

    def test_a_revert_costs_no_bytes_of_files(self, yard: Yard, desk: Desk) -> None:
        desk.commit(bytes(range(256)) * 4000)
        desk.commit(b"2")
        assert yard.revert("m", 1).new_bytes < 10_000

    def test_a_revert_to_what_is_there_makes_no_version(self, yard: Yard, desk: Desk) -> None:
        desk.commit(b"1")
        done = yard.revert("m", 1)
        assert (done.number, done.created) == (1, False)

    def test_a_revert_goes_to_the_branch_named(self, yard: Yard, desk: Desk) -> None:
        desk.commit(b"1")
        desk.commit(b"2")
        yard.branch("m", "dev", 2)
        yard.revert("m", 1, branch="dev")
        assert desk.refs() == {"main": ("branch", 2), "dev": ("branch", 3)}
        assert desk.read("dev") == {"model.bin": b"1"}

    def test_a_revert_of_nothing_is_not_found(self, yard: Yard, desk: Desk) -> None:
        desk.commit(b"1")
        with refused(NotFound):
            yard.revert("m", 9)

    def test_going_back_and_forth_keeps_every_version(self, yard: Yard, desk: Desk) -> None:
        contents = [b"one", b"two" * 50_000, b"three"]
        for content in contents:
            desk.commit(content)
        for number in (1, 2, 3, 1):
            yard.revert("m", number)
        expected = [*contents, contents[0], contents[1], contents[2], contents[0]]
        for number, content in enumerate(expected, start=1):
            assert desk.read(number) == {"model.bin": content}

    def test_a_renamed_model_is_found_by_its_old_name(self, yard: Yard, desk: Desk) -> None:
        desk.commit(b"1", "old")
        info = yard.rename("old", "team/new")
        assert info.name == "team/new"
        assert [model.name for model in yard.models()] == ["team/new"]
        for name in ("old", "team/new"):
            assert desk.read(1, name) == {"model.bin": b"1"}
            assert yard.resolve(name).model == "team/new"

    def test_an_old_name_redirects_until_it_is_used_again(self, yard: Yard, desk: Desk) -> None:
        desk.commit(b"1", "old")
        yard.rename("old", "new")
        assert yard.resolve("old").model == "new"
        yard.rename("new", "newest")
        assert yard.resolve("old").model == yard.resolve("new").model == "newest"
        desk.commit(b"other", "another")
        yard.rename("another", "old")
        assert yard.resolve("old").model == "old"
        assert desk.read(model="old") == {"model.bin": b"other"}
        assert desk.read(model="newest") == {"model.bin": b"1"}

    def test_a_model_may_get_its_old_name_back(self, yard: Yard, desk: Desk) -> None:
        desk.commit(b"1", "a")
        yard.rename("a", "b")
        yard.rename("b", "a")
        assert yard.resolve("a").model == yard.resolve("b").model == "a"
        assert [model.name for model in yard.models()] == ["a"]

    def test_a_taken_name_is_not_given_twice(self, yard: Yard, desk: Desk) -> None:
        from modelyard.errors import Conflict

        desk.commit(b"1", "a")
        desk.commit(b"2", "b")
        with refused(Conflict, "model-exists"):
            yard.rename("a", "b")
        assert desk.read(model="a") == {"model.bin": b"1"}
        assert desk.read(model="b") == {"model.bin": b"2"}
