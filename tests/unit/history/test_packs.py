"""Packs from strangers: bounded, checked, and refused with a sentence."""

from __future__ import annotations

import hashlib
import itertools
import zlib

import pytest

from modelyard.errors import InvalidInput, NotFound
from modelyard.history.gitobject import BLOB, GitObject
from modelyard.history.packs import Limits, read_pack, write_pack


class _Nothing:
    def get(self, sha: bytes) -> tuple[int, bytes]:
        raise NotFound("git-object-missing", "nothing is here")


class _One:
    def __init__(self, item: GitObject) -> None:
        self.item = item

    def get(self, sha: bytes) -> tuple[int, bytes]:
        if sha != self.item.sha:
            raise NotFound("git-object-missing", "not this one")
        return self.item.kind, self.item.body


def size_of(kind: int, size: int) -> bytes:
    byte, size = kind << 4 | size & 15, size >> 4
    out = []
    while size:
        out.append(byte | 0x80)
        byte, size = size & 0x7F, size >> 7
    return bytes([*out, byte])


def pack_of(*entries: bytes, count: int | None = None) -> bytes:
    number = len(entries) if count is None else count
    body = b"PACK\0\0\0\2" + number.to_bytes(4, "big") + b"".join(entries)
    return body + hashlib.sha1(body).digest()


def whole(body: bytes, said: int | None = None, kind: int = BLOB) -> bytes:
    return size_of(kind, len(body) if said is None else said) + zlib.compress(body)


def by_name(base: bytes, delta: bytes) -> bytes:
    return size_of(7, len(delta)) + base + zlib.compress(delta)


def refused(pack: bytes, kind: str = "bad-git-pack", **limits: int) -> str:
    with pytest.raises(InvalidInput) as caught:
        read_pack(pack, _Nothing(), Limits(**limits))
    assert caught.value.kind == kind
    return caught.value.message


def test_what_is_written_is_read_again():
    objects = [(BLOB, b"one"), (BLOB, b""), (BLOB, b"x" * 100_000)]
    pack = b"".join(write_pack(3, iter(objects)))
    assert [(o.kind, o.body) for o in read_pack(pack, _Nothing())] == objects


def test_a_delta_is_applied_to_a_base_in_the_pack_before_or_behind_it():
    base = GitObject.of(BLOB, b"hello world")
    delta = bytes([11, 6, 0x90, 5]) + bytes([1]) + b"!"
    for entries in ([whole(base.body), by_name(base.sha, delta)],
                    [by_name(base.sha, delta), whole(base.body)]):  # fmt: skip
        found = {o.body for o in read_pack(pack_of(*entries), _Nothing())}
        assert found == {b"hello world", b"hello!"}


def test_a_thin_pack_takes_its_base_from_the_model():
    base = GitObject.of(BLOB, b"hello world")
    delta = bytes([11, 6, 0x90, 5]) + bytes([1]) + b"!"
    (found,) = read_pack(pack_of(by_name(base.sha, delta)), _One(base))
    assert found.body == b"hello!"


def test_a_long_chain_of_deltas_that_stand_in_the_wrong_order_ends_soon():
    bodies = [b"%05d" % i for i in range(3000)]
    entries = [whole(bodies[0])]
    for before, after in itertools.pairwise(bodies):
        name = GitObject.of(BLOB, before).sha
        entries.append(by_name(name, bytes([5, 5, 5]) + after))
    assert len(read_pack(pack_of(*entries[::-1]), _Nothing())) == 3000


def test_a_delta_to_nothing_is_refused():
    assert "neither in the pack" in refused(pack_of(by_name(b"\1" * 20, b"\0\0")))


def test_a_delta_that_is_based_on_itself_is_refused():
    body = size_of(6, 2) + b"\0" + zlib.compress(b"\0\0")
    assert "not there" in refused(pack_of(body))


def test_deltas_that_promise_more_than_they_make_or_reach_beyond_are_refused():
    base = b"hello world"
    name = GitObject.of(BLOB, base).sha
    for delta in (
        bytes([11, 9, 1]) + b"!",
        bytes([12, 1, 1]) + b"!",
        bytes([11, 20, 0x91, 5, 20]),
        bytes([11, 1, 0]),
        bytes([11]),
        bytes([11, 5, 5]) + b"a",
    ):
        refused(pack_of(whole(base), by_name(name, delta)))


def test_a_bomb_is_not_inflated():
    bomb = whole(bytes(50_000_000), said=10)
    assert "larger than it says" in refused(pack_of(bomb))
    assert "MiB" in refused(pack_of(whole(bytes(3_000_000))), "pack-too-large", one=1 << 20)
    many = [whole(bytes(500_000) + bytes([i])) for i in range(5)]
    assert "inflated" in refused(pack_of(*many), "pack-too-large", total=1 << 20)


def test_a_delta_bomb_is_not_built():
    base = bytes(1000)
    name = GitObject.of(BLOB, base).sha
    huge = bytes([0xE8, 7]) + bytes([0x80, 0x80, 0x80, 0x80, 8]) + bytes([0xB0, 0xE8, 3]) * 1000
    assert refused(pack_of(whole(base), by_name(name, huge)), "pack-too-large")


@pytest.mark.parametrize("count", [0, 2, 1 << 31])
def test_a_wrong_count_is_refused(count):
    kind = "pack-too-large" if count > 1_000_000 else "bad-git-pack"
    refused(pack_of(whole(b"one"), count=count), kind)


def test_a_pack_that_is_cut_anywhere_is_refused():
    pack = pack_of(whole(b"one"), whole(b"two" * 50))
    for end in range(len(pack)):
        refused(pack[:end])
    for at in range(len(pack)):
        broken = bytearray(pack)
        broken[at] ^= 0x55
        refused(bytes(broken))


def test_an_object_of_no_kind_is_refused():
    for kind in (0, 5):
        assert "kind" in refused(pack_of(whole(b"x", kind=kind)))
