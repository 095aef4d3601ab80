"""Commit: what makes a version, what it is called, and what it says of itself."""

from __future__ import annotations

import os
import re
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from modelyard.errors import Conflict, InvalidInput, NotFound
from modelyard.testing.models import layers, write_tree
from modelyard.testing.yard.case import Desk, YardCase, refused

if TYPE_CHECKING:
    from modelyard.core.version import Progress
    from modelyard.core.yard import Yard

__all__ = ["CommitTests"]


class CommitTests(YardCase):
    def test_the_first_commit_is_number_one_on_main(self, desk: Desk) -> None:
        done = desk.commit({"a.bin": b"12345", "b/c.bin": b"678"})
        assert (done.model, done.number, done.branch, done.created) == ("m", 1, "main", True)
        assert (done.files, done.size) == (2, 8)
        assert re.fullmatch("[0-9a-f]{40}", done.commit)
        assert str(done).startswith(f"m@1 {done.commit[:7]} 8 B")

    def test_files_keep_their_relative_paths(self, desk: Desk) -> None:
        content = {"config.json": b"{}", "onnx/weights.bin": b"\x08\x07", "a/b/c/d.txt": b"deep"}
        desk.commit(content)
        assert desk.read(1) == content

    def test_a_single_file_keeps_its_name(self, yard: Yard, desk: Desk) -> None:
        folder = write_tree(desk.folder(), {"weights.bin": b"\x00\x01", "else.txt": b"no"})
        yard.commit("m", folder / "weights.bin")
        assert desk.read(1) == {"weights.bin": b"\x00\x01"}

    def test_a_path_may_be_text(self, yard: Yard, desk: Desk) -> None:
        folder = write_tree(desk.folder(), {"a.txt": b"a"})
        yard.commit("m", str(folder))
        assert desk.read() == {"a.txt": b"a"}

    def test_unchanged_content_makes_no_version(self, desk: Desk) -> None:
        first = desk.commit(b"same")
        again = desk.commit(b"same", message="I changed nothing")
        assert not again.created
        assert (again.number, again.commit) == (first.number, first.commit)
        assert desk.numbers() == [1]

    def test_the_same_place_committed_again_makes_no_version(self, yard: Yard, desk: Desk) -> None:
        folder = write_tree(desk.folder(), {"a.bin": b"a" * 100_000})
        assert yard.commit("m", folder).created
        assert not yard.commit("m", folder).created

    def test_content_changed_in_place_is_noticed(self, yard: Yard, desk: Desk) -> None:
        folder = write_tree(desk.folder(), {"a.bin": b"a" * 100_000})
        yard.commit("m", folder)
        write_tree(folder, {"a.bin": b"b" * 100_000})
        assert yard.commit("m", folder).number == 2
        assert desk.read(2) == {"a.bin": b"b" * 100_000}

    def test_content_swapped_with_its_old_time_is_noticed(self, yard: Yard, desk: Desk) -> None:
        folder = write_tree(desk.folder(), {"a.bin": b"a" * 100_000})
        yard.commit("m", folder)
        before = (folder / "a.bin").stat()
        new = write_tree(desk.folder(), {"a.bin": b"c" * 100_000}) / "a.bin"
        os.utime(new, ns=(before.st_atime_ns, before.st_mtime_ns))
        new.replace(folder / "a.bin")
        assert yard.commit("m", folder).created

    def test_new_metrics_or_params_make_a_version_of_the_same_files(
        self, yard: Yard, desk: Desk
    ) -> None:
        desk.commit(b"same", metrics={"accuracy": 0.5})
        second = desk.commit(b"same", metrics={"accuracy": 0.75})
        third = desk.commit(b"same", metrics={"accuracy": 0.75}, params={"C": 1.0})
        assert (second.number, third.number) == (2, 3)
        assert yard.resolve("m", 2).metrics == {"accuracy": 0.75}
        assert desk.read(1) == desk.read(3)

    def test_numbers_go_up_over_all_branches(self, desk: Desk) -> None:
        numbers = [
            desk.commit(b"1").number,
            desk.commit(b"2", branch="dev").number,
            desk.commit(b"3").number,
            desk.commit(b"4", branch="dev").number,
        ]
        assert numbers == [1, 2, 3, 4]

    def test_each_model_counts_for_itself(self, desk: Desk) -> None:
        assert desk.commit(b"1", "vision/resnet").number == 1
        assert desk.commit(b"1", "nlp/bert").number == 1
        assert desk.commit(b"2", "vision/resnet").number == 2

    def test_a_new_branch_begins_at_main(self, yard: Yard, desk: Desk) -> None:
        desk.commit(b"1")
        desk.commit(b"2")
        desk.commit(b"3", branch="dev")
        assert yard.resolve("m", 3).parents == (2,)
        assert desk.refs() == {"main": ("branch", 2), "dev": ("branch", 3)}

    def test_a_new_branch_begins_at_the_parent_given(self, yard: Yard, desk: Desk) -> None:
        desk.commit(b"1")
        desk.commit(b"2")
        desk.commit(b"3", branch="dev", parent=1)
        assert yard.resolve("m", "dev").parents == (1,)

    def test_a_commit_on_a_stale_parent_conflicts(self, desk: Desk) -> None:
        desk.commit(b"1")
        desk.commit(b"2")
        with refused(Conflict, "branch-moved", hint=True):
            desk.commit(b"3", parent=1)
        assert desk.numbers() == [2, 1]
        assert desk.refs() == {"main": ("branch", 2)}

    def test_a_commit_on_the_current_parent_goes_through(self, desk: Desk) -> None:
        first = desk.commit(b"1")
        desk.commit(b"2", parent=1)
        desk.commit(b"3", parent="main")
        desk.commit(b"4", parent="latest")
        assert desk.numbers() == [4, 3, 2, 1]
        with refused(Conflict, "branch-moved"):
            desk.commit(b"5", parent=first.commit)

    def test_an_unknown_parent_is_not_found(self, desk: Desk) -> None:
        desk.commit(b"1")
        with refused(NotFound):
            desk.commit(b"2", parent=7)
        assert desk.numbers() == [1]

    def test_only_takes_matching_files_and_the_rest_from_the_parent(self, desk: Desk) -> None:
        desk.commit({"model.bin": b"old", "README.md": b"# old", "sub/x.json": b"1"})
        desk.commit(
            {"model.bin": b"new", "README.md": b"# new", "sub/x.json": b"2", "extra.txt": b"no"},
            only=["*.md", "sub/*"],
        )
        assert desk.read() == {"model.bin": b"old", "README.md": b"# new", "sub/x.json": b"2"}

    def test_only_of_what_did_not_change_makes_no_version(self, desk: Desk) -> None:
        desk.commit({"a": b"1", "b": b"1"})
        assert not desk.commit({"a": b"1", "b": b"2"}, only=["a"]).created

    def test_only_on_a_first_commit_takes_just_the_matches(self, desk: Desk) -> None:
        desk.commit({"a.md": b"1", "b.txt": b"2"}, only=["*.md"])
        assert desk.read() == {"a.md": b"1"}

    def test_a_version_says_who_when_and_why(self, yard: Yard, desk: Desk) -> None:
        desk.commit(
            b"1", message="第一个\n\nwith a body", author="Ann Lee <ann@example.org>",
            metrics={"accuracy": 0.912, "n": 3}, labels={"domain": "nlp", "gold": ""},
        )  # fmt: skip
        version = yard.resolve("m", 1)
        assert version.message.rstrip("\n") == "第一个\n\nwith a body"
        assert "Ann Lee" in version.author
        assert abs(datetime.now(UTC) - version.time) < timedelta(minutes=5)
        assert version.metrics == {"accuracy": 0.912, "n": 3}
        assert version.labels == {"domain": "nlp", "gold": ""}
        assert (version.title, version.branch, version.parents) == ("m@1", "main", ())

    def test_show_tells_files_tensors_params_and_card(self, yard: Yard, desk: Desk) -> None:
        from modelyard.testing.models import safetensors_bytes

        weights = safetensors_bytes(layers(1, count=1))
        card = b"---\nlicense: mit\n---\n# A card\n"
        desk.commit({"model.safetensors": weights, "README.md": card}, params={"C": [1, {"x": 2}]})
        detail = yard.show("m", 1)
        assert [(f.path, f.size) for f in detail.files] == [
            ("README.md", len(card)), ("model.safetensors", len(weights)),
        ]  # fmt: skip
        assert {(t.file, t.name, t.dtype, t.shape) for t in detail.tensors} == {
            ("model.safetensors", "layer0.weight", "float32", (16, 16)),
            ("model.safetensors", "layer0.bias", "float32", (16,)),
        }
        assert detail.params == {"C": [1, {"x": 2}]}
        assert "# A card" in detail.card
        assert detail.files[1].format == "safetensors"
        assert "safetensors" in detail.version.formats

    def test_a_small_change_of_a_large_model_adds_little(self, yard: Yard, desk: Desk) -> None:
        base = layers(1, count=8, width=512)
        first = desk.commit_tensors(base)
        bias = base["layer3.bias"] * 1.5
        second = desk.commit_tensors({**base, "layer3.bias": bias})
        assert first.new_bytes > 0.5 * first.size
        assert second.new_bytes < 0.01 * first.size
        assert yard.resolve("m", 2).new_bytes == second.new_bytes

    def test_progress_is_told_in_bytes_and_reaches_the_end(self, desk: Desk) -> None:
        told: list[Progress] = []
        desk.commit(os.urandom(3_000_000), progress=told.append)
        assert told
        assert all(p.phase for p in told)
        assert all(p.total is None or 0 <= p.done <= p.total for p in told)
        assert max(p.done for p in told) >= 3_000_000

    def test_a_source_that_is_not_there_is_not_found(self, yard: Yard, desk: Desk) -> None:
        with refused(NotFound):
            yard.commit("m", desk.folder())
        assert list(yard.models()) == []

    def test_an_object_that_nobody_can_save_is_refused(self, yard: Yard) -> None:
        with refused(InvalidInput, "not-savable", hint=True):
            yard.commit("m", threading.Lock())
        assert list(yard.models()) == []

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), "high"])
    def test_a_metric_that_is_no_number_is_refused(self, desk: Desk, value: float) -> None:
        desk.commit(b"1")
        with refused(InvalidInput, "bad-metric"):
            desk.commit(b"2", metrics={"accuracy": value})
        assert desk.numbers() == [1]

    def test_a_dataset_is_kept_like_a_model(self, yard: Yard, desk: Desk) -> None:
        desk.commit({"wine.csv": b"a,b\n1,2\n"}, "wine", kind="dataset")
        assert yard.model_info("wine").kind == "dataset"
