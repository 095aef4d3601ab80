"""Digests of files whose parts come in order, twice, late, or at the same time."""

import hashlib
import os
import threading

import blake3
import pytest

from modelyard.core.transferring import Frame
from modelyard.registry.receiving import hashing
from modelyard.registry.receiving.hashing import Hashing


def frames_of(pieces):
    return [Frame(blake3.blake3(p).digest(), p, is_first=i == 0) for i, p in enumerate(pieces)]


@pytest.fixture
def pieces():
    return [os.urandom(1000) for _ in range(6)]


def digest_of(pieces):
    return hashlib.sha256(b"".join(pieces)).digest()


def names_of(frames):
    return [frame.name for frame in frames]


def test_a_file_in_order_is_known_by_its_chunks(pieces):
    frames, all_of_it = frames_of(pieces), Hashing()
    all_of_it.add(0, frames[:2])
    all_of_it.add(1, frames[2:])
    assert all_of_it.of(names_of(frames)).raw == digest_of(pieces)


def test_several_files_in_one_part_are_kept_apart(pieces):
    first, second, found = frames_of(pieces[:3]), frames_of(pieces[3:]), Hashing()
    found.add(0, first + second)
    assert found.of(names_of(first)).raw == digest_of(pieces[:3])
    assert found.of(names_of(second)).raw == digest_of(pieces[3:])


def test_a_file_with_a_gap_is_not_known(pieces):
    frames, found = frames_of(pieces), Hashing()
    found.add(0, frames[:2] + frames[3:])
    assert found.of(names_of(frames)) is None


def test_a_part_that_never_comes_is_not_waited_for_long(pieces, monkeypatch):
    monkeypatch.setattr(hashing, "_PATIENCE", 0.05)
    frames, found = frames_of(pieces), Hashing()
    found.add(1, frames[3:])
    found.add(0, frames[:3])
    assert found.of(names_of(frames)) is None


def test_parts_at_the_same_time_wait_for_their_turns(pieces):
    frames, found = frames_of(pieces), Hashing()
    threads = [
        threading.Thread(target=found.add, args=(i, [frames[i]])) for i in (3, 5, 1, 4, 2, 0)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found.of(names_of(frames)).raw == digest_of(pieces)


def test_a_part_that_comes_twice_counts_once(pieces):
    frames, found = frames_of(pieces), Hashing()
    threads = [threading.Thread(target=found.add, args=(0, frames)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found.of(names_of(frames)).raw == digest_of(pieces)
