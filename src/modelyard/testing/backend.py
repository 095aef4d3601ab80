"""`BackendTests`: what a store backend promises, for every backend alike."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.errors import Corrupt, InvalidInput, NotFound
from modelyard.testing.strategies import few

if TYPE_CHECKING:
    from modelyard.store.interface import Backend

__all__ = ["BackendTests"]

MIB = 1 << 20

HOSTILE = (
    "", "/", "..", ".", "../x", "a/../b", "/etc/passwd", "a//b", "a/", "/a", "a\x00b", "a\nb",
    "a\\b", "C:\\x", "A/upper", "a b", "é", "-a", ".hidden", "a/.hidden", "x" * 201, "a%2fb", "~",
)  # fmt: skip


class BackendTests:
    """Subclass it with a `backend` fixture that gives an empty backend."""

    @pytest.fixture
    def backend(self) -> Backend:
        raise NotImplementedError("subclass the suite with a `backend` fixture")

    def test_what_was_put_is_got(self, backend: Backend) -> None:
        backend.put("packs/ab/one", b"content")
        assert backend.get("packs/ab/one") == b"content"

    def test_an_empty_object_is_an_object(self, backend: Backend) -> None:
        backend.put("empty", b"")
        assert backend.get("empty") == b""
        found = backend.stat("empty")
        assert found is not None
        assert found.size == 0
        assert list(backend.keys()) == ["empty"]

    def test_put_again_is_harmless(self, backend: Backend) -> None:
        for _ in range(3):
            backend.put("k", b"same")
        assert backend.get("k") == b"same"
        assert list(backend.keys()) == ["k"]

    def test_stat_tells_size_and_time(self, backend: Backend) -> None:
        backend.put("k", b"12345")
        found = backend.stat("k")
        assert found is not None
        assert found.size == 5
        assert abs(found.modified - time.time()) < 300

    def test_what_is_missing_is_told(self, backend: Backend) -> None:
        with pytest.raises(NotFound) as caught:
            backend.get("nobody")
        assert caught.value.kind == "no-object"
        assert backend.stat("nobody") is None
        with pytest.raises(NotFound):
            backend.get("nobody/below", 1, 2)

    def test_a_key_and_a_folder_do_not_meet(self, backend: Backend) -> None:
        backend.put("a/b/c", b"deep")
        assert backend.stat("a/b") is None
        for key in ("a", "a/b", "a/bb", "a/b/c/d"):
            with pytest.raises(NotFound):
                backend.get(key)
            backend.delete(key)
        assert list(backend.keys()) == ["a/b/c"]

    def test_a_range_of_nothing_is_empty(self, backend: Backend) -> None:
        backend.put("k", b"1234567")
        for start in (0, 3, 7):
            assert backend.get("k", start, start) == b""
        assert backend.get("k", 7) == b""
        with pytest.raises(NotFound):
            backend.get("nobody", 0, 0)

    @pytest.mark.parametrize("size", [MIB - 1, MIB, MIB + 1, 3 * MIB + 1])
    def test_ranges_over_the_edges_of_parts(self, backend: Backend, size: int) -> None:
        content = np.random.default_rng(size).bytes(size)
        backend.put("k", content)
        found = backend.stat("k")
        assert found is not None
        assert found.size == size
        edges = sorted({0, 1, MIB - 1, MIB, MIB + 1, 2 * MIB, size - 1, size})
        for start in edges:
            for end in edges:
                if start <= end <= size:
                    assert backend.get("k", start, end) == content[start:end]

    @few(30)
    @given(data=st.data(), size=st.sampled_from([1, 7, 1000, 1 << 20]))
    def test_a_range_is_the_slice(self, backend: Backend, data: st.DataObject, size: int) -> None:
        content = np.random.default_rng(size).bytes(size)
        backend.put(f"sized/{size}", content)
        start = data.draw(st.integers(0, size))
        end = data.draw(st.none() | st.integers(start, size))
        assert backend.get(f"sized/{size}", start, end) == content[start:end]

    @pytest.mark.parametrize(("start", "end"), [(0, 8), (5, 9), (7, 8), (9, 12)])
    def test_a_range_beyond_the_end_is_corrupt(
        self, backend: Backend, start: int, end: int
    ) -> None:
        backend.put("k", b"1234567")
        with pytest.raises(Corrupt) as caught:
            backend.get("k", start, end)
        assert caught.value.kind == "short-object"

    def test_keys_are_sorted_and_begin_with_the_prefix(self, backend: Backend) -> None:
        keys = ["b", "a/2", "a/10", "a-x", "ab/1", "a/b/c", "journal/1"]
        for key in keys:
            backend.put(key, key.encode())
        assert list(backend.keys()) == sorted(keys)
        assert list(backend.keys("a/")) == ["a/10", "a/2", "a/b/c"]
        assert list(backend.keys("a")) == ["a-x", "a/10", "a/2", "a/b/c", "ab/1"]
        assert list(backend.keys("nobody/")) == []

    def test_a_prefix_is_plain_text(self, backend: Backend) -> None:
        keys = ["a.b", "a-b", "a_b", "a/b", "a/b.c", "a/bc", "axb"]
        for key in keys:
            backend.put(key, b"x")
        for prefix in ("", "a", "a_", "a.", "a/b", "a/b.", "a/b.c", "a/b.cd", "ax", "axb", "b"):
            assert list(backend.keys(prefix)) == sorted(k for k in keys if k.startswith(prefix))
        for prefix in ("/", "//", ".", "..", "../", "a//", "a/../", "A", "%", "*", "a*", "?", "é"):
            assert list(backend.keys(prefix)) == []

    def test_many_keys_are_all_listed(self, backend: Backend) -> None:
        keys = sorted(f"many/{number:04}" for number in range(1100))
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda key: backend.put(key, b"x"), keys))
        assert list(backend.keys("many/")) == keys

    def test_delete_is_final_and_may_be_repeated(self, backend: Backend) -> None:
        backend.put("k", b"1")
        backend.put("kept", b"2")
        backend.delete("k")
        backend.delete("k")
        backend.delete("never/there")
        assert backend.stat("k") is None
        with pytest.raises(NotFound):
            backend.get("k")
        assert list(backend.keys()) == ["kept"]

    def test_a_deleted_key_may_be_put_again(self, backend: Backend) -> None:
        backend.put("k", b"one")
        assert backend.get("k") == b"one"
        backend.delete("k")
        backend.put("k", b"two!")
        assert backend.get("k") == b"two!"

    @pytest.mark.parametrize("key", HOSTILE)
    def test_a_hostile_key_is_refused(self, backend: Backend, key: str) -> None:
        for call in (backend.get, backend.stat, backend.delete, lambda k: backend.put(k, b"x")):
            with pytest.raises(InvalidInput) as caught:
                call(key)
            assert caught.value.kind == "bad-key"
        assert list(backend.keys()) == []

    def test_a_big_object_comes_back(self, backend: Backend) -> None:
        size = min(backend.facts.max_object or 64 << 20, 64 << 20)
        content = np.random.default_rng(1).bytes(size)
        backend.put("big", content)
        assert backend.get("big") == content
        assert backend.get("big", size - 3) == content[-3:]
        middle = size // 2
        assert backend.get("big", middle, middle + 1000) == content[middle : middle + 1000]

    def test_an_object_beyond_the_limit_is_refused(self, backend: Backend) -> None:
        limit = backend.facts.max_object
        if limit is None or limit > 128 << 20:
            return
        with pytest.raises(InvalidInput):
            backend.put("too/big", bytes(limit + 1))
        assert backend.stat("too/big") is None

    def test_the_same_key_from_many_is_whole(self, backend: Backend) -> None:
        content = np.random.default_rng(2).bytes(2_000_000)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: backend.put("k", content), range(16)))
        assert backend.get("k") == content
        assert list(backend.keys()) == ["k"]

    def test_readers_beside_writers_see_whole_objects(self, backend: Backend) -> None:
        content = np.random.default_rng(3).bytes(300_000)

        def write_and_read(number: int) -> bool:
            backend.put(f"w/{number}", content)
            return all(backend.get(key) == content for key in backend.keys("w/"))

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(write_and_read, range(24)))

    def test_many_read_at_once(self, backend: Backend) -> None:
        content = np.random.default_rng(4).bytes(1 << 20)
        backend.put("k", content)
        starts = range(0, 1 << 20, 1 << 14)

        def read(start: int) -> bool:
            end = start + (1 << 14)
            return backend.get("k", start, end) == content[start:end]

        with ThreadPoolExecutor(16) as pool:
            assert all(pool.map(read, starts))

    def test_it_may_be_closed_twice(self, backend: Backend) -> None:
        backend.put("k", b"1")
        for _ in range(2):
            backend.close()

    def test_what_was_given_may_change_afterwards(self, backend: Backend) -> None:
        given_bytes = bytearray(b"before")
        backend.put("k", bytes(given_bytes))
        given_bytes[:] = b"after!"
        assert backend.get("k") == b"before"
