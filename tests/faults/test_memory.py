"""A model far larger than the memory we take: 4 GB in and out with a peak below 400 MB."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from hashlib import sha256
from itertools import chain

import numpy as np
import pytest

pytestmark = pytest.mark.slow

TILES = 64
TILE = 64 << 20
LIMIT_MB = 400

WORK = """
import json, sys, time
from modelyard.testing.victim import open_folder

folder, action, place = sys.argv[1:]
yard = open_folder(folder)
start = time.monotonic()
if action == "commit":
    yard.commit("big", place)
else:
    yard.checkout("big", 1, place)
seconds = time.monotonic() - start
yard.close()
status = open("/proc/self/status").read()
peak = int(status.partition("VmHWM:")[2].split()[0]) // 1024  # ru_maxrss would count our parent's
print(json.dumps({"seconds": seconds, "peak_mb": peak}))
"""


def write_big(path):
    """Float32 weights of one seed, each tile scaled by another factor: no two chunks are equal.

    Gives the file's SHA-256.
    """
    header = {
        f"layer{i:02}.weight": {
            "dtype": "F32", "shape": [4096, TILE // 4 // 4096],
            "data_offsets": [i * TILE, (i + 1) * TILE],
        }
        for i in range(TILES)
    }  # fmt: skip
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    whole = sha256()
    base = np.random.default_rng(1).standard_normal(TILE // 4, dtype="float32")
    with path.open("wb") as file:
        head = len(text).to_bytes(8, "little") + text
        tiles = (base * np.float32(0.05 + i / 1000) for i in range(TILES))
        for block in chain([head], tiles):
            file.write(block)
            whole.update(block)
    return whole.hexdigest()


def digest_of(path):
    whole = sha256()
    with path.open("rb", buffering=0) as file:
        while block := file.read(8 << 20):
            whole.update(block)
    return whole.hexdigest()


def in_child(*words):
    done = subprocess.run(
        [sys.executable, "-c", WORK, *map(str, words)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def big(tmp_path):
    path = tmp_path / "model.safetensors"
    yield path, write_big(path)
    for left in tmp_path.rglob("*"):
        if left.is_file():
            left.unlink()


def test_four_gigabytes_go_in_and_out_of_a_small_memory(big, tmp_path, capsys):
    big, before = big
    size = big.stat().st_size
    start = time.monotonic()
    into = in_child(tmp_path / "yard", "commit", big)
    big.unlink()
    out = in_child(tmp_path / "yard", "checkout", tmp_path / "out")
    seconds = time.monotonic() - start
    with capsys.disabled():
        sys.stdout.write(f" [{size / 1e9:.1f} GB: commit {into}, checkout {out}] ")
    assert digest_of(tmp_path / "out" / "model.safetensors") == before
    assert into["peak_mb"] < LIMIT_MB, into
    assert out["peak_mb"] < LIMIT_MB, out
    assert seconds < 60 or os.environ.get("CI") == "true"
