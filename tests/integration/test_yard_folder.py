"""What only a yard in a folder has: files, several processes, grace times, lost catalogs."""

from __future__ import annotations

import os
import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from modelyard.errors import Conflict, Corrupt, InvalidInput, ModelyardError, NotFound
from modelyard.registry import create, open_yard
from modelyard.testing.models import layers, read_tree, safetensors_bytes, write_tree
from modelyard.testing.process import Nursery
from modelyard.testing.victim import collect_many, commit_many, open_folder
from modelyard.testing.yard import Desk, refused

NO_GRACE = "version = 1\n[gc]\nkeep_deleted_days = 0\ngrace_minutes = 0\n"


@pytest.fixture
def desk(yard, tmp_path):
    return Desk(yard, tmp_path / "desk")


def again(yard, folder):
    yard.close()
    return open_folder(str(folder))


def stored_files(folder):
    """Objects of the store, the large ones first."""
    packs = [p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("catalog")]
    return sorted((p for p in packs if p.name != "yard.toml"), key=lambda p: -p.stat().st_size)


def test_a_yard_reopened_is_the_same(yard, folder, desk):
    desk.commit({"a.bin": b"a" * 90_000, "b.txt": b"b"}, metrics={"accuracy": 0.5})
    yard.alias("m", "champion", 1)
    yard.label("m", 1, add={"k": "v"})
    before = (yard.show("m"), yard.refs("m"), yard.stats().per_model)
    opened = again(yard, folder)
    try:
        assert (opened.show("m"), opened.refs("m"), opened.stats().per_model) == before
        assert opened.verify().ok
    finally:
        opened.close()


def test_two_open_yards_see_each_other(yard, folder, desk):
    other = open_folder(str(folder))
    try:
        desk.commit(b"1")
        assert other.resolve("m").number == 1
        there = Desk(other, desk.root / "other")
        there.commit(b"2")
        assert desk.read() == {"model.bin": b"2"}
        other.alias("m", "champion", 1)
        assert yard.resolve("m", "champion").number == 1
    finally:
        other.close()


@pytest.mark.parametrize("config", ["version = 1\n", NO_GRACE], ids=["grace", "no-grace"])
def test_processes_committing_beside_gc_lose_nothing(yard, folder, desk, config):
    each, workers = 6, 3
    (folder / "yard.toml").write_text(config)
    with Nursery() as nursery, ThreadPoolExecutor(workers + 1) as pool:
        calls = [
            (commit_many, str(folder), desk.root / f"p{n}", n, each) for n in range(workers)
        ] + [(collect_many, str(folder), 15)]
        started = [(nursery.start(), call) for call in calls]
        *told, _ = pool.map(lambda pair: pair[0].call(*pair[1]), started)
    own = [[done for done in dones if done[0] != "shared"] for dones in told]
    assert [len(dones) for dones in own] == [each] * workers
    shared = sorted(number for dones in told for model, number in dones if model == "shared")
    assert shared
    assert desk.numbers("shared", "main") == shared[::-1]
    for n in range(workers):
        assert desk.numbers(f"own{n}") == list(range(each, 0, -1))
        for turn in range(each):
            source = desk.root / f"p{n}" / str(turn)
            assert desk.read(turn + 1, f"own{n}") == read_tree(source)
    assert yard.verify().ok


def test_gc_gives_back_the_bytes_of_what_was_deleted(yard, folder, desk):
    (folder / "yard.toml").write_text(NO_GRACE)
    opened = again(yard, folder)
    try:
        here = Desk(opened, desk.root / "here")
        keep = np.random.default_rng(1).bytes(1_000_000)
        here.commit(np.random.default_rng(2).bytes(3_000_000))
        here.commit(keep)
        before = opened.stats().stored
        opened.delete_version("m", 1)
        expected = opened.gc(dry_run=True)
        freed = sum(opened.gc().freed for _ in range(3))
        assert expected.freed + expected.waiting >= 2_900_000
        assert freed >= 2_900_000
        assert opened.stats().stored <= before - 2_900_000
        assert sum(p.stat().st_size for p in stored_files(folder)) < 1_200_000
        assert here.read(2) == {"model.bin": keep}
        assert opened.verify().ok
        with refused(ModelyardError):
            opened.restore("m", 1)
        assert here.commit(b"next").number == 3
    finally:
        opened.close()


def test_gc_keeps_the_base_that_a_delta_needs(yard, folder, desk):
    (folder / "yard.toml").write_text(NO_GRACE)
    opened = again(yard, folder)
    try:
        here = Desk(opened, desk.root / "here")
        base = layers(1, width=400)
        tuned = {name: (values * 1.0007).astype("float32") for name, values in base.items()}
        here.commit_tensors(base)
        here.commit_tensors(tuned)
        opened.delete_version("m", 1, purge=True)
        for _ in range(3):
            opened.gc()
            assert opened.verify().ok
        assert here.read(2) == {"model.safetensors": safetensors_bytes(tuned)}
        here.commit_tensors(base)
        assert here.read(3) == {"model.safetensors": safetensors_bytes(base)}
    finally:
        opened.close()


def test_what_is_committed_while_gc_takes_it_is_there(yard, folder, desk):
    (folder / "yard.toml").write_text(NO_GRACE)
    opened = again(yard, folder)
    contents = [np.random.default_rng(n).bytes(120_000) for n in range(12)]

    def come_and_go(_):
        here = Desk(opened, desk.root / "gone")
        for content in contents:
            number = here.commit(content, "gone").number
            opened.delete_version("gone", number, purge=True)

    def collect(_):
        for _ in range(25):
            opened.gc()

    def stay(worker):
        here = Desk(opened, desk.root / f"stay{worker}")
        return [(here.commit(content, f"stay{worker}").number, content) for content in contents]

    try:
        with ThreadPoolExecutor(4) as pool:
            done = list(pool.map(lambda job: job[0](job[1]), [
                (come_and_go, 0), (collect, 0), (stay, 1), (stay, 2),
            ]))  # fmt: skip
        opened.gc()
        assert opened.verify().ok
        here = Desk(opened, desk.root / "here")
        for worker in (1, 2):
            for number, content in done[worker + 1]:
                assert here.read(number, f"stay{worker}") == {"model.bin": content}
    finally:
        opened.close()


def test_a_lost_catalog_is_rebuilt_from_the_store(yard, folder, desk):
    contents = {}
    for number in range(1, 6):
        files = {"a.bin": os.urandom(50_000), "b.txt": b"%d" % number}
        desk.commit(files, branch="dev" if number == 4 else "main", metrics={"n": number})
        contents[number] = files
    yard.tag("m", "v1", 2)
    yard.alias("m", "champion", 1)
    yard.alias("m", "champion", 3)
    desk.commit(b"other", "old")
    yard.rename("old", "team/new")
    before = (
        list(yard.log("m")), yard.refs("m"), [info.name for info in yard.models()],
    )  # fmt: skip
    yard.close()
    for path in folder.glob("catalog*"):
        path.unlink()
    opened = open_folder(str(folder))
    try:
        report = opened.verify(rebuild=True)
        assert report.ok, report.damage
        assert report.rebuilt
        now = (
            list(opened.log("m")), opened.refs("m"), [info.name for info in opened.models()],
        )  # fmt: skip
        assert now == before
        here = Desk(opened, desk.root / "here")
        for number, files in contents.items():
            assert here.read(number) == files
        assert opened.rollback("m", "champion").number == 1
        assert here.commit(b"next").number == 6
    finally:
        opened.close()


@pytest.mark.parametrize("where", [0.0, 0.3, 0.6, 0.999])
def test_a_flipped_bit_is_found_and_never_given_out(yard, folder, desk, where):
    content = np.random.default_rng(5).bytes(400_000)
    desk.commit(content)
    yard.close()
    pack = stored_files(folder)[0]
    damaged = bytearray(pack.read_bytes())
    damaged[min(int(len(damaged) * where), len(damaged) - 1)] ^= 0x10
    pack.write_bytes(damaged)
    opened = open_folder(str(folder))
    try:
        report = opened.verify()
        here = Desk(opened, desk.root / "here")
        try:
            assert here.read(1) == {"model.bin": content}
        except Corrupt:
            assert not report.ok
            assert any("m@1" in damage.versions for damage in report.damage)
    finally:
        opened.close()


def test_a_lost_pack_is_named_with_its_versions(yard, folder, desk):
    desk.commit(os.urandom(300_000), "lost")
    yard.close()
    stored_files(folder)[0].unlink()
    opened = open_folder(str(folder))
    try:
        report = opened.verify()
        assert not report.ok
        assert any("lost@1" in damage.versions for damage in report.damage)
        with refused(ModelyardError):
            opened.checkout("lost", 1, desk.root / "out")
        assert not (desk.root / "out").exists()
    finally:
        opened.close()


def test_a_prefix_of_two_commits_is_ambiguous(yard, folder, desk):
    first, second = desk.commit(b"1"), desk.commit(b"2")
    other = "0" if first.commit[10] != "0" else "1"
    twin = first.commit[:10] + other + second.commit[11:]
    with sqlite3.connect(folder / "catalog.db") as catalog:
        catalog.execute(
            "update version set commit_id = ? where commit_id = ?",
            (bytes.fromhex(twin), bytes.fromhex(second.commit)),
        )
    catalog.close()
    with refused(InvalidInput, "ambiguous-revision", hint=True):
        yard.resolve("m", first.commit[:7])
    assert yard.resolve("m", first.commit[:11]).number == 1


def test_a_yard_may_be_moved(yard, folder, desk, tmp_path):
    desk.commit(b"1")
    yard.close()
    shutil.move(folder, tmp_path / "elsewhere")
    opened = open_folder(str(tmp_path / "elsewhere"))
    try:
        assert Desk(opened, tmp_path / "d").read() == {"model.bin": b"1"}
    finally:
        opened.close()


def test_what_is_no_yard_is_told(tmp_path):
    write_tree(tmp_path / "photos", {"cat.jpg": b"cat"})
    with refused(NotFound, "no-yard", hint=True):
        open_yard(tmp_path / "photos")
    with refused(Conflict, "folder-not-empty", hint=True):
        create(tmp_path / "photos")
    assert sorted(p.name for p in (tmp_path / "photos").iterdir()) == ["cat.jpg"]


def test_closing_twice_is_fine(yard, desk):
    desk.commit(b"1")
    yard.close()
    yard.close()
