"""Versions read by their layout and ranges."""

from __future__ import annotations

import os

import pytest
from tests.server.running import running
from tests.server.sending import Sender, chunk, cut, random_file

from modelyard.registry import create, open_yard


@pytest.fixture
def sender(api):
    return Sender(api, f"r/{os.urandom(4).hex()}")


def kind_of(answer):
    return answer.status_code, answer.json()["kind"]


def test_contents_tell_small_texts_and_stored_files(sender):
    sender.commit({"a.txt": b"hello", "w.bin": random_file(3000)}, manifest=b'{"params": {"C": 1}}')
    said = sender.client.get(f"{sender.place}/versions/latest/contents").json()
    assert [f["path"] for f in said["files"]][-2:] == ["a.txt", "w.bin"]
    assert ".modelyard/manifest.json" in [f["path"] for f in said["files"]]
    assert said["branches"] == ["main"]
    assert len(said["blobs"]) == 1


def test_a_layout_has_each_base_before_its_delta(sender):
    first = random_file(1 << 20)
    sender.commit({"w.bin": first})
    second = b"changed" + first[7:]
    frame = chunk(second, base=chunk(first).name, is_first=True)
    sender.commit({"w.bin": [frame]}, [frame])
    layout = sender.layout(2)
    assert [c.base for c in layout.chunks] == [-1, 0]
    assert sum(c.length for c in layout.chunks) == layout.size
    assert sender.file(2, "w.bin") == second


def test_any_range_is_what_the_whole_has_there(sender):
    frames = cut(random_file(5 << 20), 300_000)
    sender.commit({"w.bin": frames}, frames)
    layout = sender.layout(1)
    whole = sender.encoded(1, layout.etag, 0, layout.size).content
    for start, end in [
        (0, 1),
        (299_999, 300_001),
        (1_234_567, 4_000_000),
        (layout.size - 1, layout.size),
    ]:
        answer = sender.encoded(1, layout.etag, start, end)
        assert answer.status_code == 206
        assert answer.content == whole[start:end]
        assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{layout.size}"


def test_ranges_that_are_not_there_are_refused(sender):
    sender.commit({"w.bin": random_file(3000)})
    layout = sender.layout(1)
    for start, end in [(0, layout.size + 1), (layout.size, layout.size + 1), (5, 5)]:
        assert kind_of(sender.encoded(1, layout.etag, start, end)) == (422, "bad-range")
    answer = sender.client.get(f"{sender.place}/versions/1/encoded")
    assert kind_of(answer) == (422, "bad-range")


def test_another_layout_is_stale(sender):
    sender.commit({"w.bin": random_file(3000)})
    assert kind_of(sender.encoded(1, "0" * 32, 0, 10)) == (412, "stale")


def test_a_version_without_stored_files_has_an_empty_stream(sender):
    sender.commit({"a.txt": b"a"})
    layout = sender.layout(1)
    assert (layout.size, layout.chunks, layout.blobs) == (0, [], [])


def test_a_reader_goes_on_when_gc_moves_packs(tmp_path):
    """Half a version is read, gc packs anew what is left of it, and the rest comes as before."""
    create(tmp_path / "yard").close()
    (tmp_path / "yard" / "yard.toml").write_text(
        "version = 1\n[gc]\nkeep_deleted_days = 0\ngrace_minutes = 0\n"
    )
    keep, drop = cut(random_file(4 << 20)), cut(random_file(24 << 20))
    with running(tmp_path / "yard") as one, one.client() as client:
        sender = Sender(client, "t/keep")
        other = Sender(client, "t/drop")
        mixed = [frame for pair in zip(keep, drop, strict=False) for frame in pair]
        sender.send(mixed + drop[len(keep) :])
        assert sender.finish({"w.bin": keep}).status_code == 201
        other.session = sender.session
        assert other.commit({"w.bin": drop}).status_code == 201
        layout = sender.layout(1)
        before = sender.encoded(1, layout.etag, 0, layout.size).content
        yard = open_yard(tmp_path / "yard")
        yard.delete_version("t/drop", 1, purge=True)
        yard.gc()
        yard.close()
        answer = sender.encoded(1, layout.etag, 0, layout.size)
        assert answer.status_code == 206
        assert answer.content == before


def test_an_encrypted_yard_is_read_without_its_boxes(tmp_path):
    create(tmp_path / "yard", key=str(tmp_path / "key")).close()
    frames = cut(random_file(3 << 20))
    with running(tmp_path / "yard") as one, one.client() as client:
        sender = Sender(client, "t/m")
        sender.send(frames)
        assert sender.finish({"w.bin": frames}).status_code == 201
        assert sender.file(1, "w.bin") == b"".join(bytes(f.content) for f in frames)
