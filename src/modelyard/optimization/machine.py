"""The machine that measures: gains of int8 depend on its instructions."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["environment"]

_LIBRARIES = (
    "modelyard", "numpy", "scikit-learn", "xgboost", "lightgbm", "torch", "tensorflow-cpu",
    "tensorflow", "keras", "onnx", "onnxruntime", "onnxscript", "skl2onnx", "onnxmltools", "optuna",
    "transformers",
)  # fmt: skip
_TELLING = (
    "avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "avx512_bf16", "fma", "asimd",
    "asimddp", "i8mm", "bf16", "sve",
)  # fmt: skip
"""Instructions that change how quick 8 and 16 bits are."""


def environment() -> dict[str, str]:
    """Machine, processor, its instructions, and versions of what may take part."""
    processor, flags = _processor()
    found = {
        "python": platform.python_version(),
        "platform": f"{platform.system()}-{platform.machine()}",
        "cpus": str(os.cpu_count()),
    }
    if processor:
        found["processor"] = processor
    telling = [flag for flag in _TELLING if flag in flags]
    if telling:
        found["instructions"] = " ".join(telling)
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _processor() -> tuple[str, frozenset[str]]:
    """As Linux tells them; elsewhere nothing."""
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8", "replace")
    except OSError:
        return platform.processor(), frozenset()
    fields: dict[str, str] = {}
    for line in text.splitlines():
        name, _, value = line.partition(":")
        fields.setdefault(name.strip().lower(), value.strip())
    flags = frozenset((fields.get("flags") or fields.get("features") or "").split())
    return fields.get("model name", platform.processor()), flags
