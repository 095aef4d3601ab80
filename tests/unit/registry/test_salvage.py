"""A rebuild takes what can be read of damaged packs, and never cuts off or drops the rest."""

import numpy as np
import pytest
import sqlalchemy as sa

from modelyard.catalog.schema import chunk, pack
from modelyard.core.chunks import Kind
from modelyard.errors import Corrupt
from modelyard.registry import create, dropping, open_yard
from modelyard.registry.journal import in_journal
from modelyard.store.pack import HEADER, salvage_records


def commit(yard, tmp_path, seed, size=200_000):
    source = tmp_path / "m.bin"
    source.write_bytes(np.random.default_rng(seed).bytes(size))
    return yard.commit("m", source)


@pytest.fixture(params=["plain", "encrypted"])
def yard(request, tmp_path):
    key = str(tmp_path / "key") if request.param == "encrypted" else None
    yard = create(tmp_path / "yard", author="ann", key=key)
    for seed in range(4):
        commit(yard, tmp_path, seed)
    yield yard
    yard.close()


def rows(yard):
    with yard.house.catalog.read() as connection:
        name = connection.execute(sa.select(pack.c.name)).scalar_one()
        return name, connection.execute(sa.select(chunk).order_by(chunk.c.start)).all()


def flip(yard, name, at):
    path = yard.house.root / "store" / name
    data = bytearray(path.read_bytes())
    data[at] ^= 4
    path.write_bytes(data)
    yard.house.backend.close()
    return len(data)


def test_what_lies_behind_a_damaged_head_is_never_cut_off(yard, tmp_path):
    name, found = rows(yard)
    second = [row for row in found if row.size == 200_000][1]
    size = flip(yard, name, second.start - 8 if yard.house.vault is None else second.start - 20)
    yard.verify(rebuild=True)
    commit(yard, tmp_path, 9)
    assert (yard.house.root / "store" / name).stat().st_size == size
    if yard.house.vault is None:  # behind the damage, heads are found again
        for number, seed in ((1, 0), (3, 2), (4, 3)):
            content = np.random.default_rng(seed).bytes(200_000)
            assert yard.open("m", number, "m.bin").read() == content


def test_an_open_pack_whose_header_is_damaged_is_read_all_the_same(tmp_path):
    yard = create(tmp_path / "yard", author="ann")
    commit(yard, tmp_path, 0)
    flip(yard, rows(yard)[0], 3)
    yard.verify(rebuild=True)
    assert yard.open("m", 1, "m.bin").read() == (tmp_path / "m.bin").read_bytes()
    assert commit(yard, tmp_path, 1).number == 2
    yard.close()


@pytest.mark.parametrize("first", [True, False])
def test_of_two_copies_the_one_that_can_be_read_is_taken(tmp_path, first):
    """After a repair the damaged bytes are still in the store."""
    yard = create(tmp_path / "yard", author="ann", store="sqlite:///store.db")
    commit(yard, tmp_path, 0)
    backend = yard.house.backend
    (name,) = backend.keys("packs/")
    data = bytearray(backend.get(name))
    with yard.house.catalog.read() as connection:
        content = connection.execute(sa.select(chunk).where(chunk.c.kind == Kind.CONTENT)).one()
    other = f"packs/{'00' if first else 'ff'}/{'0' if first else 'f'}{'0' * 39}.pack"
    data[content.start + 7] ^= 1
    backend.put(other, bytes(data))
    assert yard.verify(rebuild=True).ok
    assert yard.open("m", 1, "m.bin").read() == (tmp_path / "m.bin").read_bytes()
    yard.close()


def test_a_catalog_whose_file_was_cut_to_nothing_is_lost_and_not_new(tmp_path):
    """Else gc would take every pack for somebody's leftover."""
    create(tmp_path / "yard", author="ann").close()
    yard = open_yard(tmp_path / "yard")
    commit(yard, tmp_path, 0)
    yard.close()
    (tmp_path / "yard" / "catalog.db").write_bytes(b"")
    yard = open_yard(tmp_path / "yard")
    with pytest.raises(Corrupt) as caught:
        yard.gc()
    assert caught.value.kind == "catalog-lost"
    assert yard.verify(rebuild=True).ok
    assert [model.name for model in yard.models()] == ["m"]
    yard.close()


def test_gc_keeps_what_a_catalog_that_was_set_back_has_forgotten(tmp_path, monkeypatch):
    """An old copy of the catalog came back, or a standby that lagged behind became the primary."""
    monkeypatch.setattr(dropping, "STRAY_MINUTES", 0)
    yard = create(tmp_path / "yard", author="ann", store="sqlite:///store.db")
    config = tmp_path / "yard" / "yard.toml"
    config.write_text('[store]\nurl = "sqlite:///store.db"\n[gc]\ngrace_minutes = 0\n')
    commit(yard, tmp_path, 0)
    yard.close()
    before = (tmp_path / "yard" / "catalog.db").read_bytes()
    yard = open_yard(tmp_path / "yard")
    commit(yard, tmp_path, 1)
    yard.close()
    (tmp_path / "yard" / "catalog.db").write_bytes(before)
    yard = open_yard(tmp_path / "yard")
    yard.gc()
    assert yard.gc(dry_run=True).packs_deleted == yard.gc().packs_deleted == 0
    assert yard.verify(rebuild=True).ok
    assert yard.open("m", 2, "m.bin").read() == (tmp_path / "m.bin").read_bytes()
    yard.close()


def test_a_purge_that_was_undone_is_not_done_by_a_rebuild(tmp_path):
    """gc died before its COMMIT; the first of its two numbers was used again, the second not."""
    yard = create(tmp_path / "yard", author="ann", store="sqlite:///store.db")
    for seed in range(3):
        commit(yard, tmp_path, seed)

    def die(journal):
        for number in (1, 2):
            journal.write("purge", who="gc", model=1, name="m", detail={"number": number})
        journal.settle()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        in_journal(yard.house, die)
    yard.label("m", 2, add={"good": "yes"})
    assert yard.verify(rebuild=True).ok
    for number, seed in ((1, 0), (2, 1)):
        assert yard.open("m", number, "m.bin").read() == np.random.default_rng(seed).bytes(200_000)
    yard.close()


def test_bytes_that_look_like_heads_are_no_records():
    """Nothing but noise and zeros behind the damage: nothing is found, and nothing is damaged."""
    for tail in (bytes(100_000), np.random.default_rng(0).bytes(100_000), b"\1\0\0\0" * 9000):
        data = HEADER + tail
        assert salvage_records(lambda a, b, data=data: data[a:b], len(data)) == ([], False)
