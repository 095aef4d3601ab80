"""Encrypted packs tell nothing without the key, and open only as they were written."""

import base64
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.core.chunks import ChunkRow, Kind, NewChunk
from modelyard.errors import Corrupt, Denied, InvalidInput
from modelyard.store import sealing
from modelyard.store.chunking import Span, cut, whole
from modelyard.store.codecs import Workspace
from modelyard.store.extract import BlobReader
from modelyard.store.ingest import Ingest, decode_recipe
from modelyard.store.local import LocalBackend
from modelyard.store.memory import MemoryBackend
from modelyard.store.pack import (
    chunk_id,
    encode_header,
    encode_trailer,
    lay_record,
    parse_trailer,
    read_seal,
    scan_records,
)
from modelyard.store.reader import Reader
from modelyard.store.rewrapped import open_pack, read_seals, write_seals
from modelyard.store.sealing import BOX_EXTRA, SEAL_SIZE, Part, Vault, load_key, parse_key
from modelyard.store.writer import Session
from modelyard.testing.strategies import few

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))


def make(contents, vault, *, base=None):
    """An encrypted pack without its trailer, its lock, and what is in it."""
    lock = vault.new_lock()
    data = encode_header(lock)
    chunks = []
    for content in contents:
        laid = lay_record(len(data), Kind.CONTENT, 0, len(content), base, [content], lock)
        data += b"".join(laid.parts)
        name = chunk_id(Kind.CONTENT, content)
        chunks.append(NewChunk(name, laid.start, laid.length, len(content), 0, 1, base))
    return data, lock, chunks


def reading(data):
    return lambda start, end: bytes(data[start : min(end, len(data))])


def opened(data, chunk, lock):
    return lock.open(Part.PAYLOAD, chunk.start, data[chunk.start : chunk.start + chunk.length])


contents_ = st.lists(st.binary(min_size=1, max_size=80), min_size=1, max_size=6)


@given(contents_, st.booleans())
def test_an_encrypted_pack_tells_its_chunks_both_ways(contents, with_base):
    base = bytes(range(32)) if with_base else None
    data, lock, chunks = make(contents, Vault(KEY), base=base)
    complete = data + encode_trailer(chunks, len(data), lock)
    again = open_pack(reading(complete), Vault(KEY), {})
    assert parse_trailer(reading(complete), len(complete), again) == tuple(chunks)
    walked = list(scan_records(reading(data), len(data), again))
    assert [(r.start, r.length, r.size, r.base) for r in walked] == [
        (c.start, c.length, c.size, c.base) for c in chunks
    ]
    assert [opened(data, chunk, again) for chunk in chunks] == contents


@given(contents_, st.data())
def test_a_cut_encrypted_pack_gives_its_whole_records(contents, data_):
    data, lock, chunks = make(contents, Vault(KEY))
    end = data_.draw(st.integers(16 + SEAL_SIZE, len(data)))
    found = list(scan_records(reading(data[:end]), end, lock))
    assert [r.start for r in found] == [c.start for c in chunks if c.start + c.length <= end]
    assert parse_trailer(reading(data[:end]), end, lock) is None


@few(300)
@given(contents_, st.data())
def test_a_flipped_bit_anywhere_never_gives_other_bytes(contents, data_):
    data, lock, chunks = make(contents, Vault(KEY))
    complete = bytearray(data + encode_trailer(chunks, len(data), lock))
    at = data_.draw(st.integers(0, len(complete) - 1))
    complete[at] ^= 1 << data_.draw(st.integers(0, 7))
    try:
        found = open_pack(reading(complete), Vault(KEY), {})
    except (Corrupt, Denied):
        assert at < 16 + SEAL_SIZE
        return
    assert at >= 16 + SEAL_SIZE
    assert found is not None
    rows = parse_trailer(reading(complete), len(complete), found)
    assert (rows is None) == (at >= len(data))
    for chunk, content in zip(rows or chunks, contents, strict=True):
        if chunk.start <= at < chunk.start + chunk.length:
            with pytest.raises(Corrupt) as caught:
                opened(complete, chunk, found)
            assert caught.value.kind == "bad-box"
        else:
            assert opened(complete, chunk, found) == content
    for record in scan_records(reading(complete), len(data), found):
        assert record.start in {chunk.start for chunk in chunks}


@given(st.lists(st.binary(min_size=40, max_size=40), min_size=2, max_size=5, unique=True))
def test_boxes_open_only_where_and_as_what_they_were_made(contents):
    vault = Vault(KEY)
    data, lock, chunks = make(contents, vault)
    first, second = (data[c.start : c.start + c.length] for c in chunks[:2])
    _, other_pack, _ = make(contents, vault)
    for box, at, by, part in [
        (second, chunks[0].start, lock, Part.PAYLOAD),  # swapped with its neighbour
        (first, chunks[1].start, lock, Part.PAYLOAD),
        (first, chunks[0].start, other_pack, Part.PAYLOAD),  # in another pack, at the same place
        (first, chunks[0].start, lock, Part.HEAD),  # as something else
        (first, chunks[0].start, lock, Part.TRAILER),
        (first[:-1], chunks[0].start, lock, Part.PAYLOAD),
        (first[:BOX_EXTRA], chunks[0].start, lock, Part.PAYLOAD),
        (first[:5], chunks[0].start, lock, Part.PAYLOAD),
        (b"", chunks[0].start, lock, Part.PAYLOAD),
        (first + b"\0", chunks[0].start, lock, Part.PAYLOAD),
    ]:
        with pytest.raises(Corrupt):
            by.open(part, at, box)
    assert lock.open(Part.PAYLOAD, chunks[0].start, first) == contents[0]


def test_records_of_one_pack_do_not_walk_in_another():
    vault = Vault(KEY)
    data, _, _ = make([b"one", b"two"], vault)
    other, _, _ = make([b"one", b"two"], vault)
    mixed = other[: 16 + SEAL_SIZE] + data[16 + SEAL_SIZE :]
    lock = open_pack(reading(mixed), vault, {})
    assert list(scan_records(reading(mixed), len(mixed), lock)) == []


def test_a_nonce_is_never_used_twice():
    vault = Vault(KEY)
    nonces = []
    for _ in range(3):  # the same bytes each time, as after a crash
        data, lock, chunks = make([b"same bytes"] * 200, vault)
        nonces += [data[c.start : c.start + 12] for c in chunks]
        nonces += [data[c.start - 76 : c.start - 64] for c in chunks]
        nonces += [lock.box(Part.PAYLOAD, 100, b"same bytes")[:12].tobytes() for _ in range(200)]
    assert len(set(nonces)) == len(nonces)


# -- master keys -----------------------------------------------------------------------------------


def test_a_wrong_key_is_told_at_once_and_is_no_damage():
    data, _, _ = make([b"content"], Vault(KEY))
    with pytest.raises(Denied) as caught:
        open_pack(reading(data), Vault(OTHER), {})
    assert caught.value.kind == "wrong-key"
    assert KEY.hex() not in caught.value.message
    with pytest.raises(Denied) as caught:
        open_pack(reading(data), None, {})
    assert caught.value.kind == "no-master-key"


def test_an_old_key_opens_and_the_new_one_wraps():
    old, new, both = Vault(KEY), Vault(OTHER), Vault(OTHER, [KEY])
    data, _, (chunk,) = make([b"content"], old)
    seal = read_seal(reading(data))
    assert not both.is_current(seal)
    assert opened(data, chunk, both.lock(seal)) == b"content"
    again = both.rewrap(seal)
    assert both.is_current(again)
    assert new.is_current(again)
    assert opened(data, chunk, new.lock(again)) == b"content"
    with pytest.raises(Denied):
        old.lock(again)


def test_seals_beside_the_packs_override_their_headers():
    old, both, new = Vault(KEY), Vault(OTHER, [KEY]), Vault(OTHER)
    backend = MemoryBackend()
    data, _, (chunk,) = make([b"content"], old)
    plain, _, _ = make([b"never rotated"], old)
    seal = read_seal(reading(data))
    write_seals(backend, [seal], 5)  # an older one that counts no more
    write_seals(backend, [both.rewrap(seal)], 10**15)
    seals = read_seals(backend)
    assert opened(data, chunk, open_pack(reading(data), new, seals)) == b"content"
    assert opened(data, chunk, open_pack(reading(data), old, seals)) == b"content"
    with pytest.raises(Denied, match="encrypted with key"):
        open_pack(reading(plain), new, seals)


def test_damaged_seals_beside_the_packs_do_no_harm():
    vault, backend = Vault(KEY), MemoryBackend()
    data, _, _ = make([b"content"], vault)
    seal = bytearray(read_seal(reading(data)))
    seal[-1] ^= 1
    write_seals(backend, [bytes(seal)], 7)
    backend.put("keys/0000000000000009-junk", b"no seals at all")
    assert open_pack(reading(data), vault, read_seals(backend)) is not None


@given(
    st.sampled_from(["hex", "upper", "base64", "urlsafe", "lines"]),
    st.binary(min_size=32, max_size=32),
)
def test_a_key_may_be_written_in_hex_or_base64(form, key):
    text = {
        "hex": key.hex(),
        "upper": key.hex().upper(),
        "base64": base64.b64encode(key).decode(),
        "urlsafe": base64.urlsafe_b64encode(key).decode(),
        "lines": f"\n{key.hex()}\r\n",
    }[form]
    assert parse_key(text) == key


@pytest.mark.parametrize("text", ["", "secret", "ab" * 31, "zz" * 32, "A" * 45, "é" * 44])
def test_what_is_no_key_is_refused_and_not_shown(text):
    with pytest.raises(InvalidInput) as caught:
        parse_key(text)
    assert caught.value.kind == "bad-master-key"
    assert not text or text not in str(caught.value) + (caught.value.hint or "")


def test_a_key_comes_from_the_environment_or_a_file(tmp_path):
    (tmp_path / "text").write_text(KEY.hex() + "\n")
    (tmp_path / "raw").write_bytes(KEY)
    assert load_key("text", tmp_path, {}) == KEY
    assert load_key(str(tmp_path / "raw"), tmp_path, {}) == KEY
    assert load_key("env:YARD_KEY", tmp_path, {"YARD_KEY": KEY.hex()}) == KEY
    for where in ("env:YARD_KEY", "nowhere", "."):
        with pytest.raises(Denied) as caught:
            load_key(where, tmp_path, {})
        assert caught.value.kind == "no-master-key"


# -- other objects ---------------------------------------------------------------------------------


@given(st.binary(max_size=70))
def test_an_object_comes_back_under_its_key_only(content):
    sealing_piece, sealing._PIECE = sealing._PIECE, 20
    try:
        vault = Vault(KEY)
        data = vault.seal_object("backup/1", content)
        assert vault.open_object("backup/1", data) == content
        assert Vault(OTHER, [KEY]).open_object("backup/1", data) == content
        with pytest.raises(Corrupt):
            vault.open_object("backup/2", data)
        with pytest.raises(Denied):
            Vault(OTHER).open_object("backup/1", data)
        for end in range(len(data)):
            with pytest.raises(Corrupt):
                vault.open_object("backup/1", data[:end])
    finally:
        sealing._PIECE = sealing_piece


# -- sessions and readers --------------------------------------------------------------------------

SECRET = b"a very well known sentence "


@pytest.fixture(params=["local", "memory"])
def backend(request, tmp_path):
    return LocalBackend(tmp_path / "store") if request.param == "local" else MemoryBackend()


def store(index, backend, pool, path, vault, *, span=True):
    size = path.stat().st_size
    session = Session(backend, index, vault)
    try:
        ingest = Ingest(session, Reader(backend, index, vault), pool)
        segments = cut([Span(0, size, 1, False)], size, lambda a, b: b"") if span else None
        with open(path, "rb") as file:
            blob = ingest.file(
                file.fileno(), size, segments or whole(size, None),
                known=lambda digest: False, recipe_base=None,
            )  # fmt: skip
        session.prepare()
        index.grow(session.sync(), session.id)
        session.registered()
        return blob
    finally:
        session.close()


def content_of(index, backend, blob, vault):
    reader = Reader(backend, index, vault)
    row = reader.rows([blob.content])[blob.content]
    if blob.is_recipe:
        return BlobReader(reader, decode_recipe(reader.record(row)))
    return BlobReader(reader, [(blob.content, row.size)])


def test_nothing_known_is_found_in_an_encrypted_store(index, backend, pool, tmp_path):
    content = SECRET * 200_000
    (tmp_path / "a").write_bytes(content)
    vault = Vault(KEY)
    blob = store(index, backend, pool, tmp_path / "a", vault)
    reader = content_of(index, backend, blob, vault)
    assert reader.read(0, len(content)).tobytes() == content
    assert reader.read(3, 3_000_000).tobytes() == content[3:3_000_000]
    names = [name for name, _ in reader.chunks] + [blob.content, blob.sha256.raw]
    stored = b"".join(backend.get(key) + key.encode() for key in backend.keys("packs/"))
    for known in (SECRET, b"yardtail", b"\x28\xb5\x2f\xfd", KEY, *names):
        assert known not in stored
        assert known.hex().encode() not in stored


def test_the_same_content_is_stored_differently_each_time(index, pool, tmp_path):
    (tmp_path / "a").write_bytes(os.urandom(50_000))
    stored = []
    for _ in range(2):
        backend = MemoryBackend()
        session = Session(backend, index, Vault(KEY))
        ingest = Ingest(session, Reader(backend, index, Vault(KEY)), pool)
        ingest.record(Kind.BUNDLE, (tmp_path / "a").read_bytes())
        session.prepare()
        session.sync()
        stored += [(key, backend.get(key)) for key in backend.keys("packs/")]
        session.close()
    (key, data), (other_key, other) = stored
    assert key != other_key
    pieces = {data[i : i + 8] for i in range(16, len(data) - 8)}
    assert not pieces & {other[i : i + 8] for i in range(16 + 8, len(other) - 8)}


def test_without_the_key_reading_is_denied_and_not_called_damage(index, backend, pool, tmp_path):
    (tmp_path / "a").write_bytes(os.urandom(300_000))
    blob = store(index, backend, pool, tmp_path / "a", Vault(KEY))
    for vault, kind in ((None, "no-master-key"), (Vault(OTHER), "wrong-key")):
        with pytest.raises(Denied) as caught:
            content_of(index, backend, blob, vault).read(0, 10)
        assert caught.value.kind == kind


def test_an_encrypted_chunk_with_a_flipped_bit_is_named(index, backend, pool, tmp_path):
    (tmp_path / "a").write_bytes(os.urandom(300_000))
    vault = Vault(KEY)
    blob = store(index, backend, pool, tmp_path / "a", vault, span=False)
    row = Reader(backend, index, vault).rows([blob.content])[blob.content]
    damaged = bytearray(backend.get(row.pack))
    damaged[row.start + row.length // 2] ^= 1
    backend.delete(row.pack)
    backend.put(row.pack, bytes(damaged))
    with pytest.raises(Corrupt, match=f"{row.hash.hex()[:16]}.*damaged") as caught:
        content_of(index, backend, blob, vault).read(0, 10)
    assert caught.value.kind == "bad-chunk"


def test_an_open_pack_goes_on_encrypted_and_a_plain_one_stays_plain(index, pool, tmp_path):
    backend, vault = LocalBackend(tmp_path / "store"), Vault(KEY)
    for number in range(4):
        (tmp_path / str(number)).write_bytes(os.urandom(20_000))
    plain = [store(index, backend, pool, tmp_path / "0", None)]
    sealed = [store(index, backend, pool, tmp_path / n, vault) for n in "12"]
    plain.append(store(index, backend, pool, tmp_path / "3", None))
    assert len(list(backend.keys("packs/"))) == 2
    for number, blob in zip("0312", [*plain, *sealed], strict=True):
        found = content_of(index, backend, blob, vault).read(0, 20_000).tobytes()
        assert found == (tmp_path / number).read_bytes()
    for blob in plain:
        assert len(content_of(index, backend, blob, None).read(0, 1)) == 1


def test_an_open_encrypted_pack_is_walked_up_to_where_its_writer_died(index, pool, tmp_path):
    backend, vault = LocalBackend(tmp_path / "store"), Vault(KEY)
    for number in range(2):
        (tmp_path / str(number)).write_bytes(os.urandom(20_000))
    blobs = [store(index, backend, pool, tmp_path / "0", vault)]
    ((key, size, _),) = index.open_packs()
    with open(backend.root / key, "ab") as pack:
        pack.write(os.urandom(1000))
    before = backend.get(key)
    lock = open_pack(reading(before), vault, {})
    assert [r.start + r.length for r in scan_records(reading(before), len(before), lock)] == [size]
    blobs.append(store(index, backend, pool, tmp_path / "1", vault))
    after = backend.get(key)
    assert after[:size] == before[:size]
    records = list(scan_records(reading(after), len(after), lock))
    rows = Reader(backend, index, vault).rows([blob.content for blob in blobs])
    assert {r.start for r in records} == {row.start for row in rows.values()}


def test_a_length_from_a_hostile_catalog_does_no_harm():
    backend, vault = MemoryBackend(), Vault(KEY)
    data, lock, (chunk,) = make([b"content"], vault)
    backend.put("packs/a", data)
    reader = Reader(backend, None, vault)
    for start, length in ((chunk.start, 3), (0, 60), (chunk.start, chunk.length - 1)):
        row = ChunkRow(1, chunk.hash, "packs/a", start, length, 7, 0, 1, None, lock.seal)
        with pytest.raises(Corrupt):
            reader.into(row, np.empty(7, np.uint8), Workspace(), {})
