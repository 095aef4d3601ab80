"""Every codec gives back what it was given, and the choice between them is the cheap one."""

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.errors import Corrupt
from modelyard.store.codecs import Workspace, decode, delta, dictionary, encode, needs_base, planes

WORK = Workspace()


def coded(source: np.ndarray, width: int, is_float: bool, base: np.ndarray | None = None):
    raw = np.frombuffer(source.tobytes(), np.uint8)
    old = None if base is None else np.frombuffer(base.tobytes(), np.uint8)
    encoded = encode(raw, width, is_float, old, WORK)
    payload = b"".join(bytes(part) for part in encoded.parts)
    assert len(payload) == encoded.length
    out = np.empty(len(raw), np.uint8)
    decode(encoded.codec, memoryview(payload), old, out, Workspace())
    assert out.tobytes() == raw.tobytes()
    return encoded


def weights(dtype: str, count: int = 1 << 16, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal(count) * 0.03).astype(dtype)


@given(st.binary(max_size=5000), st.sampled_from([1, 2, 4, 8]), st.booleans())
def test_any_bytes_come_back(content, width, is_float):
    coded(np.frombuffer(content, np.uint8), width, is_float)


@given(st.binary(min_size=1, max_size=3000), st.data(), st.sampled_from([1, 2, 4, 8]))
def test_any_bytes_come_back_in_terms_of_any_base(content, data, width):
    base = bytearray(content * 2)[: data.draw(st.integers(1, len(content) * 2))]
    for at in data.draw(st.lists(st.integers(0, len(base) - 1), max_size=4)):
        base[at] ^= 0x5A
    coded(np.frombuffer(content, np.uint8), width, True, np.frombuffer(bytes(base), np.uint8))


@pytest.mark.parametrize(("dtype", "limit"), [("f4", 0.84), ("f2", 0.90), ("f8", 0.93)])
def test_trained_weights_get_smaller_by_their_exponents(dtype, limit):
    source = weights(dtype)
    encoded = coded(source, source.itemsize, True)
    assert encoded.codec == planes.NUMBER
    assert encoded.length < source.nbytes * limit


def test_a_small_step_costs_half_in_fp32():
    old = weights("f4")
    new = (old * (1 + 1e-3 * weights("f4", seed=1) / 0.03)).astype("f4")
    encoded = coded(new, 4, True, old)
    assert encoded.codec == delta.NUMBER
    assert encoded.length < new.nbytes * 0.5


def test_a_small_step_costs_almost_nothing_in_bf16():
    old = (weights("f4").view("u4") >> 16).astype("u2")
    new = old.copy()
    new[::97] += 1
    encoded = coded(new, 2, True, old)
    assert encoded.codec == delta.NUMBER
    assert encoded.length < new.nbytes * 0.03


def test_weights_that_have_nothing_to_do_with_the_base_are_stored_in_full():
    encoded = coded(weights("f4"), 4, True, weights("f4", seed=9))
    assert not needs_base(encoded.codec)


def test_noise_is_kept_as_it_is():
    noise = np.random.default_rng(0).integers(0, 256, 1 << 17, dtype=np.uint8)
    assert coded(noise, 1, False).codec == 0


def test_zeros_cost_nothing():
    assert coded(np.zeros(1 << 18, "f4"), 4, True).length < 100


def test_extreme_integers_survive_the_zigzag():
    ends = np.array([0, 2**63 - 1, -(2**63), -1, 1] * 40, "i8")
    coded(ends, 8, False, ends[::-1].copy())


def test_a_changed_pickle_is_told_by_its_parent():
    old = np.random.default_rng(0).integers(0, 256, 57_000, dtype=np.uint8)
    new = np.insert(old, 1000, [1, 2, 3]).astype(np.uint8)
    encoded = coded(new, 1, False, old)
    assert encoded.codec == dictionary.NUMBER
    assert encoded.length < 200


@given(st.binary(max_size=400), st.integers(0, 9), st.integers(0, 4096))
def test_damaged_payloads_are_corrupt_and_nothing_else(payload, codec, size):
    base = np.zeros(size, np.uint8)
    out = np.empty(size, np.uint8)
    with contextlib.suppress(Corrupt):
        decode(codec, memoryview(payload), base, out, WORK)
