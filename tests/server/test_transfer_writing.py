"""Commits over HTTP: in one request, in parts, after interruptions, and with lies in them."""

from __future__ import annotations

import hashlib
import os
import struct

import pytest
from tests.server.running import running, start
from tests.server.sending import Sender, body_of, chunk, cut, random_file

from modelyard.core.transferring import GivenFile, Header, Receipt
from modelyard.registry import open_yard


@pytest.fixture
def sender(api):
    return Sender(api, f"t/{os.urandom(4).hex()}")


def kind_of(answer):
    return answer.status_code, answer.json()["kind"]


def test_small_files_come_in_one_request(sender):
    files = {"a.txt": b"hello\n", "deep/w.bin": random_file(5000)}
    answer = sender.commit(files, message="first", labels={"domain": "nlp"})
    assert answer.status_code == 201
    assert answer.json()["size"] == 5006
    assert sender.file(1, "deep/w.bin") == files["deep/w.bin"]


def test_the_same_again_is_no_version(sender):
    files = {"w.bin": random_file(5000)}
    sender.commit(files)
    answer = sender.commit(files)
    assert (answer.status_code, answer.json()["created"]) == (200, False)


def test_a_large_file_comes_in_parts(sender):
    content = random_file(10 << 20)
    frames = cut(content)
    assert all(sender.wanted(frames))
    sender.send(frames[:6], 0)
    sender.send(frames[6:], 1)
    answer = sender.finish({"big.bin": frames})
    assert answer.status_code == 201
    assert answer.json()["new_bytes"] > 10 << 20
    listed = sender.client.get(f"{sender.place}/versions/1/contents").json()
    assert listed["files"][-1]["sha256"] == hashlib.sha256(content).hexdigest()
    assert sender.file(1, "big.bin") == content


@pytest.mark.parametrize("order", [(1, 0), (5, 2)], ids=["backwards", "with gaps"])
def test_parts_may_come_in_any_order(sender, order):
    content = random_file(4 << 20)
    frames = cut(content)
    sender.send(frames[2:], order[0])
    sender.send(frames[:2], order[1])
    assert sender.finish({"big.bin": frames}).status_code == 201
    assert sender.file(1, "big.bin") == content


def test_a_file_may_have_its_chunks_in_another_order(sender):
    frames = cut(random_file(4 << 20))
    sender.send(frames)
    assert sender.finish({"big.bin": frames}).status_code == 201
    assert sender.finish({"big.bin": frames[::-1]}).status_code == 201
    assert sender.file(2, "big.bin") == b"".join(bytes(f.content) for f in frames[::-1])


def test_chunks_may_ride_along(sender):
    frames = cut(random_file(3 << 20))
    assert sender.commit({"big.bin": frames}, frames).status_code == 201
    assert sender.file(1, "big.bin") == b"".join(bytes(f.content) for f in frames)


def test_what_is_there_need_not_be_sent_again(sender):
    frames = cut(random_file(3 << 20))
    sender.commit({"big.bin": frames}, frames)
    assert not any(sender.wanted(frames))
    answer = sender.commit({"big.bin": frames, "a.txt": b"a"})
    assert answer.status_code == 201
    assert answer.json()["new_bytes"] < 1000


def test_missing_chunks_are_told_of(sender):
    frames = cut(random_file(3 << 20))
    assert kind_of(sender.commit({"big.bin": frames})) == (409, "chunks-missing")


def test_files_of_the_version_before_stay_without_being_sent(sender):
    content = random_file(5000)
    sender.commit({"w.bin": content, "a.txt": b"a", "b.txt": b"b"})
    same = [
        GivenFile(path=path, same=hashlib.sha256(data).digest())
        for path, data in (("moved.bin", content), ("a.txt", b"a"))
    ]
    answer = sender.post_commit(Header(files=same))
    assert answer.status_code == 201
    assert sender.file(2, "moved.bin") == content
    other = GivenFile(path="c", same=hashlib.sha256(b"other").digest())
    assert kind_of(sender.post_commit(Header(files=[other]))) == (409, "chunks-missing")


@pytest.mark.parametrize(("keep", "left"), [("all", 3), ("cards", 2), (["w.bin"], 2), (None, 1)])
def test_files_of_the_parent_are_kept_as_told(sender, keep, left):
    sender.commit({"w.bin": b"\0" * 9, "README.md": b"# A\n"})
    assert sender.commit({"new.txt": b"new"}, keep=keep).json()["files"] == left


def test_a_delta_saves_bytes(sender):
    first = random_file(1 << 20)
    sender.commit({"w.bin": first})
    second = first[:1000] + b"0123456789" + first[1010:]
    frame = chunk(second, width=4, base=chunk(first).name, is_first=True)
    answer = sender.commit({"w.bin": [frame]}, [frame])
    assert answer.json()["new_bytes"] < 10_000
    assert sender.file(2, "w.bin") == second


# -- interruptions ---------------------------------------------------------------------------------


def test_an_interrupted_upload_goes_on_where_it_was(tmp_path):
    frames = cut(random_file(24 << 20))
    with running(tmp_path / "yard") as one, one.client() as client:
        sender = Sender(client, "t/m")
        sender.send(frames[:12], 0)
        one.process.kill()
        one.process.wait()
        other = start(tmp_path / "yard")
        try:
            with other.client(one.token) as again:
                sender.client = again
                assert sender.wanted(frames) == [False] * 12 + [True] * 12
                sender.send(frames[12:], 1)
                assert sender.finish({"big.bin": frames}).status_code == 201
                assert sender.file(1, "big.bin") == b"".join(bytes(f.content) for f in frames)
        finally:
            other.stop()
            other.process.stdout.close()
    yard = open_yard(tmp_path / "yard")
    assert yard.verify().ok
    yard.close()


def test_a_part_may_be_sent_twice(sender):
    frames = cut(random_file(3 << 20))
    sender.send(frames, 0)
    sender.send(frames, 0)
    assert sender.finish({"big.bin": frames}).status_code == 201


# -- lies ------------------------------------------------------------------------------------------


def test_a_wrong_name_keeps_nothing_of_the_part(sender):
    right, wrong = cut(random_file(2 << 20))
    lie = wrong._replace(content=b"x" * len(wrong.content))
    assert kind_of(sender.post_part(body_of([right, lie]))) == (422, "wrong-chunk")
    assert all(sender.wanted([right, wrong]))


@pytest.mark.parametrize(
    "body",
    [
        b"\x01",
        struct.pack("<IBB32s", 0xFFFFFFFF, 1, 0, b"n" * 32),
        struct.pack("<IBB32s", 0, 1, 0, b"n" * 32),
        struct.pack("<IBB32s", 1, 3, 0, b"n" * 32) + b"x",
        struct.pack("<IBB32s", 1, 1, 8, b"n" * 32) + b"x",
        struct.pack("<IBB32s", 1, 1, 2, b"n" * 32) + b"x",
    ],
    ids=["short", "huge", "empty", "width", "flags", "no base"],
)
def test_frames_that_lie_are_refused(sender, body):
    assert kind_of(sender.post_part(body)) == (422, "bad-frames")


@pytest.mark.parametrize(
    "body", [b"", b"\xff\xff\xff\xff", b"\x01\0\0\0\xc1", b"\x02\0\0\0\x81\xc1"]
)
def test_commits_that_are_none_are_refused(sender, body):
    answer = sender.client.post(f"{sender.place}/commits", content=body)
    assert kind_of(answer) == (400, "unreadable-body")


@pytest.mark.parametrize(
    "path", ["../up", "/abs", "a//b", ".git/config", ".modelyard/manifest.json", "a\0b", ""]
)
def test_paths_that_lead_elsewhere_are_refused(sender, path):
    assert kind_of(sender.commit({path: b"x"})) == (422, "bad-path")


def test_a_chunk_has_the_size_that_it_has(sender):
    [frame] = cut(random_file(2000))
    given = GivenFile(path="w.bin", chunks=[(frame.name, 1 << 40)])
    assert kind_of(sender.post_commit(Header(files=[given]), [frame])) == (422, "wrong-chunk")


def test_a_file_is_not_made_of_crumbs(sender):
    frame = chunk(b"x")
    given = GivenFile(path="w.bin", chunks=[(frame.name, 1)] * 1000)
    assert kind_of(sender.post_commit(Header(files=[given]), [frame])) == (422, "too-many-chunks")


def test_a_part_that_is_too_large_is_not_read(sender):
    answer = sender.post_part(b"x" * (34 << 20))
    assert kind_of(answer) == (413, "too-large")


def test_a_receipt_of_somebody_else_is_worth_nothing(sender):
    frames = cut(random_file(2 << 20))
    sender.have = [Receipt(b"".join(f.name for f in frames), b"r" * 32)]
    assert kind_of(sender.finish({"big.bin": frames})) == (409, "chunks-missing")


def test_a_pickle_is_scanned_like_any_other(sender):
    evil = b"cos\nsystem\n(S'true'\ntR."
    answer = sender.commit({"model.pkl": evil})
    assert any("system" in warning for warning in answer.json()["warnings"])
    frame = chunk(evil + b" " * 200_000, is_first=True)
    answer = sender.commit({"large.pkl": [frame]}, [frame])
    assert any("system" in warning for warning in answer.json()["warnings"])


@pytest.mark.slow
def test_ten_thousand_small_files_are_one_commit(sender):
    files = {f"d{i % 100}/f{i}.bin": b"\0" + i.to_bytes(4, "big") for i in range(10_000)}
    answer = sender.commit(files)
    assert answer.json()["files"] == 10_000
    assert len(sender.layout(1).blobs) == 10_000
