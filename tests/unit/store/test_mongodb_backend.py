"""MongoDB as a store, over its wire protocol: GridFS, whole or not there, the newest stays."""

import time

import gridfs
import numpy as np
import pymongo
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.store.databases import killed_in_the_middle, puts, puts_while

from modelyard.errors import Corrupt, Denied, InvalidInput, Unavailable
from modelyard.store.mongodb import MongoBackend
from modelyard.testing import BackendTests
from modelyard.testing.strategies import few

MIB = 1 << 20
CONTENT = np.random.default_rng(5).bytes(4 * MIB)
SECRET = "correct-horse-battery"


@pytest.fixture
def backend(mongodb_url):
    backend = MongoBackend(mongodb_url)
    yield backend
    backend.close()


@pytest.fixture
def database(mongodb_url):
    """What is stored, past the backend."""
    with pymongo.MongoClient(mongodb_url) as client:
        yield client.get_default_database()


class TestMongodb(BackendTests):
    @pytest.fixture
    def backend(self, mongodb_url):
        backend = MongoBackend(mongodb_url)
        yield backend
        backend.close()


def _count(database):
    kinds = ("files", "chunks", "uploads")
    return [database[f"yard_store.{kind}"].count_documents({}) for kind in kinds]


@few(12)
@given(data=st.data(), parts=st.integers(0, 3), more=st.sampled_from([-1, 0, 1, 5000]))
def test_any_range_of_any_number_of_chunks_is_the_slice(backend, data, parts, more):
    size = max(parts * MIB + more, 0)
    backend.put(f"of/{size}", CONTENT[:size])
    near = st.sampled_from([at * MIB + off for at in range(4) for off in (-1, 0, 1, 4096)])
    start = min(max(data.draw(near), 0), size)
    end = min(max(data.draw(near), start), size)
    assert backend.get(f"of/{size}", start, end) == CONTENT[start:end]
    assert backend.get(f"of/{size}", start) == CONTENT[start:size]
    backend.delete(f"of/{size}")


def test_any_tool_for_gridfs_reads_what_is_stored(backend, database):
    backend.put("packs/ab/one", CONTENT[: 2 * MIB + 5])
    bucket = gridfs.GridFSBucket(database, "yard_store")
    with bucket.open_download_stream_by_name("packs/ab/one") as stream:
        assert stream.length == 2 * MIB + 5
        assert stream.read() == CONTENT[: 2 * MIB + 5]


def test_a_second_put_takes_the_place_of_the_first_whole(backend, database, mongodb_url):
    backend.put("k", CONTENT[: 3 * MIB])
    assert backend.get("k", 5, 10) == CONTENT[5:10]
    other = MongoBackend(mongodb_url)
    other.put("k", CONTENT[MIB : 2 * MIB])
    other.close()
    assert backend.get("k", 5, 10) == CONTENT[MIB + 5 : MIB + 10]
    assert _count(database) == [1, 1, 0]


def test_a_second_put_is_seen_although_the_clock_went_back(backend, database):
    backend.put("k", b"one")
    database["yard_store.files"].update_one({}, [{"$set": {"uploadDate": _tomorrow()}}])
    backend.put("k", b"two")
    assert backend.get("k") == b"two"
    assert _count(database) == [1, 1, 0]


def _tomorrow():
    from datetime import UTC, datetime, timedelta

    return datetime.now(UTC) + timedelta(days=1)


def test_a_lost_chunk_is_told(backend, database):
    backend.put("k", CONTENT[: 3 * MIB])
    database["yard_store.chunks"].delete_one({"n": 1})
    assert backend.get("k", 0, MIB) == CONTENT[:MIB]
    with pytest.raises(Corrupt) as caught:
        backend.get("k")
    assert caught.value.kind == "short-object"


def test_delete_leaves_nothing(backend, database):
    backend.put("k", CONTENT)
    backend.delete("k")
    assert _count(database) == [0, 0, 0]


def test_keys_are_listed_by_the_index(backend, database):
    backend.put("a/b", b"x")
    wanted = {"filename": {"$gte": "a/", "$lt": "a/\x7f"}}
    plan = database["yard_store.files"].find(wanted).sort("filename", 1).explain()
    assert "IXSCAN" in str(plan["queryPlanner"]["winningPlan"])


def test_a_swept_upload_is_written_again(backend, database):
    """Its writer slept longer than gc waits, then goes on."""
    files, swept = backend._files, []

    def insert(upload, number, batch, insert=files.insert):
        insert(upload, number, batch)
        if not swept:
            swept.append(backend.remove_leftovers(-1.0))

    files.insert = insert
    backend.put("k", CONTENT * 3)
    assert swept == [1]
    assert backend.get("k") == CONTENT * 3
    assert _count(database) == [1, 12, 0]


@pytest.mark.parametrize("when", ["show", "close"])
def test_a_writer_that_dies_at_the_end_has_put_all_or_nothing(backend, database, when):
    backend.put("k", b"before")
    steps = {"show": ("open", "insert"), "close": ("open", "insert", "show")}[when]
    files, upload = backend._files, backend._files.new_id()
    now = files.open(upload)
    files.insert(upload, 0, memoryview(CONTENT[:MIB]))
    if "show" in steps:
        files.show(upload, "k", MIB, now)
    assert backend.remove_leftovers() == 0
    assert backend.remove_leftovers(-1.0) == 1
    assert backend.get("k") == (CONTENT[:MIB] if "show" in steps else b"before")
    assert _count(database)[2] == 0
    backend.put("k", b"after")
    assert _count(database) == [1, 1, 0]


@pytest.mark.slow
def test_64_mib_are_put_in_little_memory(mongodb_url):
    process = puts(mongodb_url, 64 * MIB)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    assert int(said.split()[1]) < 24 * MIB


@pytest.mark.slow
def test_a_put_that_is_killed_leaves_nothing_to_see_and_little_to_clean(
    backend, database, mongodb_url
):
    backend.put("kept", b"kept")
    chunks = database["yard_store.chunks"]
    killed_in_the_middle(mongodb_url, 512 * MIB, lambda: chunks.count_documents({}) > 6)
    assert list(backend.keys()) == ["kept", "warm"]
    assert backend.stat("big") is None
    assert backend.remove_leftovers() == 0  # it may be alive, for all we know
    assert backend.remove_leftovers(-1.0) == 1
    assert _count(database) == [2, 4, 0]
    assert backend.get("kept") == b"kept"


@pytest.mark.slow
def test_two_processes_put_one_key_at_once(backend, database, mongodb_url):
    processes = [puts(mongodb_url, 9 * MIB, 4) for _ in range(2)]
    for process in processes:
        process.communicate(timeout=120)
        assert process.returncode == 0
    assert backend.get("big", 8 * MIB) == bytes(range(256)) * (MIB >> 8)
    assert list(backend.keys()) == ["big", "warm"]
    assert _count(database) == [2, 9 + 3, 0]


def _refused(url):
    with pytest.raises((Denied, Unavailable, InvalidInput)) as caught:
        _put_and_close(url)
    assert SECRET not in f"{caught.value} {caught.value.hint}"
    return type(caught.value), caught.value.kind


def _put_and_close(url):
    backend = MongoBackend(url)
    try:
        backend.put("k", b"x")
    finally:
        backend.close()


@pytest.mark.parametrize("url", ["mongodb://h", "mongodb://", "nonsense", "mongodb://h:x/db"])
def test_a_url_of_no_database_is_refused(url):
    assert _refused(url) == (InvalidInput, "bad-store-url")


def test_a_password_in_the_url_is_refused():
    assert _refused(f"mongodb://u:{SECRET}@h/db") == (InvalidInput, "secret-in-url")


def test_wrong_credentials_are_told(mongodb_url, monkeypatch):
    assert _refused(mongodb_url.replace("://", "://u@")) == (Denied, "store-credentials")
    monkeypatch.setenv("YARD_STORE_USER", "u")
    monkeypatch.setenv("YARD_STORE_PASSWORD", SECRET)
    assert _refused(mongodb_url) == (Denied, "store-credentials")


@pytest.mark.slow
@pytest.mark.parametrize(
    "place", ["127.0.0.1:1/db", "no-such-host.invalid/db?serverSelectionTimeoutMS=500"]
)
def test_a_server_that_is_not_there_is_told_soon(place):
    begin = time.monotonic()
    assert _refused(f"mongodb://{place}") == (Unavailable, "store-unavailable")
    assert time.monotonic() - begin < 12


@pytest.mark.slow
def test_puts_outlive_a_crash_of_the_database(own_service):
    server = own_service("mongodb")
    backend = MongoBackend(f"{server.url}yard")
    for key, content in puts_while(backend, CONTENT, lambda: server.restart(kill=True)).items():
        assert backend.get(key) == content
    backend.close()
