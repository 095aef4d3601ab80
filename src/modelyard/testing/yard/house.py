"""The house: gc, verify, stats, the list of models, and what storing costs."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from modelyard.testing.models import layers
from modelyard.testing.yard.case import Desk, YardCase

if TYPE_CHECKING:
    from modelyard.core.version import Progress
    from modelyard.core.yard import Yard

__all__ = ["HouseTests"]


class HouseTests(YardCase):
    def test_an_empty_yard_is_whole_and_holds_nothing(self, yard: Yard) -> None:
        assert list(yard.models()) == list(yard.models(deleted=True)) == []
        assert yard.search("").items == ()
        report = yard.verify()
        assert (report.ok, report.versions, report.blobs) == (True, 0, 0)
        stats = yard.stats()
        assert (stats.models, stats.versions, stats.logical, stats.ratio) == (0, 0, 0, 0.0)
        assert yard.gc().freed == 0

    def test_models_are_listed_by_name(self, yard: Yard, desk: Desk) -> None:
        for name in ("b", "a/z", "a", "B2", "a/b"):
            desk.commit(b"1", name)
        names = [model.name for model in yard.models()]
        assert sorted(names) == sorted(["b", "a/z", "a", "B2", "a/b"])
        assert names == [model.name for model in yard.models()]

    def test_a_model_tells_its_state(self, yard: Yard, desk: Desk) -> None:
        desk.commit(b"1")
        desk.commit({"model.bin": b"22", "README.md": b"---\nlicense: mit\n---\n# Title\nText.\n"})
        yard.alias("m", "champion", 1)
        info = yard.model_info("m")
        assert (info.name, info.kind, info.versions, info.latest) == ("m", "model", 2, 2)
        assert {ref.name for ref in info.refs} == {"main", "champion"}
        assert info.created <= info.updated
        assert info.size == yard.resolve("m", 2).size
        assert info.deleted is None

    def test_verify_reads_everything_and_says_how_much(self, yard: Yard, desk: Desk) -> None:
        desk.commit_tensors(layers(1, width=300))
        desk.commit({"a.txt": b"text", "b.bin": os.urandom(200_000)}, "n")
        told: list[Progress] = []
        report = yard.verify(progress=told.append)
        assert report.ok
        assert not report.rebuilt
        assert report.versions == 2
        assert report.chunks >= 3
        assert report.bytes >= 200_000
        assert told

    def test_stats_add_up(self, yard: Yard, desk: Desk) -> None:
        first = desk.commit(os.urandom(400_000))
        desk.commit(os.urandom(100_000), "n")
        third = yard.commit("copy", desk.root / "0")
        stats = yard.stats()
        assert (stats.models, stats.versions) == (3, 3)
        assert stats.logical == 900_000
        assert 500_000 <= stats.unique <= 520_000
        assert 500_000 <= stats.stored <= 530_000
        assert third.new_bytes < 0.05 * first.new_bytes
        per_model = {model.name: model for model in stats.per_model}
        assert {name: model.logical for name, model in per_model.items()} == {
            "m": 400_000, "n": 100_000, "copy": 400_000,
        }  # fmt: skip
        assert per_model["m"].new_bytes == first.new_bytes

    def test_a_dry_gc_changes_nothing(self, yard: Yard, desk: Desk) -> None:
        desk.commit(os.urandom(300_000))
        desk.commit(b"2", branch="main")
        yard.delete_version("m", 1, purge=True)
        before = yard.stats()
        report = yard.gc(dry_run=True)
        assert report.dry_run
        assert report.freed + report.waiting >= 250_000
        # a server writes down who asked: its catalog may grow
        assert replace(yard.stats(), catalog=before.catalog) == before

    def test_gc_of_a_yard_in_use_takes_nothing(self, yard: Yard, desk: Desk) -> None:
        contents = [os.urandom(150_000) for _ in range(3)]
        for content in contents:
            desk.commit(content)
        for _ in range(2):
            report = yard.gc()
            assert (report.freed, report.versions_purged) == (0, 0)
        for number, content in enumerate(contents, start=1):
            assert desk.read(number) == {"model.bin": content}

    def test_the_same_tensors_in_another_file_cost_next_to_nothing(
        self, yard: Yard, desk: Desk
    ) -> None:
        from modelyard.testing.models import write_npz

        tensors = layers(1, width=512, count=4)
        first = desk.commit_tensors(tensors)
        second = yard.commit("m", write_npz(desk.folder() / "model.npz", tensors))
        assert second.new_bytes < 0.02 * first.new_bytes

    def test_a_fully_tuned_model_costs_less_than_a_new_one(self, desk: Desk) -> None:
        import numpy as np

        base = layers(1, width=512, count=4)
        rng = np.random.default_rng(2)
        tuned = {
            name: (values * (1 + rng.normal(0, 1e-3, values.shape))).astype("float32")
            for name, values in base.items()
        }
        first = desk.commit_tensors(base)
        assert desk.commit_tensors(tuned).new_bytes < 0.6 * first.size

    def test_a_series_of_small_pickles_is_small(self, yard: Yard, desk: Desk) -> None:
        import pickle

        import numpy as np

        base = np.random.default_rng(1).normal(size=3000)
        for step in range(10):
            base[step] += 1.0
            desk.commit({"model.pkl": pickle.dumps({"step": step, "coef": base})})
        stats = yard.stats()
        assert stats.stored < 0.25 * stats.logical
