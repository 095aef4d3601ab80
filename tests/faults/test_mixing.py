"""Mixing models that are larger than the memory we take, and mixing that is killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import numpy as np
import pytest

from modelyard.registry import create, open_yard

pytestmark = pytest.mark.slow

LIMIT_MB = 300
SHAPES = {"embed": (32_000, 1024), "wide": (4096, 4096), "square": (1024, 4096), "norm": (1024,)}
SHAPES |= {f"layer{i}": (2048, 4096) for i in range(3)}

MIX = """
import json, sys
from modelyard.registry import open_yard

folder, method, into = sys.argv[1:]
with open_yard(folder) as yard:
    def told(progress):
        print(progress.done, flush=True)
    done = yard.mix("big", [2, 3], method=method, into=into, progress=told)
status = open("/proc/self/status").read()
peak = int(status.partition("VmHWM:")[2].split()[0]) // 1024
print(json.dumps({"peak_mb": peak, "size": done.size}))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A yard of a base and two versions tuned from it, 315 MB each."""
    root = tmp_path_factory.mktemp("mixing")
    header, at = {}, 0
    for name, shape in SHAPES.items():
        end = at + 4 * int(np.prod(shape))
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, end]}
        at = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path = root / "model.safetensors"
    block = np.random.default_rng(0).standard_normal(1 << 20, "float32")
    with create(root / "yard") as yard:
        for seed in range(3):
            with path.open("wb") as file:
                file.write(len(text).to_bytes(8, "little") + text)
                for number, start in enumerate(range(0, at, block.nbytes)):
                    part = block[: (min(start + block.nbytes, at) - start) // 4]
                    file.write(part * np.float32(0.02 + number / 1e5) * np.float32(1 + seed / 100))
            branch = None if seed == 0 else f"b{seed}"
            yard.commit("big", path, branch=branch, parent=1 if seed else None)
            path.unlink()
    yield root / "yard"
    for left in root.rglob("*"):
        if left.is_file():
            left.unlink()


@pytest.mark.parametrize("method", ["average", "ties"])
def test_two_large_models_are_mixed_in_a_small_memory(folder, method):
    done = subprocess.run(
        [sys.executable, "-c", MIX, str(folder), method, method],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["size"] > 300e6, "larger than the limit, or nothing is shown"
    assert told["peak_mb"] < LIMIT_MB


def test_mixing_that_is_killed_leaves_nothing(folder):
    with open_yard(folder) as yard:
        before = [version.number for version in yard.log("big")]
    words = [sys.executable, "-c", MIX, str(folder), "dare", "killed"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as child:
        for line in child.stdout:
            if int(line) > 100e6:
                child.send_signal(signal.SIGKILL)
                break
        assert child.wait() == -signal.SIGKILL
    assert {path.name for path in folder.iterdir()} <= {
        "yard.toml", "yard.lock", "store", "catalog.db", "catalog.db-wal", "catalog.db-shm",
    }  # fmt: skip
    with open_yard(folder) as yard:
        assert [version.number for version in yard.log("big")] == before
        assert "killed" not in {ref.name for ref in yard.refs("big")}
        assert yard.mix("big", [2, 3], method="dare", into="killed").number == before[0] + 1
        assert yard.verify().ok
