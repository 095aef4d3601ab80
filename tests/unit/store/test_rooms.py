"""Large memory that comes back when nobody refers to it any more."""

from __future__ import annotations

import numpy as np

from modelyard.store.rooms import Rooms

_SIZE = 3 << 20


def test_memory_is_used_again_only_when_no_view_is_left():
    rooms = Rooms(2)
    room = rooms.take(_SIZE)
    place = room.ctypes.data
    kept = np.frombuffer(memoryview(room)[10:20], np.uint8)
    del room

    assert rooms.take(_SIZE).ctypes.data != place
    del kept
    taken = [rooms.take(_SIZE) for _ in range(2)]
    assert place in {each.ctypes.data for each in taken}


def test_room_is_as_large_as_was_asked_for():
    rooms = Rooms(2)
    for size in (0, 1, 1 << 20, (1 << 20) + 1, _SIZE):
        assert len(rooms.take(size)) == size


def test_no_more_is_kept_than_was_said():
    rooms = Rooms(1)
    taken = [rooms.take(_SIZE) for _ in range(4)]
    del taken

    assert sum(map(len, rooms._free.values())) == 1
