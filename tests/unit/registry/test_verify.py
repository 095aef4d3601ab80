"""verify says exactly what is wrong, and mends it from another yard."""

import shutil

import numpy as np
import pytest
import sqlalchemy as sa

from modelyard.catalog.schema import chunk, pack
from modelyard.registry import create, open_yard
from modelyard.store.pack import FOOTER_SIZE


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A yard with one complete pack and one that is open, and a copy of it."""
    with monkeypatch.context() as patch:
        patch.setattr("modelyard.store.growing.PACK_LIMIT", 1 << 20)
        yard = create(tmp_path / "yard", author="ann")
        for seed in range(2):
            source = tmp_path / "m.bin"
            source.write_bytes(np.random.default_rng(seed).bytes(9_000_000))
            yard.commit("m", source)
        yard.close()
    shutil.copytree(tmp_path / "yard", tmp_path / "copy")
    return tmp_path / "yard"


def complete(folder):
    """Key, path, size of its records, and rows of the pack that is complete."""
    yard = open_yard(folder)
    with yard.house.catalog.read() as connection:
        row = connection.execute(sa.select(pack).where(pack.c.state == "live")).first()
        chunks = connection.execute(
            sa.select(chunk).where(chunk.c.pack_id == row.id).order_by(chunk.c.start)
        ).all()
    yard.close()
    return row.name, folder / "store" / row.name, row.size, chunks


def flip(path, at):
    data = bytearray(path.read_bytes())
    data[at] ^= 4
    path.write_bytes(data)


def damage(folder, **options):
    yard = open_yard(folder)
    try:
        return yard.verify(**options)
    finally:
        yard.close()


REGIONS = {
    "header": (lambda size, records, rows: 3, "its header is damaged"),
    "record head": (lambda size, records, rows: rows[2].start - 10, "the head of the record"),
    "trailer": (lambda size, records, rows: records + 50, "trailer"),
    "footer": (lambda size, records, rows: size - 5, "its footer is damaged"),
    "footer's offset": (lambda size, records, rows: size - FOOTER_SIZE, "its footer is damaged"),
}


@pytest.mark.parametrize("region", REGIONS)
def test_a_flipped_bit_that_loses_nothing_is_named_by_its_region(folder, region):
    key, path, records, rows = complete(folder)
    where, words = REGIONS[region]
    flip(path, where(path.stat().st_size, records, rows))
    (found,) = damage(folder).damage
    assert (found.what, found.name) == ("pack", key)
    assert words in found.reason
    assert "all its chunks can be read" in found.reason


def test_a_flipped_bit_in_a_chunk_names_chunk_and_versions(folder):
    _, path, _, rows = complete(folder)
    flip(path, rows[1].start + 7)
    (found,) = damage(folder).damage
    assert (found.what, found.name, found.versions) == ("chunk", rows[1].hash.hex(), ("m@1",))


def test_a_pack_that_is_gone_or_cut_short_is_told_with_what_it_held(folder):
    key, path, records, rows = complete(folder)
    path.write_bytes(path.read_bytes()[:-FOOTER_SIZE])
    assert "footer" in damage(folder).damage[0].reason
    path.write_bytes(path.read_bytes()[: records - 5])
    found = damage(folder).damage
    assert "ends at byte" in found[0].reason
    assert found[0].versions == ("m@1", "m@2")[: len(found[0].versions)]
    path.unlink()
    found = damage(folder).damage
    assert (found[0].what, found[0].name) == ("pack", key)
    assert "not in the store" in found[0].reason
    assert {d.name for d in found if d.what == "chunk"} == {row.hash.hex() for row in rows}


def test_a_row_that_lies_is_told_from_damaged_bytes(folder):
    *_, rows = complete(folder)
    yard = open_yard(folder)
    yard.house.catalog.write(
        lambda c: c.execute(sa.update(chunk).where(chunk.c.id == rows[0].id).values(codec=1))
    )
    yard.house.catalog.write(
        lambda c: c.execute(sa.update(chunk).where(chunk.c.id == rows[1].id).values(start=9))
    )
    yard.close()
    reasons = {d.name: d.reason for d in damage(folder).damage if d.what == "chunk"}
    assert "disagree about its codec" in reasons[rows[0].hash.hex()]
    assert "where no record begins" in reasons[rows[1].hash.hex()]


def test_a_chunk_without_a_row_is_missed(folder):
    *_, rows = complete(folder)
    yard = open_yard(folder)
    yard.house.catalog.write(lambda c: c.execute(sa.delete(chunk).where(chunk.c.id == rows[1].id)))
    yard.close()
    (found,) = damage(folder).damage
    assert (found.name, found.versions) == (rows[1].hash.hex(), ("m@1",))


@pytest.mark.parametrize("how", ["flip", "cut", "gone", "row"])
def test_another_yard_gives_back_what_is_lost(folder, how, tmp_path):
    _, path, records, rows = complete(folder)
    if how == "flip":
        flip(path, rows[1].start + 7)
    elif how == "cut":
        path.write_bytes(path.read_bytes()[: records // 2])
    elif how == "gone":
        path.unlink()
    else:
        yard = open_yard(folder)
        yard.house.catalog.write(
            lambda c: c.execute(sa.delete(chunk).where(chunk.c.id == rows[1].id))
        )
        yard.close()
    assert not damage(folder).ok
    report = damage(folder, repair_from=tmp_path / "copy")
    assert report.ok, report.damage
    assert rows[1].hash.hex() in report.repaired
    yard = open_yard(folder)
    for number in (1, 2):
        content = np.random.default_rng(number - 1).bytes(9_000_000)
        assert yard.open("m", number, "m.bin").read() == content
    yard.close()


def test_what_the_other_yard_has_not_stays_damaged_and_is_told(folder, tmp_path):
    _, path, _, rows = complete(folder)
    flip(path, rows[1].start + 7)
    create(tmp_path / "empty").close()
    report = damage(folder, repair_from=tmp_path / "empty")
    assert not report.repaired
    assert [d.name for d in report.damage if d.what == "chunk"] == [rows[1].hash.hex()]
