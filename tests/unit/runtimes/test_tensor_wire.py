"""Named arrays between a server and the process of a version."""

from __future__ import annotations

import select
import socket
import struct
import threading

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelyard.errors import Corrupt
from modelyard.runtimes.shared import can_share
from modelyard.runtimes.tensor_wire import ANSWER, ASK, TensorWire

TYPES = ["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64",
         "float16", "float32", "float64"]  # fmt: skip


class Pair:
    """Two ends of a socket, each with a wire."""

    def __init__(self):
        self.sockets = socket.socketpair()
        self.left, self.right = (TensorWire(each, waiting(each)) for each in self.sockets)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for each in self.sockets:
            each.close()

    def carried(self, content, arrays):
        sender = threading.Thread(target=self.left.send, args=(ASK, content, arrays))
        sender.start()
        found = self.right.receive()
        sender.join(10)
        return found


def waiting(connection):
    def wait(writing):
        poll = select.poll()
        poll.register(connection, select.POLLOUT if writing else select.POLLIN)
        assert poll.poll(10_000), "nothing came"

    return wait


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 5), (1, 0, 4), (200, 300)])
def test_numbers_arrive_as_they_are(dtype, shape):
    rows = (np.random.default_rng(0).random(shape) * 100).astype(dtype)
    with Pair() as pair:
        kind, content, found = pair.carried(["a"], {"x": rows, "y": rows})
    assert (kind, content) == (ASK, ["a"])
    for name in ("x", "y"):
        assert (found[name].dtype, found[name].shape) == (rows.dtype, rows.shape)
        np.testing.assert_array_equal(found[name], rows)


def test_texts_and_bytes_arrive_as_they_are():
    texts = np.array([["Grüße", ""], ["你好", None]], object)
    raw = np.array([b"\xff\x00", b""], object)
    with Pair() as pair:
        _, _, found = pair.carried(None, {"t": texts, "u": np.array(["ab", "c"]), "b": raw})
    assert found["t"].tolist() == texts.tolist()
    assert found["u"].tolist() == ["ab", "c"]
    assert found["b"].tolist() == raw.tolist()


def test_slices_and_columns_are_sent_by_their_values():
    matrix = np.arange(24.0).reshape(4, 6)
    with Pair() as pair:
        _, _, found = pair.carried(None, {"x": matrix[::2, 1:3], "y": matrix.T})
    np.testing.assert_array_equal(found["x"], matrix[::2, 1:3])
    np.testing.assert_array_equal(found["y"], matrix.T)


def test_megabytes_arrive_and_small_frames_behind_them():
    large = np.random.default_rng(0).random((2000, 700))
    with Pair() as pair:
        for rows in (large, large[:1], large):
            _, _, found = pair.carried(None, {"x": rows})
            np.testing.assert_array_equal(found["x"], rows)


def test_a_long_head_arrives():
    arrays = {f"{'n' * 100}{number}": np.ones(1) for number in range(1500)}
    with Pair() as pair:
        _, _, found = pair.carried(None, arrays)
    assert set(found) == set(arrays)


def test_the_end_of_the_other_side_is_seen():
    with Pair() as pair:
        pair.sockets[0].close()
        with pytest.raises(EOFError):
            pair.right.receive()
        with pytest.raises(EOFError):
            pair.right.send(ANSWER, None, {"x": np.ones(1)})


def test_what_can_not_be_sent_is_refused_before_anything_is():
    with Pair() as pair:
        with pytest.raises(TypeError):
            pair.left.send(ASK, None, {"x": np.array(["2020-01-01"], "datetime64[D]")})
        _, _, found = pair.carried(None, {"x": np.ones(1)})
    assert found["x"].tolist() == [1.0]


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_damaged_frames_are_refused(data):
    with Pair() as pair:
        pair.left.send(ANSWER, None, {"x": np.arange(6.0).reshape(2, 3), "t": np.array(["a"])})
        whole = bytearray(pair.sockets[1].recv(1 << 16))
        for _ in range(data.draw(st.integers(1, 3))):
            at = data.draw(st.integers(0, len(whole) - 1))
            whole[at] = data.draw(st.integers(0, 255))
        pair.sockets[0].setblocking(True)
        pair.sockets[0].sendall(whole)
        pair.sockets[0].close()
        try:
            _, _, found = pair.right.receive()
        except (Corrupt, EOFError):
            return
        assert all(isinstance(array, np.ndarray) for array in found.values())


@pytest.mark.parametrize(("head", "body"), [(1 << 31, 0), (10, 1 << 62)])
def test_lengths_are_not_believed(head, body):
    with Pair() as pair:
        pair.right._limit = 1 << 30
        pair.sockets[0].sendall(struct.pack("<B3xIQ", ANSWER, head, body))
        with pytest.raises(Corrupt):
            pair.right.receive()


@pytest.mark.parametrize("shape", [[], [3], [1000, 1000]])
@pytest.mark.parametrize("form", ["<f8", "|u1", "O", "B"])
def test_an_array_without_bytes_has_no_values(form, shape):
    head = msgspec.msgpack.encode([None, [["x", form, shape, 0]]])
    with Pair() as pair:
        pair.sockets[0].sendall(struct.pack("<B3xIQ", ANSWER, len(head), 0) + head)
        with pytest.raises(Corrupt):
            pair.right.receive()


@pytest.mark.skipif(not can_share(), reason="no such memory here")
def test_large_arrays_go_through_shared_memory_both_ways():
    random = np.random.default_rng(0)
    with Pair() as pair:
        ours, theirs = pair.sockets
        pair.left = TensorWire(ours, waiting(ours), lends=True)
        pair.right = TensorWire(theirs, waiting(theirs), borrows=True)
        for side in (1000, 1000, 1, 30, 2000, 700):  # small ones between, and larger rooms
            rows = random.random((side, 300))
            _, _, found = pair.carried(None, {"x": rows, "t": np.array(["a"], object)})
            np.testing.assert_array_equal(found["x"], rows)
            assert found["t"].tolist() == ["a"]
            thread = threading.Thread(target=pair.right.send, args=(ANSWER, None, {"y": rows * 2}))
            thread.start()
            kind, _, back = pair.left.receive()
            thread.join(10)
            assert kind == ANSWER
            np.testing.assert_array_equal(back["y"], rows * 2)
        held = found["x"].copy()
        pair.carried(None, {"x": rows * 0})
        np.testing.assert_array_equal(found["x"], held)  # what came before stays as it was
        pair.left.close()
        pair.right.close()


def test_memory_that_was_not_lent_is_not_read():
    with Pair() as pair:
        head = b"\x92\xc0\x90"
        pair.sockets[0].sendall(struct.pack("<B3xIQ", ANSWER | 128, len(head), 0) + head)
        with pytest.raises(Corrupt):
            pair.right.receive()
