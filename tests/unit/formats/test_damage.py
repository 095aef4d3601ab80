"""Damaged files are refused in one way only, at once, and ranges never leave the file."""

from __future__ import annotations

import io
import time
from pathlib import Path

import pytest
from format_builders import gguf, litert, onnx_simple
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelyard.errors import InvalidInput, Unsupported
from modelyard.formats import Inspection, external_tensors, inspect, read_tensor

SAMPLES = Path(__file__).parent / "samples"
FILES = {
    path.name: path.read_bytes() for path in sorted(SAMPLES.iterdir()) if path.suffix != ".md"
} | {
    "hand.tflite": litert(),
    "hand.onnx": onnx_simple(),
    "hand.gguf": gguf([("w", [4], 0, 0), ("v", [32], 2, 32)], bytes(32 + 18)),
    "saved_model.pb": b"\x08\x01\x12\x10\x12\x0e\x0a\x0c\x12\x0aPyFuncTest",
}
HEAD = 3000
"""Structure is at the front, or at the back: there damage is likelier to matter."""


def assert_handled(data: bytes, path: str) -> Inspection | None:
    begin = time.process_time()
    try:
        found = inspect(io.BytesIO(data), path)
    except InvalidInput:
        found = None
    assert time.process_time() - begin < 1.5
    if found is None:
        return None
    for tensor in found.tensors:
        if tensor.start is not None and tensor.end is not None:
            assert 0 <= tensor.start <= tensor.end <= len(data)
    external_tensors(found)
    return found


@pytest.mark.parametrize("name", sorted(FILES))
def test_every_cut_is_handled(name):
    data = FILES[name]
    step = max(1, len(data) // 150)

    for end in range(0, len(data), step):
        assert_handled(data[:end], name)


@pytest.mark.parametrize("name", sorted(FILES))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(random=st.randoms(use_true_random=False), count=st.integers(1, 6))
def test_flipped_bytes_are_handled(name, random, count):
    data = bytearray(FILES[name])
    for _ in range(count):
        at = random.randrange(min(len(data), HEAD))
        data[at if random.random() < 0.7 else -at - 1] = random.choice((0, 1, 127, 128, 255, 46))

    assert_handled(bytes(data), name)


@pytest.mark.parametrize("name", sorted(FILES))
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_spliced_bytes_are_handled(name, data):
    whole = FILES[name]
    at = data.draw(st.integers(0, min(len(whole), HEAD)))
    skip = data.draw(st.integers(0, 40))
    new = data.draw(st.binary(max_size=40))

    assert_handled(whole[:at] + new + whole[at + skip :], name)


@settings(max_examples=300, deadline=None)
@given(
    body=st.binary(max_size=300), head=st.sampled_from([*FILES.values()]), cut=st.integers(4, 64)
)
def test_random_bytes_behind_a_real_head_are_handled(body, head, cut):
    for path in ("m.pkl", "m.onnx", "m.safetensors", "m.h5"):
        assert_handled(head[:cut] + body, path)


@pytest.mark.parametrize("name", sorted(set(FILES) - {"ext.h5", "exts.h5", "virt.h5"}))
def test_every_tensor_reads_back_or_says_why_not(name):
    data = FILES[name]
    found = assert_handled(data, name)

    assert found is not None
    for tensor in found.tensors:
        try:
            value = read_tensor(io.BytesIO(data), name, found, tensor)
        except Unsupported:
            continue
        assert value.shape == tensor.shape
