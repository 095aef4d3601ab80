"""Packs that are put whole: few, in parallel, never half known, and held until the commit."""

import itertools
import threading
import time

import numpy as np
import pytest
import sqlalchemy as sa

from modelyard.catalog.queries import chunks
from modelyard.catalog.schema import lease
from modelyard.core.chunks import Kind
from modelyard.errors import Unavailable
from modelyard.store.codecs import Encoded
from modelyard.store.ingest import Ingest
from modelyard.store.pack import chunk_id, parse_trailer
from modelyard.store.reader import Reader
from modelyard.store.sealing import Vault
from modelyard.store.writer import Session

MB = 1 << 20
KEY = bytes(range(32))


def noise(number, size=MB):
    return np.random.default_rng(number).bytes(size)


def add(session, content, kind=Kind.CONTENT):
    name = chunk_id(kind, content)
    assert session.claim(name)
    session.append(kind, name, len(content), Encoded(0, [memoryview(content)], len(content)), None)
    return name


def add_all(session, contents):
    for content in contents:
        add(session, content)
    session.prepare()


def contents_of(index, backend, names, vault=None):
    reader = Reader(backend, index, vault)
    rows = reader.rows(names)
    return [reader.record(rows[name]) for name in names]


def expiries(index):
    with index._catalog.fresh() as connection:
        return list(
            connection.execute(sa.select(lease.c.expires).order_by(lease.c.expires)).scalars()
        )


@pytest.fixture(params=["plain", "encrypted"])
def vault(request):
    return Vault(KEY) if request.param == "encrypted" else None


def test_a_small_commit_is_one_put_from_however_many_threads(far, index, vault):
    backend = far()
    session = Session(backend, index, vault)
    contents = [noise(number, 20_000) for number in range(8)]
    threads = [threading.Thread(target=add, args=(session, content)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    session.prepare()
    assert backend.puts == []
    bundle = add(session, b"the bundle", Kind.BUNDLE)
    growth = session.sync()
    assert len(backend.puts) == len(growth) == 1
    assert session.sync() == growth
    index.grow(growth, session.id)
    session.registered()
    session.close()
    names = [chunk_id(Kind.CONTENT, content) for content in contents]
    assert contents_of(index, backend, [*names, bundle], vault) == [*contents, b"the bundle"]


def test_content_is_put_and_known_before_the_last_transaction(far, index, vault):
    backend = far()
    session = Session(backend, index, vault)
    names = [add(session, noise(number)) for number in range(3)]
    session.prepare()
    assert set(index.find(names)) == set(names)
    assert len(backend.puts) == len(session.grown) == 1
    add(session, b"the bundle", Kind.BUNDLE)
    (growth,) = session.sync()
    assert growth.size < 1000
    session.close()
    assert contents_of(index, backend, names, vault) == [noise(number) for number in range(3)]


def test_no_pack_is_larger_than_the_backend_takes(far, index, vault):
    backend = far(max_object=2 * MB)
    session = Session(backend, index, vault)
    names = [add(session, noise(number, 300_000)) for number in range(40)]
    tiny = [add(session, b"%d" % number) for number in range(6_000)]
    session.prepare()
    index.grow(session.sync(), session.id)
    assert max(size for _, size in backend.puts) <= 2 * MB
    assert len(backend.puts) <= 12
    assert len(index.find(names)) + len(index.find(tiny)) == 6_040
    session.close()


def test_puts_run_side_by_side_and_the_writer_waits_when_two_are_under_way(far, index):
    backend = far(max_object=MB, max_parallel=16, wait=0.05)
    session = Session(backend, index)
    for number in range(12):
        add(session, noise(number, 700_000))
        with backend._count:
            assert len(backend.puts) >= number - 3
    session.prepare()
    session.close()
    assert backend.most_at_once == 2


def test_what_comes_after_prepare_may_be_much(far, index):
    backend = far(max_object=MB)
    session = Session(backend, index)
    session.prepare()
    names = [add(session, noise(number, 300_000)) for number in range(10)]
    assert index.find(names) == {}
    growth = session.sync()
    assert len(growth) == 4
    assert index.find(names) == {}
    index.grow(growth, session.id)
    assert len(index.find(names)) == 10
    session.close()


def test_a_put_that_fails_leaves_nothing_half_known(far, index):
    backend = far(max_object=MB)
    session = Session(backend, index)

    def fail(key):
        raise Unavailable("store-io", "the service does not answer")

    backend.before_put = fail
    names = [chunk_id(Kind.CONTENT, noise(number, 700_000)) for number in range(4)]
    with pytest.raises(Unavailable, match="does not answer"):
        add_all(session, [noise(number, 700_000) for number in range(4)])
    session.close()
    assert index.find(names) == {}
    assert list(backend.keys("packs/")) == []
    backend.before_put = lambda key: None
    again = Session(backend, index)
    for number in range(4):
        add(again, noise(number, 700_000))
    again.prepare()
    index.grow(again.sync(), again.id)
    again.close()
    assert len(index.find(names)) == 4


def test_an_interrupted_commit_resumes_with_what_was_put(far, index, pool):
    backend = far(max_object=MB)
    contents = [noise(number, 700_000) for number in range(6)]

    turn = itertools.count(1)  # two puts may run side by side

    def fail(key):
        if next(turn) == 4:
            raise Unavailable("store-io", "the service does not answer")

    backend.before_put = fail
    session = Session(backend, index)
    with pytest.raises(Unavailable):
        add_all(session, contents)
    session.close()
    sent = len(index.find([chunk_id(Kind.CONTENT, content) for content in contents]))
    assert sent >= 3
    again = Session(backend, index)
    ingest = Ingest(again, Reader(backend, index), pool)
    for content in contents:
        ingest.record(Kind.CONTENT, content)
    again.prepare()
    index.grow(again.sync(), again.id)
    assert again.new_bytes == (6 - sent) * 700_000
    assert len(again.reused) == sent
    again.close()


def test_a_put_within_the_transaction_may_be_tried_again(far, index):
    backend = far()
    session = Session(backend, index)
    session.prepare()
    name = add(session, b"the bundle", Kind.BUNDLE)
    answers = iter([Unavailable("store-io", "no"), None])

    def fail_once(key):
        error = next(answers)
        if error is not None:
            raise error

    backend.before_put = fail_once
    with pytest.raises(Unavailable):
        session.sync()
    index.grow(session.sync(), session.id)
    assert backend.puts[0] == backend.puts[1]
    assert contents_of(index, backend, [name]) == [b"the bundle"]
    session.close()


def test_two_sessions_never_share_a_key_even_for_the_same_bytes(far, index, vault):
    backend = far()
    for _ in range(3):
        session = Session(backend, index, vault)
        add(session, b"the same content")
        session.prepare()
        session.sync()
        session.close()
    assert len({key for key, _ in backend.puts}) == 3


def test_what_somebody_else_registered_first_counts_as_reused(far, index):
    backend = far()
    first, second = Session(backend, index), Session(backend, index)
    for session in (first, second):
        add(session, noise(1, 2 * MB))
    first.prepare()
    assert first.reused == set()
    second.prepare()
    name = chunk_id(Kind.CONTENT, noise(1, 2 * MB))
    assert second.reused == {index.find([name])[name].id}
    for session in (first, second):
        session.close()


def test_a_pack_tells_the_same_as_the_index(far, index, vault):
    backend = far()
    session = Session(backend, index, vault)
    names = [add(session, noise(number, 50_000)) for number in range(40)]
    session.prepare()
    session.close()
    ((key, size),) = backend.puts
    lock = vault.lock(index.pack_seal(key)) if vault else None
    found = parse_trailer(lambda a, b: backend.get(key, a, b), size, lock)
    assert [chunk.hash for chunk in found] == names
    assert list(index.contents(key)) == list(found)


# -- leases ----------------------------------------------------------------------------------------


def test_every_pack_of_a_session_is_held_until_it_ends(far, index):
    session = Session(far(max_object=MB), index)
    for number in range(4):
        add(session, noise(number, 700_000))
    session.prepare()
    assert len(expiries(index)) == len(session.grown) == 3  # the last one is small and may wait
    session.close()
    assert expiries(index) == []


def test_each_new_pack_renews_the_leases_of_all(far, index):
    session = Session(far(), index)
    add(session, noise(1, 2 * MB))
    session._packs.prepare()
    session._join()
    (before,) = expiries(index)
    time.sleep(0.01)
    add(session, noise(2, 2 * MB))
    session.prepare()
    assert len(expiries(index)) == 2
    assert min(expiries(index)) > before
    session.close()


def test_leases_are_renewed_while_a_long_put_runs(far, index):
    backend = far(max_object=3 * MB)
    session = Session(backend, index, beat=0.02)
    add(session, noise(1, 2 * MB))
    session._packs.prepare()
    session._join()
    (before,) = expiries(index)
    deadline = time.monotonic() + 10
    while expiries(index) == [before]:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    session.close()


def test_a_lease_that_ran_out_is_not_taken_up_again(far, index):
    session = Session(far(max_object=MB), index)
    for number in range(2):
        add(session, noise(number, 700_000))
    session.prepare()
    catalog = index._catalog
    catalog.write(lambda c: c.execute(sa.update(lease).values(expires=1)))
    index.renew(session.id)
    with catalog.read() as connection:
        now = catalog.now(connection)
        assert chunks.lease_count(connection, session.id, now) == 0 < len(session.grown)
    session.close()


def test_the_heart_stops_with_its_session(far, index):
    before = set(threading.enumerate())
    session = Session(far(), index, beat=60)
    add(session, noise(1, 2 * MB))
    session.prepare()
    (heart,) = (t for t in set(threading.enumerate()) - before if t.name == "leases")
    session.close()
    assert not heart.is_alive()
