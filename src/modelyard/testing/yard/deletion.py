"""Deletion: a numbered tombstone that can be lifted again, never a hole or a used number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modelyard.errors import Conflict, ModelyardError, NotFound
from modelyard.testing.yard.case import Desk, YardCase, attempt, refused

if TYPE_CHECKING:
    from modelyard.core.yard import Yard

__all__ = ["DeletionTests"]


class DeletionTests(YardCase):
    @pytest.fixture
    def heavy(self, desk: Desk) -> Desk:
        """A model `m` with versions 1, 2, 3 on `main`, each of 200 kB."""
        for number in (1, 2, 3):
            desk.commit(b"%d" % number * 200_000)
        return desk

    def test_a_deleted_version_is_gone_and_comes_back(self, yard: Yard, heavy: Desk) -> None:
        gone = yard.delete_version("m", 2)
        assert (gone.number, gone.deleted is not None) == (2, True)
        with refused(NotFound):
            heavy.read(2)
        assert heavy.numbers() == [3, 1]
        assert heavy.read(3) == {"model.bin": b"3" * 200_000}
        yard.restore("m", 2)
        assert heavy.numbers() == [3, 2, 1]
        assert heavy.read(2) == {"model.bin": b"2" * 200_000}

    def test_every_branch_that_ended_at_a_restored_version_ends_there_again(
        self, yard: Yard, heavy: Desk
    ) -> None:
        yard.branch("m", "also", 3)
        yard.branch("m", "before", 2)
        yard.delete_version("m", 3)
        assert {ref.number for ref in yard.refs("m")} == {2}
        yard.restore("m", 3)
        assert {ref.name: ref.number for ref in yard.refs("m")} == {
            "main": 3, "also": 3, "before": 2,
        }  # fmt: skip

    def test_a_number_is_never_used_again(self, yard: Yard, desk: Desk) -> None:
        desk.commit(b"1")
        desk.commit(b"2", branch="dev")
        yard.delete_ref("m", "dev")
        yard.delete_version("m", 2, purge=True)
        yard.gc()
        assert desk.commit(b"3", branch="dev").number == 3

    def test_latest_is_the_newest_that_is_not_deleted(self, yard: Yard, desk: Desk) -> None:
        desk.commit(b"1")
        desk.commit(b"2", branch="dev")
        yard.delete_ref("m", "dev")
        yard.delete_version("m", 2)
        assert yard.resolve("m", "latest").number == 1
        assert yard.model_info("m").latest == 1
        yard.restore("m", 2)
        assert yard.resolve("m", "latest").number == 2

    def test_a_tagged_or_aliased_version_is_protected(self, yard: Yard, heavy: Desk) -> None:
        yard.tag("m", "v1", 1)
        yard.alias("m", "champion", 2)
        for number in (1, 2):
            with refused(Conflict, "protected", hint=True) as caught:
                yard.delete_version("m", number)
            assert {1: "v1", 2: "champion"}[number] in str(caught.value)
        yard.delete_ref("m", "v1")
        yard.alias("m", "champion", 3)
        yard.delete_version("m", 1)
        yard.delete_version("m", 2)
        assert heavy.numbers() == [3]

    def test_committing_deleted_content_again_makes_a_version(
        self, yard: Yard, heavy: Desk
    ) -> None:
        yard.delete_version("m", 2)
        yard.gc()
        assert heavy.commit(b"2" * 200_000).number == 4
        assert heavy.read(4) == {"model.bin": b"2" * 200_000}

    def test_a_purged_version_does_not_come_back(self, yard: Yard, heavy: Desk) -> None:
        yard.delete_version("m", 2, purge=True)
        yard.gc()
        with refused(ModelyardError):
            yard.restore("m", 2)
        with refused(NotFound):
            heavy.read(2)
        for number in (1, 3):
            assert heavy.read(number) == {"model.bin": b"%d" % number * 200_000}

    def test_a_purge_keeps_what_others_share(self, yard: Yard, desk: Desk) -> None:
        desk.commit({"a.bin": b"shared" * 60_000, "b.bin": b"own" * 90_000}, "one")
        desk.commit({"a.bin": b"shared" * 60_000}, "two")
        yard.delete_version("one", 1, purge=True)
        yard.gc()
        assert desk.read(model="two") == {"a.bin": b"shared" * 60_000}

    def test_what_stands_on_a_deleted_version_still_reads(self, yard: Yard, desk: Desk) -> None:
        from modelyard.testing.models import layers, safetensors_bytes

        base = layers(1, width=300)
        moved = {name: values * 1.001 for name, values in base.items()}
        desk.commit_tensors(base)
        desk.commit_tensors(moved)
        yard.delete_version("m", 1, purge=True)
        yard.gc()
        assert desk.read(2) == {"model.safetensors": safetensors_bytes(moved)}

    def test_deleting_what_is_not_there_is_not_found(self, yard: Yard, heavy: Desk) -> None:
        with refused(NotFound):
            yard.delete_version("m", 9)
        with refused(NotFound):
            yard.delete_version("nobody", 1)
        yard.delete_version("m", 1)
        with refused(ModelyardError):
            yard.delete_version("m", 1)

    def test_restoring_what_was_not_deleted_is_refused(self, yard: Yard, heavy: Desk) -> None:
        for revision in (1, None):
            with refused(ModelyardError):
                yard.restore("m", revision)
        with refused(NotFound):
            yard.restore("nobody")

    def test_a_deleted_model_is_gone_and_comes_back(self, yard: Yard, heavy: Desk) -> None:
        yard.tag("m", "keep", 3)
        yard.delete_ref("m", "keep")
        yard.delete_model("m")
        assert list(yard.models()) == []
        assert [model.name for model in yard.models(deleted=True)] == ["m"]
        for call in (yard.resolve, yard.show, yard.model_info):
            with refused(NotFound):
                call("m")
        assert yard.search("").items == ()
        yard.restore("m")
        assert heavy.numbers() == [3, 2, 1]
        assert heavy.read() == {"model.bin": b"3" * 200_000}
        assert list(yard.models(deleted=True)) == []

    def test_a_new_model_under_a_deleted_name_shares_no_number(
        self, yard: Yard, heavy: Desk
    ) -> None:
        yard.delete_model("m")
        done = attempt(Conflict, heavy.commit, b"another")
        if isinstance(done, Conflict):
            assert "restore" in f"{done.hint} {done.message}"
            return
        assert heavy.read(done.number) == {"model.bin": b"another"}
        assert done.number == 1 or heavy.numbers() == [done.number]

    def test_gc_keeps_all_that_can_still_be_asked_for(self, yard: Yard, heavy: Desk) -> None:
        yard.delete_version("m", 2)
        yard.gc()
        yard.restore("m", 2)
        for number in (1, 2, 3):
            assert heavy.read(number) == {"model.bin": b"%d" % number * 200_000}
