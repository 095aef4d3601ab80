"""Speed of single steps on versions of a few megabytes.

`pytest tests/benchmarks --benchmark-enable` measures; otherwise each runs once, as a plain test.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from modelyard.store.codecs import Workspace, decode, encode
from modelyard.testing.models import layers, safetensors_bytes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_benchmark.fixture import BenchmarkFixture

    from modelyard.core.yard import Yard

MIB = 1 << 20


def megabytes(seed: int) -> bytes:
    """Eight tensors of 1 MiB."""
    return safetensors_bytes(layers(seed, count=8, width=512))


def moved(content: bytes) -> bytes:
    """The same file with the values of its second half moved a little."""
    start = len(content) - 4 * MIB
    values = np.frombuffer(content, np.float32, offset=start)
    noise = np.random.default_rng(5).normal(1, 1e-3, values.size).astype(np.float32)
    return content[:start] + (values * noise).tobytes()


@pytest.fixture
def file(tmp_path: Path) -> Callable[[bytes], Path]:
    """Write a model file in a folder of its own."""
    folders = count()

    def write(content: bytes) -> Path:
        path = tmp_path / f"source{next(folders)}" / "model.safetensors"
        path.parent.mkdir()
        path.write_bytes(content)
        return path

    return write


def test_commit_of_a_new_version(
    benchmark: BenchmarkFixture, yard: Yard, file: Callable[[bytes], Path]
) -> None:
    seeds = count()
    made = benchmark.pedantic(
        lambda path: yard.commit("m", path),
        setup=lambda: ((file(megabytes(next(seeds))),), {}),
        rounds=20,
    )
    assert made.new_bytes < made.size


def test_commit_of_a_fine_tuned_version(
    benchmark: BenchmarkFixture, yard: Yard, file: Callable[[bytes], Path]
) -> None:
    base = megabytes(0)
    yard.commit("base", file(base))
    models = count()

    def prepared() -> tuple[tuple[str, Path], dict[str, Any]]:
        name = f"m{next(models)}"
        yard.commit(name, file(base))
        return (name, file(moved(base))), {}

    made = benchmark.pedantic(lambda name, path: yard.commit(name, path), setup=prepared, rounds=10)
    assert made.new_bytes < 0.6 * made.size


def test_commit_of_the_same_file(
    benchmark: BenchmarkFixture, yard: Yard, file: Callable[[bytes], Path]
) -> None:
    path = file(megabytes(0))
    yard.commit("m", path)
    assert not benchmark(yard.commit, "m", path).created


def test_checkout(
    benchmark: BenchmarkFixture, yard: Yard, file: Callable[[bytes], Path], tmp_path: Path
) -> None:
    content = megabytes(0)
    yard.commit("m", file(content))
    folders = count()

    def place() -> tuple[tuple[Path], dict[str, Any]]:
        return (tmp_path / f"out{next(folders)}",), {}

    benchmark.pedantic(lambda dest: yard.checkout("m", 1, dest), setup=place, rounds=20)
    assert (tmp_path / "out0/model.safetensors").read_bytes() == content


def test_diff_of_two_versions(
    benchmark: BenchmarkFixture, yard: Yard, file: Callable[[bytes], Path]
) -> None:
    base = megabytes(0)
    yard.commit("m", file(base))
    yard.commit("m", file(moved(base)))
    found = benchmark(yard.diff, "m@1", "m@2")
    assert found


def test_one_tensor_by_range_read(
    benchmark: BenchmarkFixture, yard: Yard, file: Callable[[bytes], Path]
) -> None:
    yard.commit("m", file(megabytes(3)))
    values = benchmark(yard.tensor, "m", 1, "layer5.weight")
    assert np.array_equal(values, layers(3, count=8, width=512)["layer5.weight"])


def test_search(benchmark: BenchmarkFixture, yard: Yard, tmp_path: Path) -> None:
    path = tmp_path / "weights.bin"
    for number in range(30):
        path.write_bytes(f"weights {number}".encode())
        given = {"metrics": {"accuracy": number / 30}, "labels": {"task": "classify"}}
        yard.commit(f"team/m{number % 3}", path, message=f"step {number}", **given)
    page = benchmark(yard.search, "label:task=classify metric.accuracy>0.5")
    assert len(page.items) == 14


@pytest.mark.parametrize("based", [False, True], ids=["full", "delta"])
@pytest.mark.parametrize("width", [2, 4], ids=["bf16", "fp32"])
class TestCodec:
    """One chunk of 1 MiB of weights."""

    def chunks(self, width: int, based: bool) -> tuple[np.ndarray, np.ndarray | None]:
        rng = np.random.default_rng(1)
        base = rng.normal(0, 0.02, MIB // width).astype(np.float32)
        changed = base * rng.normal(1, 1e-3, base.size).astype(np.float32)
        one, other = (self.stored(values, width) for values in (changed, base))
        return one, other if based else None

    def stored(self, values: np.ndarray, width: int) -> np.ndarray:
        bits = values.view(np.uint32)
        kept = (bits >> 16).astype(np.uint16) if width == 2 else bits
        return kept.view(np.uint8)

    def test_encode(self, benchmark: BenchmarkFixture, width: int, based: bool) -> None:
        source, base = self.chunks(width, based)
        encoded = benchmark(encode, source, width, True, base, Workspace())
        assert encoded.length < (0.55 if based else 0.86) * MIB

    def test_decode(self, benchmark: BenchmarkFixture, width: int, based: bool) -> None:
        source, base = self.chunks(width, based)
        work = Workspace()
        encoded = encode(source, width, True, base, work)
        payload = memoryview(b"".join(bytes(part) for part in encoded.parts))
        out = np.empty(MIB, np.uint8)
        benchmark(decode, encoded.codec, payload, base, out, work)
        assert np.array_equal(out, source)
