"""Sessions write each chunk once, durably, and leave nothing half-known."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from modelyard.catalog.engine import Catalog
from modelyard.catalog.index import CatalogIndex
from modelyard.catalog.migrate import migrate
from modelyard.core.chunks import PACK_LIMIT, Kind
from modelyard.core.digest import Digest
from modelyard.errors import Conflict, Corrupt
from modelyard.store.chunking import Span, cut, whole
from modelyard.store.codecs import Workspace
from modelyard.store.extract import BlobReader
from modelyard.store.ingest import Ingest, StoredBlob, decode_recipe
from modelyard.store.local import LocalBackend
from modelyard.store.memory import MemoryBackend
from modelyard.store.reader import Reader
from modelyard.store.writer import Session


@pytest.fixture
def index(tmp_path):
    catalog = Catalog.open(f"sqlite:///{tmp_path / 'catalog.db'}")
    migrate(catalog)
    yield CatalogIndex(catalog)
    catalog.close()


@pytest.fixture(params=["local", "memory"])
def backend(request, tmp_path):
    return LocalBackend(tmp_path / "store") if request.param == "local" else MemoryBackend()


@pytest.fixture
def pool():
    with ThreadPoolExecutor(2) as threads:
        yield threads


def store(index, backend, pool, path, segments=None, known=lambda digest: False):
    session = Session(backend, index)
    try:
        ingest = Ingest(session, Reader(backend, index), pool)
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            blob = ingest.file(
                file.fileno(), size, segments or whole(size, None), known=known, recipe_base=None
            )
        index.grow(session.sync(), session.id)
        session.registered()
        return blob, session.new_bytes
    finally:
        session.close()


def content_of(index, backend, blob):
    reader = Reader(backend, index)
    row = reader.rows([blob.content])[blob.content]
    if blob.is_recipe:
        return BlobReader(reader, decode_recipe(reader.record(row)))
    return BlobReader(reader, [(blob.content, row.size)])


def write(path, size, seed=0):
    content = np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8).tobytes()
    path.write_bytes(content)
    return content


def no_read(start, end):
    raise AssertionError


def test_a_large_file_comes_back_and_is_stored_once(index, backend, pool, tmp_path):
    content = write(tmp_path / "a", 9_000_001)
    spans = [Span(100, 9_000_000, 4, True)]
    blob, new = store(index, backend, pool, tmp_path / "a", cut(spans, len(content), no_read))
    assert blob.sha256 == Digest.of(content)
    assert new > 8_900_000
    assert content_of(index, backend, blob).read(0, len(content)).tobytes() == content
    again, new = store(index, backend, pool, tmp_path / "a", cut(spans, len(content), no_read))
    assert (again, new) == (blob, 0)


def test_ranges_are_read_without_the_rest(index, backend, pool, tmp_path):
    content = write(tmp_path / "a", 5_000_000)
    spans = [Span(0, 5_000_000, 1, False)]
    blob, _ = store(index, backend, pool, tmp_path / "a", cut(spans, len(content), no_read))
    reader = content_of(index, backend, blob)
    for start, end in [(0, 1), (1 << 20, (1 << 20) + 5), (999_999, 3_000_001), (4_999_999, 10**9)]:
        assert reader.read(start, end).tobytes() == content[start:end]


def test_a_known_digest_stops_the_work(index, backend, pool, tmp_path):
    content = write(tmp_path / "a", 3_000_000)
    digest, _ = store(
        index, backend, pool, tmp_path / "a", cut([], 3_000_000, lambda a, b: content[a:b]),
        known=lambda digest: True,
    )  # fmt: skip
    assert digest == Digest.of(content)
    assert not isinstance(digest, StoredBlob)


def test_a_file_that_changes_under_our_eyes_is_refused(index, backend, pool, tmp_path):
    path = tmp_path / "a"
    write(path, 2_000_000)

    def segments():
        yield from cut([Span(0, 1_000_000, 1, False)], 2_000_000, lambda a, b: b"x" * (b - a))
        path.write_bytes(b"other")

    with pytest.raises(Conflict, match=r"while it was read"):
        store(index, backend, pool, path, segments())


def test_what_a_dead_writer_left_is_cut_off(index, pool, tmp_path):
    backend = LocalBackend(tmp_path / "store")
    content = write(tmp_path / "a", 50_000)
    blob, _ = store(index, backend, pool, tmp_path / "a")
    ((key, *_),) = index.open_packs()
    with open(backend.root / key, "ab") as pack:
        pack.write(b"torn by a power cut")
    other = write(tmp_path / "b", 60_000, seed=1)
    second, _ = store(index, backend, pool, tmp_path / "b")
    assert content_of(index, backend, blob).read(0, 10**9).tobytes() == content
    assert content_of(index, backend, second).read(0, 10**9).tobytes() == other
    assert b"torn" not in (backend.root / key).read_bytes()


def test_two_sessions_never_write_to_one_pack(index, tmp_path):
    backend = LocalBackend(tmp_path / "store")
    sessions = [Session(backend, index) for _ in range(3)]
    for session in sessions:
        session.prepare()
    assert len(index.open_packs()) == 3
    for session in sessions:
        session.close()


def test_full_packs_are_sealed_behind_the_writers_back(index, pool, tmp_path):
    backend = LocalBackend(tmp_path / "store")
    content = write(tmp_path / "a", PACK_LIMIT + (5 << 20))
    spans = [Span(0, len(content), 1, False)]
    store(index, backend, pool, tmp_path / "a", cut(spans, len(content), no_read))
    tails = [(backend.root / key).read_bytes()[-8:] for key in backend.keys("packs/")]
    assert all(size < PACK_LIMIT for _, size, _ in index.open_packs())
    assert tails.count(b"yardtail") == len(tails) - len(index.open_packs())


def test_a_flipped_bit_is_noticed_when_read(index, pool, tmp_path):
    backend = LocalBackend(tmp_path / "store")
    write(tmp_path / "a", 50_000)
    blob, _ = store(index, backend, pool, tmp_path / "a")
    ((key, size, _),) = index.open_packs()
    damaged = bytearray((backend.root / key).read_bytes())
    damaged[size // 2] ^= 4
    (backend.root / key).write_bytes(damaged)
    with pytest.raises(Corrupt, match="damaged"):
        content_of(index, backend, blob).read(0, 100)


def test_a_lost_pack_is_named(index, pool, tmp_path):
    backend = LocalBackend(tmp_path / "store")
    write(tmp_path / "a", 50_000)
    blob, _ = store(index, backend, pool, tmp_path / "a")
    ((key, *_),) = index.open_packs()
    backend.delete(key)
    with pytest.raises(Corrupt, match="not in the store"):
        content_of(index, backend, blob).read(0, 100)


def test_many_threads_add_the_same_record_once(index, backend, pool):
    session = Session(backend, index)
    ingest = Ingest(session, Reader(backend, index), pool)
    content = b"the same inspection " * 50
    threads = [
        threading.Thread(target=ingest.record, args=(Kind.INSPECTION, content)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    growth = session.sync()
    assert sum(len(pack.chunks) for pack in growth) == 1
    session.close()


def test_chunks_of_other_codecs_need_no_more_than_their_workspace(index, backend, pool, tmp_path):
    weights = (np.random.default_rng(0).standard_normal(1 << 19) * 0.02).astype("f4")
    (tmp_path / "a").write_bytes(weights.tobytes())
    blob, new = store(
        index, backend, pool, tmp_path / "a", cut([Span(0, 1 << 21, 4, True)], 1 << 21, no_read)
    )
    assert new < weights.nbytes * 0.85
    reader = Reader(backend, index)
    names = [name for name, _ in content_of(index, backend, blob).chunks]
    rows = reader.rows(names)
    out = np.empty(rows[names[0]].size, np.uint8)
    reader.into(rows[names[0]], out, Workspace(), {})
    assert out.tobytes() == weights.tobytes()[: len(out)]
