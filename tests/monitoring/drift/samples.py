"""Samples of 20 columns of several shapes, and Evidently's word on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from tests.monitoring.environments import environment, told

__all__ = ["COLUMNS", "evidently", "evidently_bins", "samples"]

COLUMNS = 20
_EVIDENTLY = ("evidently==0.7.23", "pandas<3")  # it does not start with pandas 3
_SCRIPT = Path(__file__).parent / "evidently_says.py"


def samples(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A window and a reference, float64 [rows, 20]; every third column moved a little."""
    random = np.random.default_rng(seed)
    reference, window = (_sample(random, rows) for _ in range(2))
    window[:, ::3] += 0.1
    window[:, 5] *= 1.2
    return window, reference


def _sample(random: np.random.Generator, rows: int) -> np.ndarray:
    found = random.normal(size=(rows, COLUMNS))
    found[:, 5:10] = np.exp(found[:, 5:10])
    found[:, 10:13] = random.gamma(2, size=(rows, 3))
    found[:, 13] = random.integers(0, 500, rows)
    found[:, 14] = random.uniform(size=rows)
    return found


def evidently(place: Path, window: np.ndarray, reference: np.ndarray, *methods: str) -> Any:
    """By method: `seconds` of CPU, `scores` of columns.

    Raises RuntimeError where it can't be had.
    """
    file = place / "samples.npz"
    np.savez(file, window=window, reference=reference)
    return told(environment("evidently", *_EVIDENTLY), _SCRIPT, str(file), *methods, seconds=600)


def evidently_bins(window: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Inner ends of the bins in which Evidently counts a column: Sturges' rule over both samples,
    of the same width. (Ours are quantiles of the reference.)"""
    return np.histogram_bin_edges(np.concatenate([reference, window]), bins="sturges")[1:-1]
