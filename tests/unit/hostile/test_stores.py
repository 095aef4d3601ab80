"""Stores that somebody else can write to, and yards of strangers."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import sqlite3
import tarfile

import msgspec
import numpy as np
import pytest
import zstandard

from modelyard import registry
from modelyard.catalog.engine import Catalog
from modelyard.catalog.migrate import HEAD, migrate
from modelyard.core.chunks import Kind, NewChunk
from modelyard.core.digest import ChunkId
from modelyard.errors import Conflict, Corrupt, InvalidInput
from modelyard.registry.journal import Entry, decode_entry, encode_entry
from modelyard.registry.objects import join_bundle
from modelyard.registry.outcomes import decode_outcomes
from modelyard.registry.transfer.dump import load_dump, read_dump
from modelyard.store.codecs import decode, workspace
from modelyard.store.pack import HEADER, chunk_id, encode_record_head, encode_trailer


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "model"
    place.mkdir()
    (place / "w.bin").write_bytes(bytes(range(256)) * 400)
    (place / "README.md").write_text("ours")
    return place


def _plant(source, target):
    """Put the packs of one yard into another's store."""
    for pack in (source / "store" / "packs").rglob("*.pack"):
        place = target / "store" / pack.relative_to(source / "store")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(pack, place)


def test_a_plain_pack_in_an_encrypted_yards_store_is_never_taken_for_genuine(tmp_path, folder):
    ours = registry.create(tmp_path / "ours", author="ann", key=str(tmp_path / "key"))
    ours.commit("good", folder, message="genuine")
    theirs = registry.create(tmp_path / "theirs", author="eve")
    theirs.commit("good", folder, message="forged")
    theirs.close()
    _plant(tmp_path / "theirs", tmp_path / "ours")
    assert not ours.verify().damage
    with pytest.raises(Conflict) as caught:
        ours.verify(rebuild=True)
    assert caught.value.kind == "not-sealed"
    assert [entry.message for entry in ours.log("good")] == ["genuine"]
    ours.close()


def test_a_key_that_comes_after_the_packs_seals_nothing_by_half(tmp_path, folder):
    root = tmp_path / "ours"
    registry.create(root, author="ann").commit("good", folder)
    config = (root / "yard.toml").read_text()
    key = tmp_path / "key"
    key.write_text("11" * 32)
    (root / "yard.toml").write_text(config.replace("# key = ", f'key = "{key}" #'))
    yard = registry.open_yard(root, author="ann")
    assert yard.log("good")
    with pytest.raises(Conflict) as caught:
        yard.commit("other", folder)
    assert caught.value.kind == "not-sealed"
    yard.close()


def _frame(size):
    """A frame that is short, and says that it becomes very long."""
    coder = zstandard.ZstdCompressor().compressobj(size=size)
    return coder.compress(bytes(1 << 20)) + coder.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)


def test_a_frame_takes_no_more_memory_than_its_chunk_has():
    out = np.empty(1000, np.uint8)
    with pytest.raises(Corrupt, match="1000 bytes"):
        decode(1, memoryview(_frame(1 << 40)), None, out, workspace())
    with pytest.raises(Corrupt, match="bytes come of it"):
        decode_outcomes(_frame(1 << 40))


def _dump(*messages):
    encoded = [m if isinstance(m, bytes) else msgspec.msgpack.encode(m) for m in messages]
    plain = b"".join(len(m).to_bytes(4, "little") + m for m in encoded)
    return b"yarddump\x01" + zstandard.compress(plain)


DUMP_HEAD = {"revision": HEAD, "time": 1, "versions": 0, "packs": []}
MODEL = ["id", "name", "kind", "description", "next_number", "created", "updated", "deleted"]


@pytest.mark.parametrize(
    "messages",
    [
        [b"\x91" * 100_000],
        [DUMP_HEAD, b"\x91" * 100_000],
        [DUMP_HEAD, b"\x92\xa4rows\xdd\x00\x10\x00\x00" + b"\x90" * (1 << 20)],
        [DUMP_HEAD, b"\xdd\xff\xff\xff\xff"],
        [DUMP_HEAD, ["table", "model", MODEL], ["rows", [[1 << 63, "x", "", "", 1, 1, 1, 0]]]],
        [DUMP_HEAD, ["table", "model", MODEL], ["rows", [[1, None, "", "", 1, 1, 1, 0]]]],
        [DUMP_HEAD, ["table", "model", MODEL], ["rows", [[1, "x", "", "", 1, 1, 1, 0]] * 2]],
        [DUMP_HEAD, ["table", "model", MODEL], ["rows", [[1, "x", "", 7, "a", 1, 1, 0]]]],
        [DUMP_HEAD, ["table", "model", [["x"]]], ["rows", [["y"]]]],
        [DUMP_HEAD, ["table", "sqlite_master", ["name"]], ["rows", [["x"]]]],
        [DUMP_HEAD, ["table", "model", ['name" --']], ["rows", [["x"]]]],
    ],
)
def test_a_hostile_dump_is_refused(messages, tmp_path):
    catalog = Catalog.open(f"sqlite:///{tmp_path}/c.db")
    migrate(catalog)
    with pytest.raises(Corrupt) as caught:
        catalog.write(lambda connection: load_dump(connection, _dump(*messages, ["end"])))
    assert caught.value.kind == "bad-dump"
    catalog.close()


@pytest.mark.slow
def test_a_dump_that_never_ends_is_refused():
    rows = msgspec.msgpack.encode(["rows", [[0] * 60] * 500])
    message = len(rows).to_bytes(4, "little") + rows
    head = msgspec.msgpack.encode(DUMP_HEAD)
    table = msgspec.msgpack.encode(["table", "model", MODEL])
    plain = b"".join(len(m).to_bytes(4, "little") + m for m in (head, table)) + message * 8000
    bomb = b"yarddump\x01" + zstandard.compress(plain)
    assert len(bomb) < 1 << 16
    with pytest.raises(Corrupt, match="too large"):
        for _ in read_dump(bomb)[1]:
            pass


def test_an_entry_of_endless_lists_is_no_journal():
    deep = b"\x97\x01\x01\xa1a\xa1b\x01\xa1c\x81\xa1d" + b"\x91" * 100_000
    with pytest.raises(Corrupt):
        decode_entry(deep)


@pytest.fixture
def stranger(tmp_path, folder):
    """A yard of somebody else, and a function that changes its catalog."""
    registry.create(tmp_path / "theirs", author="eve").commit("ns/x", folder, labels={"a": "b"})

    def lie(statement, *values):
        with sqlite3.connect(tmp_path / "theirs" / "catalog.db") as connection:
            assert connection.execute(statement, values).rowcount > 0
        connection.close()
        return registry.open_yard(tmp_path / "theirs", author="ann")

    return lie


def test_a_stranger_can_not_give_our_files_other_bytes(tmp_path, folder, stranger):
    genuine = bytes(reversed(range(256))) * 400
    theirs = stranger("UPDATE blob SET sha256 = ?", hashlib.sha256(genuine).digest())
    ours = registry.create(tmp_path / "ours", author="ann")
    with pytest.raises(Corrupt) as caught:
        theirs.mirror_to(ours)
    assert caught.value.kind == "source-damaged"
    (folder / "w.bin").write_bytes(genuine)
    ours.commit("mine", folder)
    ours.checkout("mine", None, tmp_path / "out")
    assert (tmp_path / "out" / "w.bin").read_bytes() == genuine
    assert ours.verify().ok


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("model.kind", "\x1b[31m"), ("model.name", "../x"), ("model.name", b"\x00"),
        ("model.description", b"\xff"), ("model.next_number", "x"), ("model.next_number", 2**62),
        ("model.created", 2**62), ("model.created", "x"), ("version.number", 2**62),
        ("version.number", -1), ("version.parents", "1"), ("version.parents", "x"),
        ("version.parents", "7"), ("version.branch", "../x"), ("version.created", 2**62),
        ("version.new_bytes", "x"), ("version.deleted", -1), ("version.framework", "\x1b[31m"),
        ("version.commit_id", b"x"), ("ref.name", "../x"), ("ref.name", "\x1b[31m"),
        ("ref.kind", "x"), ("label.name", "a b"), ("label.value", "\x1b[31m"), ("blob.size", 1),
        ("blob.format", "x" * 100),
    ],
)  # fmt: skip
def test_rows_that_lie_are_refused(tmp_path, stranger, column, value):
    table, name = column.split(".")
    theirs = stranger(f"UPDATE {table} SET {name} = ?", value)
    ours = registry.create(tmp_path / "ours", author="ann")
    with pytest.raises(Corrupt):
        theirs.mirror_to(ours)
    assert ours.verify().ok
    for found in ours.models():
        assert not ours.refs(found.name)
    ours.close()


def _row(**values):
    row = {"start": 16, "length": 10, "size": 10, "codec": 0, "kind": Kind.BUNDLE, "base": None}
    row |= values
    return NewChunk(ChunkId(bytes(32)), *(row[name] for name in row))


def _trailer(*rows):
    data = HEADER + b"x" * 100
    return data + encode_trailer(rows, len(data))


def _journal(op, detail, **values):
    told = {"seq": 500, "time": 10**15, "who": "eve", "op": op, "model": 1, "name": "good"} | values
    content = join_bundle(encode_entry(Entry(**told, detail=detail)), b"")
    data = HEADER + encode_record_head(Kind.BUNDLE, 0, len(content), len(content), None)
    name = chunk_id(Kind.BUNDLE, content)
    row = NewChunk(name, len(data), len(content), len(content), 0, Kind.BUNDLE, None)
    return data + content + encode_trailer([row], len(data) + len(content))


REF = {"ref": "t", "kind": "tag", "old": None, "new": 1, "reason": "create"}
PACKS = [
    _trailer(_row(start=1 << 63)), _trailer(_row(length=(1 << 32) - 1)), _trailer(_row(kind=99)),
    _trailer(_row(size=(1 << 32) - 1)), _trailer(_row(size=(1 << 32) - 1, codec=1)),
    _trailer(_row(), _row()), _trailer(_row(base=ChunkId(bytes(32)))),
    _journal("ref", REF | {"ref": "\x1b[31m"}), _journal("ref", REF | {"ref": "../../x"}),
    _journal("ref", REF | {"new": [1]}), _journal("ref", REF | {"new": 1 << 63}),
    _journal("ref", {}), _journal("ref", REF, seq=1 << 63), _journal("ref", REF, seq=-1),
    _journal("ref", REF, time=1 << 62), _journal("ref", REF, model=1 << 63),
    _journal("label", {"number": 1, "add": {"a": 5}, "remove": []}),
    _journal("label", {"number": 1, "add": {"a": "\x1b[31m"}, "remove": []}),
    _journal("label", {"number": [1], "add": {}, "remove": 5}), _journal("rename", {"to": "../x"}),
    _journal("rename", {"to": 5}), _journal("delete", {"number": "x"}),
    _journal("report", {"number": 1, "kind": 5, "content": b"x", "created": 1 << 63}),
    _journal("commit", {"number": 2, "branch": "main", "blobs": 5}),
    _journal("commit", {"number": 2, "branch": "main", "blobs": [[b"x", 1, "x", True, "", 0, 0]]}),
    _journal("copy", {"versions": "x"}, model=9, name="../../evil"),
    _journal("copy", {"versions": [], "from": "", "kind": "\x1b[31m"}, model=9, name="evil"),
]  # fmt: skip


@pytest.mark.parametrize("pack", PACKS)
def test_a_planted_pack_that_makes_no_sense_changes_nothing(tmp_path, folder, pack):
    with contextlib.closing(registry.create(tmp_path / "ours", author="ann")) as yard:
        yard.commit("good", folder, message="genuine")
    (tmp_path / "ours" / "store" / "packs" / "zz").mkdir()
    (tmp_path / "ours" / "store" / "packs" / "zz" / "z.pack").write_bytes(pack)
    ours = registry.open_yard(tmp_path / "ours", author="ann")
    ours.verify(rebuild=True)
    assert [model.name for model in ours.models()] == ["good"]
    assert [entry.message for entry in ours.log("good")] == ["genuine"]
    assert [ref.name for ref in ours.refs("good")] == ["main"]
    assert not ours.show("good").version.labels
    ours.checkout("good", None, tmp_path / "out")
    ours.close()


@pytest.mark.parametrize("lie", [{"created": 2**70}, {"created": 2**62}, {"outcomes": "!"}])
def test_an_export_with_a_report_that_is_none_leaves_nothing(tmp_path, lie):
    report = {"kind": "evaluation", "data": "", "digest": "", "suite": "", "created": 1,
              "who": "eve", "content": {}, "outcomes": None}  # fmt: skip
    told = {"format": 1, "model": "m", "kind": "model", "commit": "0" * 40, "branch": "main",
            "author": "eve", "message": "", "time": "", "labels": {}, "files": [],
            "reports": [report | lie]}  # fmt: skip
    head = msgspec.json.encode(told)
    info = tarfile.TarInfo("modelyard-export.json")
    info.size = len(head)
    (tmp_path / "x.tar").write_bytes(info.tobuf() + head.ljust(-(-len(head) // 512) * 512, b"\0"))
    with contextlib.closing(registry.create(tmp_path / "ours", author="ann")) as ours:
        with pytest.raises(InvalidInput, match="its head can't be read"):
            ours.import_version(tmp_path / "x.tar")
        assert not list(ours.models())
