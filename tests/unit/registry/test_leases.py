"""A commit that takes longer than its leases last notices that gc was faster, and sends again."""

import numpy as np
import pytest
import sqlalchemy as sa

from modelyard.catalog.schema import lease
from modelyard.core.chunks import Kind, NewChunk, PackGrowth
from modelyard.errors import Unavailable
from modelyard.registry import create, open_yard
from modelyard.registry.journal import ContentGone, Journal
from modelyard.store.ingest import Ingest
from modelyard.store.interface import Facts
from modelyard.store.memory import MemoryBackend
from modelyard.store.reader import Reader

PACK = 2 << 20


class Watched(MemoryBackend):
    """Small packs; something happens before the n-th of them is put."""

    def __init__(self):
        super().__init__()
        self.facts = Facts(max_object=PACK, is_local=False)
        self.count = 0
        self.then = {}

    def put(self, key, data):
        if key.startswith("packs/"):
            self.count += 1
            self.then.pop(self.count, lambda: None)()
        super().put(key, data)

    def close(self):
        pass


@pytest.fixture
def yard(tmp_path):
    create(tmp_path / "yard").close()
    (tmp_path / "yard" / "yard.toml").write_text(
        "version = 1\n[gc]\nkeep_deleted_days = 0\ngrace_minutes = 0\n"
    )
    yard = open_yard(tmp_path / "yard")
    yard.house.backend.close()
    yard.house.backend = Watched()
    yard.house.reader = Reader(yard.house.backend, yard.house.index)
    yield yard
    assert yard.verify().ok
    yard.close()


def expire(yard):
    yard.house.catalog.write(lambda c: c.execute(sa.update(lease).values(expires=1)))


@pytest.mark.parametrize("collected", [True, False])
def test_what_gc_took_from_under_a_slow_commit_is_sent_again(yard, tmp_path, collected):
    content = np.random.default_rng(0).bytes(5 * PACK)
    (tmp_path / "m.bin").write_bytes(content)

    def slow():
        expire(yard)
        if collected:
            yard.gc()

    yard.house.backend.then[4] = slow
    done = yard.commit("m", tmp_path / "m.bin")
    assert yard.open("m", done.number, "m.bin").read() == content
    assert done.number == 1
    assert (done.new_bytes > PACK) == collected  # what is still there is not sent again


def test_gc_leaves_a_commit_alone_that_is_under_way(yard, tmp_path):
    content = np.random.default_rng(0).bytes(5 * PACK)
    (tmp_path / "m.bin").write_bytes(content)
    yard.house.backend.then[4] = yard.gc
    done = yard.commit("m", tmp_path / "m.bin")
    assert yard.open("m", done.number, "m.bin").read() == content
    assert yard.house.backend.count <= 7


def test_content_of_a_session_that_died_is_held_by_whoever_uses_it(yard, tmp_path):
    """Another's chunks are found by a second commit; their lease runs out before it is done."""
    content = np.random.default_rng(0).bytes(5 * PACK)
    (tmp_path / "m.bin").write_bytes(content)

    def die():
        raise KeyboardInterrupt

    yard.house.backend.then[4] = die
    with pytest.raises(KeyboardInterrupt):
        yard.commit("m", tmp_path / "m.bin")

    def late():
        expire(yard)
        yard.gc()

    (tmp_path / "m.bin").write_bytes(content + np.random.default_rng(1).bytes(2 * PACK))
    yard.house.backend.then[yard.house.backend.count + 2] = late
    done = yard.commit("m", tmp_path / "m.bin")
    assert yard.open("m", done.number, "m.bin").read() == (tmp_path / "m.bin").read_bytes()


def test_a_lease_that_ran_out_is_missed_also_if_its_pack_grew_again(tmp_path):
    """As when a laptop sleeps for hours in the middle of a copy."""
    yard = create(tmp_path / "yard")
    session = yard.house.session()
    ingest = Ingest(session, yard.house.reader, yard.house.pool)
    ingest.record(Kind.RECIPE, b"before")
    session.flush()
    expire(yard)
    yard.gc()
    ingest.record(Kind.RECIPE, b"after")
    session.flush()
    with yard.house.catalog.read() as connection, pytest.raises(ContentGone):
        Journal(yard.house, connection, ingest).settle()
    session.close()
    yard.close()


def test_a_base_that_came_back_as_a_delta_is_no_base_any_more(tmp_path):
    """gc took it while a delta on it was written, and another session stored it in its own way."""
    yard = create(tmp_path / "yard")

    def new(name, base):
        return NewChunk(name * 32, 16, 4, 4, 0, Kind.CONTENT, base and base * 32)

    def grow(key, *chunks):
        yard.house.index.grow([PackGrowth(f"packs/aa/{key}.pack", 99, True, chunks)], "s")

    grow("aaaaaaaa", new(b"a", None), new(b"b", b"a"))
    with pytest.raises(Unavailable) as caught:
        grow("bbbbbbbb", new(b"c", b"b"))
    assert caught.value.kind == "store-changed"
    yard.house.index.release("s")
    yard.close()
