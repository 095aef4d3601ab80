"""Evaluation of 100,000 rows: what it takes beside the model's own time.

    python tests/benchmarks/objects/evaluation.py [ROWS]

A random forest is asked about all rows in a child process. Told are the seconds of the whole call,
of starting the child and loading the model, of the model itself (as the child measures it), and of
all else; the ratio is (whole - start) / model, and may be 1.3.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

LIMIT = 1.3
TREES = 300
COLUMNS = 20


def data_of(rows, seed):
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(rows, COLUMNS))
    score = inputs[:, 0] + inputs[:, 1] * inputs[:, 2] + rng.normal(scale=0.7, size=rows)
    return inputs, (score > 0).astype(int)


def measure(rows):
    from sklearn.ensemble import RandomForestClassifier

    import modelyard
    from modelyard.registry import asking, create

    inputs, target = data_of(3000, 0)
    forest = RandomForestClassifier(TREES, random_state=0, n_jobs=1).fit(inputs, target)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        inputs, target = data_of(rows, 1)
        columns = {f"x{i}": inputs[:, i] for i in range(COLUMNS)}
        np.savez(place / "data.npz", **columns, y=target)
        yard = create(place / "yard")
        yard.model("forest").commit(forest)
        begun = time.perf_counter()
        with asking.opened(yard.house, "forest", None, modelyard.TRUST_ALL):
            start = time.perf_counter() - begun
        begun = time.perf_counter()
        found = yard.evaluate(
            "forest", data=place / "data.npz", target="y", trusted=modelyard.TRUST_ALL
        )
        whole = time.perf_counter() - begun
        yard.close()
    model = rows / found.latency.rows_per_second
    return whole, start, model, found


def main(rows):
    whole, start, model, found = measure(rows)
    ratio = (whole - start) / model
    print(f"{rows:,} rows: whole {whole:.2f} s, start {start:.2f} s, model {model:.2f} s "
          f"({model / rows * 1e6:.1f} us a row), other {whole - start - model:.2f} s")  # fmt: skip
    print(f"ratio {ratio:.2f} (may be {LIMIT}); accuracy {found.measures[0].value:.4f}, "
          f"{found.latency.asked} single rows, p50 {found.latency.p50} ms")  # fmt: skip
    return 0 if ratio <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000))
