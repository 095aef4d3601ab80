"""Merging weights: two models of 1 GB, tuned from one base, by every method.

    python tests/benchmarks/objects/merging.py [SIZE_MB] [DTYPE] [METHOD ...]

Each merge runs in a process of its own, for its peak of memory. Told are the bytes of both models
over the seconds of processor time of the call: of reading (decode and verify), of the mathematics
alone, and of all, with what storing the result takes (hash, cut, encode, write, publish).
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

METHODS = ("average", "weighted", "slerp", "task-arithmetic", "ties", "dare")
LIMIT_MB = 300
LEAST_MB_S = 300

CHILD = """
import json, sys, time
from pathlib import Path
from modelyard import registry

folder, method = sys.argv[1:]
options = {"weights": [0.3, 0.7]} if method == "weighted" else {}
yard = registry.open_yard(folder)
cpu, wall = time.process_time(), time.monotonic()
done = yard.mix("big", [2, 3], method=method, into=f"by-{method}", **options)
cpu, wall = time.process_time() - cpu, time.monotonic() - wall
yard.close()
status = open("/proc/self/status").read()
peak = int(status.partition("VmHWM:")[2].split()[0]) // 1024
print(json.dumps({
    "cpu": cpu, "wall": wall, "peak_mb": peak, "read": done.read_bytes, "new": done.new_bytes,
    "size": done.size,
}))
"""


def layout(size, width):
    """A transformer's: an embedding, square and wide matrices, norms."""
    shapes, left = {"embed.weight": (32_000, 1024)}, size // width - 32_000 * 1024
    layer = 0
    while left > 0:
        for name, shape in (("attn", (1024, 4096)), ("mlp", (4096, 4096)), ("norm", (1024,))):
            rows = max(1, min(shape[0], left // shape[-1] if len(shape) > 1 else shape[0]))
            shapes[f"layers.{layer}.{name}.weight"] = (rows, *shape[1:])
            left -= rows * (shape[1] if len(shape) > 1 else 1)
        layer += 1
    return shapes


def write(path, shapes, dtype, seed):
    """Normal weights; a tuned model differs by small steps. Seed 0 is the base."""
    width = 2 if dtype == "BF16" else 4
    header, at = {}, 0
    for name, shape in shapes.items():
        end = at + int(np.prod(shape)) * width
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, end]}
        at = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    start, steps = np.random.default_rng(0), np.random.default_rng(seed)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for shape in shapes.values():
            values = start.standard_normal(shape, "float32") * np.float32(0.02)
            if seed:
                values += steps.standard_normal(shape, "float32") * np.float32(0.0005)
            bits = values.view("<u4")
            file.write(values if width == 4 else ((bits + 0x8000) >> 16).astype("<u2"))


def prepare(folder, size, dtype):
    """A yard with a base and two versions tuned from it."""
    from modelyard import registry

    shapes = layout(size, 2 if dtype == "BF16" else 4)
    with registry.create(folder / "yard") as yard:
        for seed in range(3):
            place = folder / "model.safetensors"
            write(place, shapes, dtype, seed)
            start = time.process_time()
            branch = None if seed == 0 else f"tuned-{seed}"
            done = yard.commit("big", place, branch=branch, parent=1 if seed else None)
            spent = time.process_time() - start
            print(f"  commit {done}: {spent:.2f} s CPU")
            place.unlink()
        start = time.process_time()
        yard.checkout("big", 2, folder / "out")
        print(f"  checkout of version 2: {time.process_time() - start:.2f} s CPU")
        shutil.rmtree(folder / "out")


def kernels(method, dtype):
    """MB of both models a second of processor time, for the mathematics alone."""
    from modelyard.core.mixing import Mix, Room, mix_block, survey_of

    rng = np.random.default_rng(0)
    width = 2 if dtype == "BF16" else 4
    name = "bfloat16" if dtype == "BF16" else "float32"
    count = (4 << 20) // width
    base = rng.standard_normal(count, "float32")
    sides = [base + rng.standard_normal(count, "float32") * np.float32(0.03) for _ in range(2)]
    raw = [
        (v if width == 4 else (v.view("<u4") >> 16).astype("<u2")).view(np.uint8)
        for v in (*sides, base)
    ]
    weights = [0.3, 0.7] if method == "weighted" else None
    mix = Mix.parse(method, 2, weights=weights)
    below, room, out = raw[2] if mix.needs_base else None, Room(), np.empty(4 << 20, np.uint8)

    def once():
        survey = survey_of(mix, name, count)
        while survey is not None and survey.facts is None:
            survey.add(0, raw[:2], below, room)
            survey.finish()
        facts = survey.facts if survey else None
        mix_block(mix, "w", name, 0, raw[:2], below, facts, out, room)

    once()
    start = time.process_time()
    for _ in range(10):
        once()
    return 10 * 2 * out.nbytes / (time.process_time() - start) / 1e6


def main(size_mb=1000, dtype="F32", *methods):
    size = int(size_mb) * 1_000_000
    folder = Path(tempfile.mkdtemp(prefix="merging-"))
    ok = True
    try:
        print(f"two models of {size_mb} MB, {dtype}")
        prepare(folder, size, dtype)
        for method in methods or METHODS:
            done = subprocess.run(
                [sys.executable, "-c", CHILD, str(folder / "yard"), method],
                capture_output=True, text=True, check=True,
            )  # fmt: skip
            told = json.loads(done.stdout)
            rate = 2 * told["size"] / told["cpu"] / 1e6
            good = rate >= LEAST_MB_S and told["peak_mb"] < LIMIT_MB
            ok = ok and good
            print(
                f"  {method:16} {rate:5.0f} MB/s CPU ({told['cpu']:.2f} s CPU, "
                f"{told['wall']:.2f} s wall), kernels {kernels(method, dtype):5.0f} MB/s, "
                f"peak {told['peak_mb']} MB, "
                f"read {told['read'] / 1e9:.1f} GB, new {told['new'] / 1e6:.0f} MB"
                f"{'' if good else '  MISSED'}"
            )
    finally:
        shutil.rmtree(folder)
    return ok


if __name__ == "__main__":
    sys.exit(0 if main(*sys.argv[1:]) else 1)
