"""gc step by step: what it says before, what it leaves after a crash, and what it never touches."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from modelyard.catalog.queries import chunks, garbage
from modelyard.catalog.schema import chunk, pack
from modelyard.core.chunks import PackGrowth
from modelyard.errors import Unavailable
from modelyard.registry import create, dropping, open_yard
from modelyard.registry.repack import rewrite
from modelyard.store.codecs import workspace
from modelyard.store.pack import chunk_id


def made(tmp_path, *, store=None, grace=0):
    folder = tmp_path / "yard"
    create(folder, author="ann", store=store).close()
    text = "version = 1\n" + (f'[store]\nurl = "{store}"\n' if store else "")
    (folder / "yard.toml").write_text(
        f"{text}[gc]\nkeep_deleted_days = 0\ngrace_minutes = {grace}\n"
    )
    return open_yard(folder)


@pytest.fixture(params=["grows", "whole"])
def yard(request, tmp_path):
    """On a store whose packs grow, and on one where each commit makes its own."""
    yard = made(tmp_path, store=None if request.param == "grows" else "sqlite:///store.db")
    yield yard
    assert yard.verify().ok
    yard.close()


def commit(yard, tmp_path, model, seed, size=200_000):
    source = tmp_path / "m.bin"
    source.write_bytes(np.random.default_rng(seed).bytes(size))
    return yard.commit(model, source)


def packs(yard):
    with yard.house.catalog.read() as connection:
        return {row.name: row.state for row in connection.execute(sa.select(pack))}


def test_a_dry_run_says_what_gc_then_does(yard, tmp_path):
    for seed in range(6):
        commit(yard, tmp_path, "m", seed)
    for number in (2, 3, 4, 5):
        yard.delete_version("m", number, purge=True)
    said = yard.gc(dry_run=True)
    done = yard.gc()
    assert said.chunks == done.chunks == 4
    assert replace(said, dry_run=False) == done
    assert done.freed > 590_000


def test_a_dry_run_with_a_grace_time_says_what_waits(tmp_path):
    yard = made(tmp_path, store="sqlite:///store.db", grace=60)
    for seed in range(4):
        commit(yard, tmp_path, "m", seed)
    yard.delete_version("m", 2, purge=True)
    said = yard.gc(dry_run=True)
    assert replace(said, dry_run=False) == (done := yard.gc())
    assert done.freed == 0
    assert done.waiting > 190_000
    assert done.packs_waiting
    assert yard.gc().waiting == done.waiting
    yard.close()


def test_small_packs_are_joined_where_they_cannot_grow(tmp_path):
    yard = made(tmp_path, store="sqlite:///store.db")
    for seed in range(6):
        commit(yard, tmp_path, "m", seed)
    before = len(packs(yard))
    done = yard.gc()
    assert done.packs_rewritten == before
    assert len(packs(yard)) == len(list(yard.house.backend.keys("packs/"))) == 1
    assert yard.gc().packs_rewritten == 0
    assert yard.verify().ok
    yard.close()


def test_a_reader_whose_pack_went_looks_for_its_chunk_once_more(tmp_path):
    """With a grace time shorter than a checkout."""
    yard = made(tmp_path, store="sqlite:///store.db")
    for seed in range(4):
        commit(yard, tmp_path, "m", seed)
    with yard.house.catalog.read() as connection:
        keys = connection.execute(sa.select(chunk.c.id).where(chunk.c.size == 200_000)).scalars()
        rows = yard.house.index.rows(keys).values()
    assert yard.gc().packs_deleted == 4
    assert len(rows) == 4
    with yard.house.catalog.read():
        for row in rows:
            out = np.empty(row.size, np.uint8)
            yard.house.reader.into(row, out, workspace(), {})
            assert chunk_id(row.kind, out.data) == row.hash
    yard.close()


def test_what_a_session_holds_is_not_moved_from_under_it(yard, tmp_path):
    """A pack that was chosen for repacking gets a lease before its rows move."""
    for seed in range(4):
        commit(yard, tmp_path, "m", seed)
    with yard.house.catalog.read() as connection:
        uses = garbage.pack_uses(connection)
    yard.house.catalog.write(
        lambda c: [chunks.take_lease(c, "session", use.id, 1 << 62) for use in uses]
    )
    assert rewrite(yard.house, uses) == (0, 0)
    with yard.house.catalog.read() as connection:
        assert [u.live for u in garbage.pack_uses(connection)[: len(uses)]] == [
            use.live for use in uses
        ]
    yard.house.index.release("session")


def test_an_open_pack_that_is_gone_or_cut_does_not_stop_the_next_commit(tmp_path):
    yard = made(tmp_path)
    for seed, harm in enumerate((Path.unlink, lambda path: os.truncate(path, 20))):
        commit(yard, tmp_path, f"lost{seed}", seed)
        (name,) = (key for key, *_ in yard.house.index.open_packs())
        harm(tmp_path / "yard" / "store" / name)
        yard.house.backend.close()
        assert commit(yard, tmp_path, f"new{seed}", seed + 10).number == 1
        assert yard.open(f"new{seed}", 1, "m.bin").read() == (tmp_path / "m.bin").read_bytes()
        with yard.house.catalog.engine.begin() as connection:
            connection.execute(sa.update(pack).values(state="live"))
    yard.close()


def test_a_crash_between_state_and_object_and_row_is_finished_by_the_next_gc(
    yard, tmp_path, monkeypatch
):
    commit(yard, tmp_path, "gone", 1, 500_000)
    commit(yard, tmp_path, "kept", 2)
    yard.delete_model("gone")

    def die(_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(yard.house.backend, "delete", die)
        with pytest.raises(KeyboardInterrupt):
            yard.gc()
    assert "dropping" in packs(yard).values()
    assert yard.gc().packs_deleted
    assert set(packs(yard)) == set(yard.house.backend.keys("packs/"))


def test_an_object_without_a_row_goes_an_hour_after_it_was_seen_first(yard, tmp_path, monkeypatch):
    commit(yard, tmp_path, "m", 1)
    key = "packs/ab/abcdef0123456789.pack"
    yard.house.backend.put(key, b"stray")
    yard.house.backend.put("packs/of/somebody.else", b"not ours")
    yard.gc()
    yard.gc()
    assert yard.house.backend.stat(key) is not None
    monkeypatch.setattr(dropping, "STRAY_MINUTES", 0)
    yard.gc()
    assert yard.house.backend.stat(key) is None
    assert yard.house.backend.stat("packs/of/somebody.else") is not None
    assert key not in packs(yard)


def test_a_writer_that_comes_after_gc_took_its_object_has_to_send_it_again(
    yard, tmp_path, monkeypatch
):
    key = "packs/ab/abcdef0123456789.pack"
    yard.house.backend.put(key, b"late")
    monkeypatch.setattr(dropping, "STRAY_MINUTES", 0)
    yard.gc()
    with pytest.raises(Unavailable) as caught:
        yard.house.index.grow([PackGrowth(key, 4, True, ())], "session")
    assert caught.value.kind == "store-changed"


def test_a_writer_that_comes_in_time_takes_its_noted_object_over(yard):
    key = "packs/ab/abcdef0123456789.pack"
    yard.house.backend.put(key, b"in time")
    yard.gc()
    assert packs(yard)[key] == "stray"
    yard.house.index.grow([PackGrowth(key, 4, True, ())], "session")
    assert packs(yard)[key] == "live"
    yard.gc()
    assert yard.house.backend.stat(key) is not None  # leased
    yard.house.index.release("session")
    yard.gc()
    assert yard.house.backend.stat(key) is None


def test_a_flipped_bit_is_not_moved_into_a_new_pack(tmp_path):
    yard = made(tmp_path)
    for seed in range(4):
        commit(yard, tmp_path, "m", seed)
    with yard.house.catalog.read() as connection:
        rows = connection.execute(sa.select(chunk).where(chunk.c.size == 200_000)).all()
        (name,) = connection.execute(sa.select(pack.c.name)).scalars()
    path = tmp_path / "yard" / "store" / name
    data = bytearray(path.read_bytes())
    data[rows[3].start + 9] ^= 1
    path.write_bytes(data)
    for number in (1, 2, 3):
        yard.delete_version("m", number, purge=True)
    yard.gc()
    yard.gc()
    with yard.house.catalog.read() as connection:
        (use,) = [u for u in garbage.pack_uses(connection) if u.name == name]
    assert use.live == rows[3].length
    (found,) = yard.verify().damage
    assert found.name == rows[3].hash.hex()
    yard.close()
