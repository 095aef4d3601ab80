"""What files of one version say of each other: data beside ONNX, shards, SavedModel variables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from modelyard.core.version import Finding

__all__ = ["inspect_folder"]


def inspect_folder(root: Path, paths: Sequence[str]) -> tuple[Finding, ...]:
    """Findings about references between files. The files themselves were inspected before."""
    return ()
