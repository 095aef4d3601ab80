"""`python -m tests.benchmarks.monitoring.drift [PART...]`: how often drift is told of wrongly, how
often it is found, and what it costs beside Evidently. Prints rates; 1 if one misses its limit.

`null` and `power` draw counts from their exact distributions (`simulated`): 16 continuous columns,
2 flags, 2 counts, 4 texts, predictions, scores, and how numbers go together. Each null window has a
reference and two windows before it of its own.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tests.benchmarks.monitoring.simulated import world
from tests.benchmarks.store.checks import Check
from tests.benchmarks.store.sections import line
from tests.monitoring.drift.samples import COLUMNS, evidently, evidently_bins, samples

from modelyard.monitoring.drift import drift_of
from modelyard.monitoring.drift.distances import (
    js_of_values,
    psi_of_values,
    wasserstein_of_values,
)
from modelyard.monitoring.folding import fold, new_tile
from modelyard.monitoring.profiles import profile_from_rows
from modelyard.monitoring.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.monitoring.profiles import Profile
    from modelyard.monitoring.tiles import Tile

__all__ = ["PARTS", "against_evidently", "null", "power"]

ROWS = 1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000
REFERENCES = 1_000, 10_000, 100_000, 1_000_000
SHIFT = 0.25
_BATCH = 4_096
_METHODS = {"psi": "PSI", "jensenshannon": "JS", "wasserstein": "Wasserstein"}
_EMPTY = "PSI with bins empty on one side (Evidently: a millionth of the least share)"


def null(given: argparse.Namespace) -> Iterator[Check]:
    """Windows of 1,000 to 1,000,000 rows in which nothing changed."""
    random = np.random.default_rng(given.seed)
    told: Counter[str] = Counter()
    where: Counter[str] = Counter()
    sizes = itertools.cycle(itertools.product(ROWS, REFERENCES))
    for rows, reference in itertools.islice(sizes, given.windows):
        made = world(random, reference)
        *before, window = (made.window(rows) for _ in range(3))
        found = drift_of(made.profile, window, before)
        for word in ("suspected", "drifted"):
            wrong = any(getattr(drift, word) for drift in found)
            told[word] += wrong
            where[f"{rows:,} rows against {reference:,}"] += wrong and word == "suspected"
    note = f"of {given.windows:,} windows; " + ", ".join(f"{k}: {v}" for k, v in where.items() if v)
    allowed = 4 * max(1.0, given.windows / 10_000)
    yield Check("nothing changed", "windows with a drifted column", told["drifted"], allowed,
                note=f"of {given.windows:,} windows, each with two before it")  # fmt: skip
    yield Check("nothing changed", "windows with a suspected column", told["suspected"], allowed,
                note=note)  # fmt: skip


def power(given: argparse.Namespace) -> Iterator[Check]:
    """One column of 26 moved by a quarter of its standard deviation."""
    random = np.random.default_rng(given.seed)
    for reference in (1_000, 2_000, 5_000, 10_000, 100_000):
        limit = 0.99 if reference >= 2_000 else None
        for rows, windows, word in ((2_000, 1, "suspected"), (1_000, 2, "drifted")):
            hits = 0
            for _ in range(given.tries):
                made = world(random, reference)
                *before, last = (made.window(rows, SHIFT) for _ in range(windows))
                hits += getattr(drift_of(made.profile, last, before)[0], word)
            what = f"{word} in {windows} window{'s' * (windows > 1)} of {rows:,} rows"
            yield Check(f"0.25 sigma, reference of {reference:,}", what, hits / given.tries,
                        limit if windows == 1 else None, at_least=True,
                        note=f"of {given.tries:,} tries")  # fmt: skip


def against_evidently(given: argparse.Namespace) -> Iterator[Check]:
    """Its drift preset on 100,000 rows by 20 columns, and ours."""
    window, reference = samples(given.rows)
    with tempfile.TemporaryDirectory() as place:
        theirs = evidently(Path(place), window, reference, "default", *_METHODS)
    group = f"{given.rows:,} rows by {COLUMNS}"
    start = time.process_time()
    profile = _profile(reference)
    made = time.process_time() - start
    times = sorted(_compared(profile, window) for _ in range(5))
    folded, asked, _ = times[2]
    seconds = theirs["default"]["seconds"]
    yield Check(group, "CPU of Evidently's preset by ours", seconds / (folded + asked), 100,
                at_least=True, note=f"{seconds:.2f} s; ours from rows: {folded:.4f} s folding, "
                f"{asked:.4f} s testing; the profile, once: {made:.2f} s")  # fmt: skip
    yield Check(group, "CPU of Evidently's preset by ours, tiles there", seconds / asked,
                note="what asking costs while a deployment runs")  # fmt: skip
    yield Check(group, "CPU of Evidently's preset by ours, profile too",
                seconds / (folded + asked + made))  # fmt: skip
    apart: dict[str, list[float]] = {name: [] for name in (*_METHODS.values(), _EMPTY)}
    for i in range(COLUMNS):
        now, then = window[:, i], reference[:, i]
        edges = evidently_bins(now, then)
        ours = (
            psi_of_values(now, then, edges), js_of_values(now, then, edges),
            wasserstein_of_values(now, then) / float(np.std(then)),
        )  # fmt: skip
        counts = [np.histogram(side, [-np.inf, *edges, np.inf])[0] for side in (now, then)]
        alone = bool(((counts[0] > 0) != (counts[1] > 0)).any())
        for (name, word), value in zip(_METHODS.items(), ours, strict=True):
            word = _EMPTY if alone and name == "psi" else word
            apart[word].append(abs(value - theirs[name]["scores"][i]))
    for word, found in apart.items():
        yield Check(group, f"largest difference of {word}", max(found, default=0.0),
                    None if word == _EMPTY else 1e-3,
                    note=f"{len(found)} columns, the same values in Evidently's bins")  # fmt: skip
    tile = _folded(profile, window)
    scores = [{s.test: s.value for s in drift.scores} for drift in drift_of(profile, tile)]
    gaps = [abs(scores[i]["wasserstein"] - theirs["wasserstein"]["scores"][i])
            for i in range(COLUMNS)]  # fmt: skip
    yield Check(group, "largest difference of Wasserstein from tiles", max(gaps),
                note="by 32 bins, not by values")  # fmt: skip


def _profile(reference: np.ndarray) -> Profile:
    columns = {f"x{i}": reference[:, i] for i in range(reference.shape[1])}
    return profile_from_rows(columns, {"value": np.zeros(len(reference))})


def _folded(profile: Profile, window: np.ndarray) -> Tile:
    tile = new_tile(profile.schema)
    for start in range(0, len(window), _BATCH):
        part = window[start : start + _BATCH]
        fold(tile, Rows(profile.schema, len(part), part))
    return tile


def _compared(profile: Profile, window: np.ndarray) -> tuple[float, float, int]:
    """CPU seconds of folding and of testing."""
    gc.collect()
    start = time.process_time()
    tile = _folded(profile, window)
    middle = time.process_time()
    found = drift_of(profile, tile)
    return middle - start, time.process_time() - middle, len(found)


PARTS = {"null": null, "power": power, "evidently": against_evidently}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=list(PARTS), metavar="PART")
    parser.add_argument("--windows", type=int, default=10_000, help="in which nothing changed")
    parser.add_argument("--tries", type=int, default=1_000, help="of a shift to be found")
    parser.add_argument("--rows", type=int, default=100_000, help="beside Evidently")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    failed = False
    for part in given.parts:
        for check in PARTS[part](given):
            print(line(check), flush=True)
            failed |= check.passed is False
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
