"""Revisions and refs: what a name means, what moves, what never does, and how to go back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modelyard.errors import Conflict, InvalidInput, ModelyardError, NotFound
from modelyard.testing.yard.case import Desk, YardCase, refused

if TYPE_CHECKING:
    from modelyard.core.yard import Yard

__all__ = ["RefTests"]


class RefTests(YardCase):
    @pytest.fixture
    def three(self, desk: Desk) -> Desk:
        """A model `m` with versions 1, 2, 3 on `main`."""
        for number in (1, 2, 3):
            desk.commit(b"%d" % number)
        return desk

    def test_without_a_revision_the_tip_of_main_is_meant(self, yard: Yard, desk: Desk) -> None:
        desk.commit(b"1")
        desk.commit(b"2", branch="dev")
        assert yard.resolve("m").number == yard.resolve("m", "HEAD").number == 1
        assert yard.resolve("m", "latest").number == 2

    def test_without_main_the_latest_is_meant(self, yard: Yard, desk: Desk) -> None:
        desk.commit(b"1", branch="dev")
        desk.commit(b"2", branch="dev")
        assert yard.resolve("m").number == 2

    def test_a_revision_is_a_number_a_name_or_a_commit(self, yard: Yard, three: Desk) -> None:
        commit = yard.resolve("m", 2).commit
        yard.tag("m", "v1.0", 2)
        yard.alias("m", "champion", 2)
        yard.branch("m", "dev", 2)
        for text in (2, "2", "v1.0", "champion", "dev", commit, commit[:7], commit[:12].upper()):
            assert yard.resolve("m", text).number == 2
        assert yard.resolve("m", 2).refs == ("champion", "dev", "v1.0")

    @pytest.mark.parametrize("text", [0, 4, "999", "nobody", "fffffff", "f" * 40])
    def test_an_unknown_revision_is_not_found(
        self, yard: Yard, three: Desk, text: str | int
    ) -> None:
        with refused(NotFound, hint=True):
            yard.resolve("m", text)

    def test_an_unknown_model_is_not_found_and_the_near_one_named(
        self, yard: Yard, three: Desk
    ) -> None:
        three.commit(b"1", "vision/resnet")
        for call in (yard.model_info, yard.resolve, yard.show, yard.refs, yard.delete_model):
            with refused(NotFound, hint=True) as caught:
                call("vision/resnt")
            assert "vision/resnet" in str(caught.value.hint)
        with refused(NotFound):
            list(yard.log("nobody"))

    def test_the_first_seven_digits_of_a_commit_name_it(self, yard: Yard, desk: Desk) -> None:
        seen: dict[str, int] = {}
        for number in range(1, 5):
            seen[desk.commit(b"%d" % number).commit] = number
        for commit, number in seen.items():
            assert yard.resolve("m", commit[:7]).number == number

    def test_branch_tag_and_alias_share_one_name_space(self, yard: Yard, three: Desk) -> None:
        yard.branch("m", "b", 1)
        yard.tag("m", "t", 1)
        yard.alias("m", "a", 1)
        for make, taken in (
            (yard.branch, "bta"), (yard.tag, "bta"), (yard.alias, "bt"),
        ):  # fmt: skip
            for name in taken:
                with refused(Conflict, "ref-exists"):
                    make("m", name, 2)
        assert {name: number for name, (_, number) in three.refs().items()} == {
            "main": 3, "b": 1, "t": 1, "a": 1,
        }  # fmt: skip

    def test_a_commit_goes_to_a_branch_only(self, yard: Yard, three: Desk) -> None:
        yard.tag("m", "v1", 3)
        yard.alias("m", "champion", 3)
        for name in ("v1", "champion"):
            with refused(ModelyardError):
                three.commit(b"new", branch=name)
        assert three.numbers() == [3, 2, 1]

    def test_a_tag_never_moves(self, yard: Yard, three: Desk) -> None:
        yard.tag("m", "v1", 1)
        with refused(Conflict, "ref-exists"):
            yard.tag("m", "v1", 2)
        with refused(ModelyardError):
            yard.alias("m", "v1", 2)
        with refused(ModelyardError):
            yard.rollback("m", "v1", to=2)
        assert yard.resolve("m", "v1").number == 1

    def test_a_branch_moves_with_its_commits_only(self, yard: Yard, three: Desk) -> None:
        info = yard.branch("m", "dev", 1)
        assert (info.name, info.kind, info.number) == ("dev", "branch", 1)
        assert info.commit == yard.resolve("m", 1).commit
        three.commit(b"dev", branch="dev")
        assert three.refs() == {"main": ("branch", 3), "dev": ("branch", 4)}
        assert yard.resolve("m", 4).parents == (1,)

    def test_an_alias_goes_anywhere_and_back(self, yard: Yard, three: Desk) -> None:
        for number in (1, 3, 2):
            assert yard.alias("m", "champion", number).number == number
        assert yard.rollback("m", "champion").number == 3
        assert yard.resolve("m", "champion").number == 3

    def test_rolling_back_twice_goes_further_back(self, yard: Yard, three: Desk) -> None:
        for number in (1, 2, 3):
            yard.alias("m", "champion", number)
        assert yard.rollback("m", "champion").number == 2
        assert yard.rollback("m", "champion").number == 1
        with refused(Conflict):
            yard.rollback("m", "champion")
        assert yard.alias("m", "champion", 3).number == 3
        assert yard.rollback("m", "champion").number == 1

    def test_a_rollback_goes_to_the_revision_named(self, yard: Yard, three: Desk) -> None:
        yard.alias("m", "champion", 3)
        assert yard.rollback("m", "champion", to=1).number == 1
        assert yard.rollback("m", "champion").number == 3

    def test_an_alias_that_never_moved_has_no_way_back(self, yard: Yard, three: Desk) -> None:
        yard.alias("m", "champion", 3)
        with refused(Conflict):
            yard.rollback("m", "champion")
        with refused(NotFound):
            yard.rollback("m", "nobody")
        assert yard.resolve("m", "champion").number == 3

    def test_pointing_an_alias_where_it_points_is_no_move(self, yard: Yard, three: Desk) -> None:
        yard.alias("m", "champion", 1)
        yard.alias("m", "champion", 2)
        yard.alias("m", "champion", 2)
        assert yard.rollback("m", "champion").number == 1

    def test_a_rollback_never_stays_where_it_is(self, yard: Yard, three: Desk) -> None:
        for number in (1, 2, 1):
            yard.alias("m", "champion", number)
        yard.delete_version("m", 2)
        with refused(Conflict):
            yard.rollback("m", "champion")

    def test_the_reflog_tells_every_move_newest_first(self, yard: Yard, three: Desk) -> None:
        yard.alias("m", "champion", 1)
        yard.alias("m", "champion", 3)
        yard.rollback("m", "champion")
        yard.delete_ref("m", "champion")
        moves = list(yard.reflog("m", "champion"))
        assert [(move.old, move.new) for move in moves] == [(1, None), (3, 1), (1, 3), (None, 1)]
        assert {(move.ref, move.kind) for move in moves} == {("champion", "alias")}
        assert all(move.who and move.reason for move in moves)
        assert [move.time for move in moves] == sorted((m.time for m in moves), reverse=True)

    def test_the_reflog_of_a_model_holds_commits_too(self, yard: Yard, three: Desk) -> None:
        yard.tag("m", "v1", 2)
        moves = [(move.ref, move.old, move.new) for move in yard.reflog("m")]
        assert moves == [("v1", None, 2), ("main", 2, 3), ("main", 1, 2), ("main", None, 1)]

    def test_a_deleted_ref_is_gone_and_its_name_free(self, yard: Yard, three: Desk) -> None:
        yard.tag("m", "v1", 1)
        gone = yard.delete_ref("m", "v1")
        assert (gone.name, gone.kind, gone.number) == ("v1", "tag", 1)
        with refused(NotFound):
            yard.resolve("m", "v1")
        with refused(NotFound):
            yard.delete_ref("m", "v1")
        assert yard.alias("m", "v1", 2).number == 2

    def test_versions_outlive_their_branch(self, yard: Yard, three: Desk) -> None:
        three.commit(b"dev", branch="dev")
        yard.delete_ref("m", "dev")
        assert three.read(4) == {"model.bin": b"dev"}
        assert three.numbers() == [4, 3, 2, 1]
        assert three.commit(b"dev2", branch="dev").number == 5

    def test_a_ref_at_an_unknown_revision_is_not_made(self, yard: Yard, three: Desk) -> None:
        for make in (yard.branch, yard.tag, yard.alias):
            with refused(NotFound):
                make("m", "x", 9)
        assert set(three.refs()) == {"main"}

    @pytest.mark.parametrize("name", ["12", "deadbeef", "latest", "HEAD", "a..b", "-x", "a b", ""])
    def test_a_name_that_would_be_misread_is_refused(
        self, yard: Yard, three: Desk, name: str
    ) -> None:
        for make in (yard.branch, yard.tag, yard.alias):
            with refused(InvalidInput):
                make("m", name, 1)
        with refused(InvalidInput):
            three.commit(b"x", branch=name)
        assert set(three.refs()) == {"main"}

    def test_odd_but_good_names_work(self, yard: Yard, three: Desk) -> None:
        for name in ("feature/x", "β-试验", "v1.0+cpu", "user/ann/try=3"):
            yard.branch("m", name, 2)
            assert yard.resolve("m", name).number == 2
