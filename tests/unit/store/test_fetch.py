"""Far stores are asked seldom, for much, ahead of time, and never for more than memory holds."""

import itertools
import os
import threading
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.core.chunks import ChunkRow, Kind
from modelyard.errors import Corrupt, Unavailable
from modelyard.store import fetch
from modelyard.store.chunking import Span, cut
from modelyard.store.extract import BlobReader
from modelyard.store.fetch import Ahead, plan
from modelyard.store.ingest import Ingest, decode_recipe
from modelyard.store.reader import Reader
from modelyard.store.writer import Session
from modelyard.testing.strategies import few

MB = 1 << 20


def row(number, pack, start, length):
    return ChunkRow(number, b"%032d" % number, pack, start, length, length, 0, Kind.CONTENT, None)


def fresh_version(size, pack=64 * MB):
    """Chunks of 1 MiB in whole packs, as a first commit writes them."""
    per_pack = pack // (MB + 200)
    return [
        row(i, f"packs/{i // per_pack}", 16 + (i % per_pack) * (MB + 16), MB)
        for i in range(size // MB)
    ]


def test_a_fresh_gigabyte_takes_at_most_forty_requests():
    ranges, _ = plan(fresh_version(10**9), parallel=16)
    assert len(ranges) <= 38  # the rest is for the recipe and the bundle
    assert all(r.size < 40 * MB for r in ranges)


def test_little_is_fetched_by_several_at_once():
    ranges, _ = plan(fresh_version(60 * MB), parallel=16)
    assert 4 <= len(ranges) <= 8


rows_anywhere = st.lists(
    st.builds(
        lambda pack, place, length: (f"packs/{pack}", place * 50_000, length),
        st.integers(0, 2), st.integers(0, 60), st.integers(0, 50_000),
    ),
    min_size=1, max_size=60,
)  # fmt: skip


@given(rows_anywhere, st.integers(1, 8))
def test_every_use_comes_with_one_request(places, parallel):
    rows = [row(i, *place) for i, place in enumerate(places)]
    ranges, where = plan(rows, parallel)
    uses = Counter((r.pack, r.start) for r in rows)
    assert {key: len(found) for key, found in where.items()} == uses
    for r in rows:
        for found, _ in where[r.pack, r.start]:
            assert (found.pack, found.start <= r.start) == (r.pack, True)
            assert r.start + r.length <= found.end
    assert sum(found.uses for found in ranges) == len(rows)
    assert [found.first for found in ranges] == sorted(found.first for found in ranges)


def test_what_lies_far_apart_is_not_fetched_together():
    rows = [row(0, "p", 16, 100), row(1, "p", 300_000, 100), row(2, "p", 250_000, 100)]
    near, _ = plan(rows, 4)
    assert [(r.start, r.end) for r in near] == [(16, 300_100)]
    apart, _ = plan([row(0, "p", 16, 100), row(1, "p", 16 + 100 + (257 << 10), 100)], 4)
    assert len(apart) == 2


def test_a_chunk_that_is_wanted_much_later_is_fetched_again_then():
    first = row(0, "packs/a", 16, MB)
    between = [row(i, "packs/b", 16 + i * MB, MB) for i in range(1, 200)]
    ranges, where = plan([first, *between, first], 4)
    assert [found.pack for found in ranges].count("packs/a") == 2
    assert len(where["packs/a", 16]) == 2


# -- fetching --------------------------------------------------------------------------------------


def filled(backend, packs=3, size=3 * MB):
    for number in range(packs):
        backend.put(f"packs/{number}", np.random.default_rng(number).bytes(size))
    backend.puts.clear()


@few(25)
@given(data=st.data(), memory=st.sampled_from([1, MB, 100 * MB]))
def test_bytes_are_right_in_whatever_order_they_are_taken(far, data, memory):
    backend = far()
    filled(backend)
    places = st.tuples(st.integers(0, 2), st.integers(0, 29), st.integers(1, 100_000))
    wanted = data.draw(st.lists(places, min_size=1, max_size=80))
    rows = [
        row(i, f"packs/{p}", place * 100_000, size) for i, (p, place, size) in enumerate(wanted)
    ]
    ahead = Ahead(backend, rows, memory=memory)
    try:
        for r in data.draw(st.permutations(rows)):
            piece = ahead.take(r)
            whole = backend.get(r.pack, r.start, r.start + r.length)
            assert piece is None or piece == whole  # a twin of another length may have taken it
    finally:
        ahead.close()


def test_what_was_not_planned_is_read_singly(far):
    backend = far()
    filled(backend)
    ahead = Ahead(backend, [row(0, "packs/0", 0, 10)])
    assert ahead.take(row(1, "packs/1", 0, 10)) is None
    assert ahead.take(row(0, "packs/0", 0, 10)) is not None
    assert ahead.take(row(0, "packs/0", 0, 10)) is None
    ahead.close()


def test_requests_run_side_by_side_but_no_more_than_the_backend_likes(far):
    backend = far(max_parallel=3, wait=0.02)
    rows = []
    for number in range(12):
        backend.put(f"packs/{number}", bytes(1000))
        rows.append(row(number, f"packs/{number}", 0, 1000))
    backend.most_at_once = 0
    ahead = Ahead(backend, rows)
    threads = [threading.Thread(target=lambda r=r: ahead.take(r)) for r in rows]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ahead.close()
    assert backend.most_at_once == 3
    assert len(backend.gets) == 12


def test_no_more_is_fetched_than_memory_holds(far):
    backend = far(max_parallel=8)
    rows = []
    for number in range(30):
        backend.put(f"packs/{number}", bytes(MB))
        rows.append(row(number, f"packs/{number}", 0, MB))
    ahead = Ahead(backend, rows, memory=4 * MB)
    for taken, r in enumerate(rows, start=1):
        ahead.take(r)
        assert len(backend.gets) <= taken + 4
    ahead.close()
    assert len(backend.gets) == 30


def test_what_is_never_taken_gives_way(far, monkeypatch):
    monkeypatch.setattr(fetch, "_SPAN", 2 * MB)
    backend = far(max_parallel=2)
    rows = []
    for number in range(20):
        backend.put(f"packs/{number}", bytes(MB))
        rows.append(row(number, f"packs/{number}", 0, MB))
    ahead = Ahead(backend, rows, memory=3 * MB)
    for r in rows[1::2]:
        assert ahead.take(r) is not None
    ahead.close()
    assert len(backend.gets) <= 20


def test_nobody_waits_for_ever_when_everything_is_wanted_backwards(far):
    backend = far(max_parallel=2)
    rows = []
    for number in range(20):
        backend.put(f"packs/{number}", bytes(MB))
        rows.append(row(number, f"packs/{number}", 0, MB))
    ahead = Ahead(backend, rows, memory=2 * MB)
    assert all(ahead.take(r) is not None for r in reversed(rows))
    ahead.close()


def test_a_service_that_fails_in_a_thread_is_told_to_the_reader(far):
    backend = far()
    filled(backend)

    def fail(key, start):
        if key == "packs/1":
            raise Unavailable("store-io", "the service does not answer")

    backend.before_get = fail
    rows = [row(i, f"packs/{i}", 0, 1000) for i in range(3)]
    ahead = Ahead(backend, rows)
    assert ahead.take(rows[0]) is not None
    with pytest.raises(Unavailable, match="does not answer"):
        ahead.take(rows[1])
    assert ahead.take(rows[2]) is not None
    ahead.close()


def test_an_interrupted_reader_leaves_no_other_waiting(far):
    backend = far(wait=0.02)
    filled(backend, packs=1)

    def interrupt(key, start):
        raise KeyboardInterrupt

    backend.before_get = interrupt
    rows = [row(0, "packs/0", 0, 1000), row(1, "packs/0", 1000, 1000)]
    ahead = Ahead(backend, rows)  # one request: the first who asks makes it
    outcomes = []

    def read(r):
        try:
            outcomes.append(ahead.take(r))
        except KeyboardInterrupt:
            outcomes.append("interrupted")

    threads = [threading.Thread(target=read, args=(r,)) for r in rows]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    ahead.close()
    assert sorted(outcomes, key=str) == [None, "interrupted"]


# -- blobs -----------------------------------------------------------------------------------------


def stored(index, backend, pool, path, size=24 * MB):
    content = np.random.default_rng(5).bytes(size)
    path.write_bytes(content)
    session = Session(backend, index)
    with open(path, "rb") as file:
        blob = Ingest(session, Reader(backend, index), pool).file(
            file.fileno(), size, cut([Span(0, size, 1, False)], size, lambda a, b: b""),
            known=lambda digest: False, recipe_base=None,
        )  # fmt: skip
    session.prepare()
    index.grow(session.sync(), session.id)
    session.registered()
    session.close()
    reader = Reader(backend, index)
    record = reader.record(reader.rows([blob.content])[blob.content])
    backend.gets.clear()
    return content, BlobReader(reader, decode_recipe(record))


def test_a_blob_is_read_by_few_requests(far, index, pool, tmp_path):
    backend = far(wait=0.001)
    content, blob = stored(index, backend, pool, tmp_path / "a")
    assert blob.read_all(pool).tobytes() == content
    assert len(backend.gets) <= 3
    backend.gets.clear()
    with open(tmp_path / "out", "wb+") as out:
        blob.write_to(out.fileno(), pool, lambda count: None)
    assert (tmp_path / "out").read_bytes() == content
    assert len(backend.gets) <= 3
    backend.gets.clear()
    assert blob.read(3 * MB + 5, 9 * MB).tobytes() == content[3 * MB + 5 : 9 * MB]
    assert len(backend.gets) <= 3  # two threads wrote their runs side by side


def test_of_a_cut_pack_only_the_last_chunks_are_lost(far, index, pool, tmp_path):
    backend = far()
    content, blob = stored(index, backend, pool, tmp_path / "a")
    (key,) = backend.keys("packs/")
    rows = Reader(backend, index).rows([name for name, _ in blob.chunks])
    last = max(rows.values(), key=lambda row: row.start)
    whole = backend.get(key)
    backend.delete(key)
    backend.put(key, whole[: last.start + 10])
    with pytest.raises(Corrupt, match=r"ends before|damaged"):
        blob.read_all(pool)
    starts = [0, *itertools.accumulate(size for _, size in blob.chunks)]
    for (name, size), start in zip(blob.chunks, starts, strict=False):
        if name != last.hash:
            assert blob.read(start, start + size).tobytes() == content[start : start + size]


def test_a_lost_pack_is_named_from_afar(far, index, pool, tmp_path):
    backend = far()
    _, blob = stored(index, backend, pool, tmp_path / "a")
    for key in list(backend.keys("packs/")):
        backend.delete(key)
    with pytest.raises(Corrupt) as caught, open(os.devnull, "wb+"):
        blob.read_all(pool)
    assert caught.value.kind == "pack-lost"


def test_many_small_records_come_together(far, index, pool):
    backend = far()
    session = Session(backend, index)
    ingest = Ingest(session, Reader(backend, index), pool)
    contents = [f"bundle {number} ".encode() * 50 for number in range(300)]
    names = [ingest.record(Kind.BUNDLE, content) for content in contents]
    session.prepare()
    index.grow(session.sync(), session.id)
    session.registered()
    session.close()
    reader = Reader(backend, index)
    rows = reader.rows(names)
    backend.gets.clear()
    found = dict(reader.records([rows[name] for name in names]))
    assert [found[rows[name]] for name in names] == contents
    assert len(backend.gets) == 1
