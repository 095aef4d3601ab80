"""Backups, restored; dumps of the catalog in the store."""

from __future__ import annotations

import secrets
import shutil
import subprocess
import threading
import time
from dataclasses import replace

import pytest

from modelyard.catalog.queries import facts, optimizations_served
from modelyard.catalog.queries.optimizations_served import ServedRow
from modelyard.core.optimization import Goal, Recipe, Step, Trial
from modelyard.errors import Conflict, Corrupt, Denied, NotFound, Unavailable
from modelyard.registry import open_yard, restore_backup
from modelyard.registry.transfer.dump import load_dump, read_dump, write_dump
from modelyard.registry.transfer.schedule import dump_if_due, newest_dump

from .conftest import told, weights


@pytest.fixture
def filled(yards):
    yard = yards.folder()
    fill(yards, yard)
    return yard


def fill(yards, yard):
    for step in range(3):
        yards.commit(yard, "vision/net", {"m.safetensors": weights(step), "README.md": b"# Net\n"},
                     message=f"secret step {step}", labels={"step": str(step)})  # fmt: skip
    yard.alias("vision/net", "prod", 2)
    yard.keep_report("vision/net", 1, "profile", {"rows": 3})
    yard.delete_version("vision/net", 1)
    yard.rename("vision/net", "vision/new")


def test_a_restored_yard_is_the_same_and_goes_on(yards, filled, tmp_path):
    done = filled.backup(tmp_path / "b.tar")
    assert (done.versions, done.sealed) == (3, False)
    yards.commit(filled, "later", {"x.bin": b"\0x"})
    restore_backup(tmp_path / "b.tar", tmp_path / "new", author="ann")
    filled.delete_model("later")
    with open_yard(tmp_path / "new", author="ann") as again:
        assert again.verify().ok
        assert told(again) == told(filled)
        assert [v.number for v in again.search("label:step=2").items] == [3]
        assert again.model_info("vision/net").name == "vision/new"
        assert again.gc().versions_purged == 0
        assert yards.commit(again, "vision/new", {"y.bin": b"\0y"}).number == 4
        assert again.restore("vision/new", 1).versions == 4
        assert again.verify(rebuild=True).ok


def test_optimizations_and_their_trials_come_along(filled, tmp_path):
    kept = filled.optimizations
    recipe = Recipe(name="x", steps=(Step("tune"),), goals=(Goal.parse("quality max"),))
    made = kept.begin("vision/new", 2, recipe)
    kept.keep(replace(made, state="done", done=1), [Trial(number=0, values={"quality": 0.5})])
    row = ServedRow(made.id, "ann", "{}")
    filled.house.catalog.write(lambda connection: optimizations_served.put(connection, row))
    filled.backup(tmp_path / "b.tar")
    restore_backup(tmp_path / "b.tar", tmp_path / "new", author="ann")
    with open_yard(tmp_path / "new", author="ann") as again:
        assert again.optimizations.get(made.id) == kept.get(made.id)
        assert again.optimizations.trials(made.id) == kept.trials(made.id)
        with again.house.catalog.read() as connection:  # no server of a copy goes on with them
            assert optimizations_served.all_rows(connection) == []


def test_a_backup_is_a_tar_and_its_packs_are_those_of_the_store(filled, tmp_path):
    filled.backup(tmp_path / "b.tar")
    subprocess.run(["tar", "-xf", "b.tar"], cwd=tmp_path, check=True)
    for pack in (filled.house.root / "store" / "packs").rglob("*.pack"):
        kept = (tmp_path / pack.relative_to(filled.house.root / "store")).read_bytes()
        assert pack.read_bytes().startswith(kept)
        assert kept


@pytest.mark.parametrize("place", ["head", "dump", "pack", "digest", "cut", "longer", "empty"])
def test_a_cut_or_altered_file_is_refused_and_nothing_is_made(filled, tmp_path, place):
    filled.backup(tmp_path / "b.tar")
    data = bytearray((tmp_path / "b.tar").read_bytes())
    at = {"head": 520, "dump": 1600, "pack": len(data) // 2, "digest": len(data) - 1500}
    if place in at:
        data[at[place]] ^= 4
    data = {"cut": data[:-700], "longer": data + b"\0", "empty": b""}.get(place, data)
    (tmp_path / "b.tar").write_bytes(data)
    with pytest.raises(Corrupt) as refused:
        restore_backup(tmp_path / "b.tar", tmp_path / "new")
    assert refused.value.kind == "bad-backup"
    assert not (tmp_path / "new").exists()


def test_nothing_is_overwritten(filled, tmp_path):
    filled.backup(tmp_path / "b.tar")
    with pytest.raises(Conflict, match="there already"):
        filled.backup(tmp_path / "b.tar")
    with pytest.raises(Conflict):
        restore_backup(tmp_path / "b.tar", filled.house.root)
    with pytest.raises(NotFound):
        filled.backup(tmp_path / "no" / "b.tar")
    assert filled.verify().ok


def test_a_failing_store_leaves_no_half_backup(yards, tmp_path, monkeypatch):
    yard = yards.memory()
    fill(yards, yard)

    def broken(*_):
        raise Unavailable("store-io", "the network went")

    monkeypatch.setattr(yard.house.backend, "get", broken)
    with pytest.raises(Unavailable):
        yard.backup(tmp_path / "b.tar")
    assert not list(tmp_path.glob("b.tar*"))
    with yard.house.catalog.read() as connection:
        assert not connection.exec_driver_sql("SELECT * FROM lease").all()


def test_an_encrypted_yard_is_backed_up_encrypted(yards, tmp_path):
    key = tmp_path / "key"
    key.write_text(secrets.token_hex(32))
    yard = yards.folder(key=str(key))
    fill(yards, yard)
    done = yard.backup(tmp_path / "b.tar")
    content = (tmp_path / "b.tar").read_bytes()
    assert done.sealed
    for word in (b"secret", b"vision/ne", b"yarddump", b"# Net"):
        assert word not in content
    with pytest.raises(Denied):
        restore_backup(tmp_path / "b.tar", tmp_path / "new")
    (tmp_path / "other").write_text(secrets.token_hex(32))
    with pytest.raises(Denied):
        restore_backup(tmp_path / "b.tar", tmp_path / "new", key=str(tmp_path / "other"))
    assert not (tmp_path / "new").exists()
    restore_backup(tmp_path / "b.tar", tmp_path / "new", key=str(key))
    with open_yard(tmp_path / "new") as again:
        assert again.verify().ok
        assert told(again) == told(yard)


@pytest.mark.slow
def test_a_backup_is_whole_while_others_commit_and_gc_runs(yards, filled, tmp_path):
    root = filled.house.root
    (root / "yard.toml").write_text("version = 1\n[gc]\nkeep_deleted_days = 0\ngrace_minutes = 0\n")
    stop = threading.Event()
    failures = []

    def work():
        try:
            with open_yard(root) as yard:
                for turn in range(1000):
                    if stop.is_set():
                        return
                    made = yards.commit(yard, "busy", {"m.safetensors": weights(turn)})
                    if turn % 2:
                        yard.delete_version("busy", made.number)
                        yard.gc()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    time.sleep(0.3)
    for number in range(4):
        filled.backup(tmp_path / f"{number}.tar")
        restore_backup(tmp_path / f"{number}.tar", tmp_path / f"new{number}")
        with open_yard(tmp_path / f"new{number}") as again:
            assert again.verify().ok
    stop.set()
    thread.join()
    assert not failures


# -- dumps in the store --------------------------------------------------------------------------


def test_a_dump_is_written_when_it_is_due_and_seven_are_kept(yards, filled):
    house = filled.house
    assert newest_dump(house.backend) is None
    for day in range(9):
        past = time.time_ns() // 1000 - 25 * 3_600_000_000
        house.catalog.write(lambda c, past=past: facts.put(c, "catalog-dump", str(past)))
        house.dump_looked = float("-inf")
        yards.commit(filled, "daily", {"x.bin": b"\0%d" % day})
        house.dump_looked = float("-inf")
        yards.commit(filled, "daily", {"y.bin": b"\0%d" % day})  # not due again
        assert len(list(house.backend.keys("catalog/"))) == min(day + 1, 7)
    assert filled.verify().ok
    assert filled.gc().packs_deleted == 0
    assert len(list(house.backend.keys("catalog/"))) == 7


def test_a_dump_that_fails_does_not_fail_the_commit(yards, filled, monkeypatch):
    house = filled.house
    house.catalog.write(lambda c: facts.put(c, "catalog-dump", "1"))
    house.dump_looked = float("-inf")
    put = house.backend.put

    def broken(key, data):
        if key.startswith("catalog/"):
            raise Unavailable("store-io", "the disk went")
        put(key, data)

    monkeypatch.setattr(house.backend, "put", broken)
    assert yards.commit(filled, "daily", {"x.bin": b"\0x"}).number == 1


def test_to_find_that_no_dump_is_due_costs_a_commit_little(filled):
    house, spent = filled.house, []
    for _ in range(20):
        house.dump_looked = float("-inf")
        started = time.process_time()
        dump_if_due(house)
        spent.append(time.process_time() - started)
    assert min(spent) < 0.005


def test_the_newest_dump_of_a_store_makes_a_yard_as_of_then(yards, filled, tmp_path):
    filled.backup(None)
    before = told(filled)
    filled.alias("vision/new", "prod", 3)
    filled.label("vision/new", 2, add={"late": "1"})
    restore_backup(filled.house.root / "store", tmp_path / "then")
    with open_yard(tmp_path / "then") as then:
        assert then.verify().ok
        assert told(then) == before
    assert filled.verify().ok


def test_a_dump_has_every_row_or_is_refused(filled):
    with filled.house.catalog.read() as connection:
        head, dump = write_dump(connection, 5)
    assert head.versions == 3
    for end in (8, 30, len(dump) // 2, len(dump) - 4):
        with pytest.raises(Corrupt):
            for _ in read_dump(dump[:end])[1]:
                pass


@pytest.mark.parametrize("url", ["postgres_url", "mariadb_url"])
@pytest.mark.slow
def test_a_dump_fills_other_databases(yards, filled, tmp_path, request, url):
    filled.backup(tmp_path / "b.tar")
    there = request.getfixturevalue(url)
    restore_backup(tmp_path / "b.tar", tmp_path / "new", author="ann", catalog=there)
    with open_yard(tmp_path / "new", author="ann") as again:
        assert again.verify().ok
        assert told(again) == told(filled)
        assert yards.commit(again, "vision/new", {"y.bin": b"\0y"}).number == 4
        back = yards.folder()
        again.mirror_to(back)
        assert told(back) == told(again)
    assert load_dump


def test_a_restore_that_was_killed_is_no_yard_and_can_be_begun_again(yards, filled, tmp_path):
    file, there = tmp_path / "b.tar", tmp_path / "again"
    filled.backup(file)
    seen = []

    def killed(progress):
        seen.append((there / "yard.toml").exists())
        if progress.phase == "restore" and not (tmp_path / "left").exists():
            shutil.copytree(there, tmp_path / "left")

    restore_backup(file, there, progress=killed)
    assert seen
    assert not any(seen)
    with pytest.raises(NotFound, match="is no yard"):
        open_yard(tmp_path / "left")
    restore_backup(file, tmp_path / "left")
    with open_yard(tmp_path / "left") as again:
        assert again.verify().ok
    assert not (tmp_path / "left" / "restore.part").exists()
