"""Data passes on real data with faults planted in it: what they find, what they gain, what is kept.

The holdout is never changed: it has right labels, and no pass sees it.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from modelyard.core.table import Table
from modelyard.frameworks import framework_of, serializer_of
from modelyard.optimization.data_profile import profile_data
from modelyard.optimization.passes.data.learning import learner_of, score
from modelyard.optimization.passes.data.relabel import doubtful
from modelyard.optimization.state import Model, Rows, Work
from modelyard.optimization.stepping import run_pass

__all__ = ["run"]

Array = np.ndarray[Any, Any]

NOISE = 0.15
USELESS: dict[str, dict[str, Any]] = {
    "features": {"kind": "together"}, "select": {"method": "information", "share": 0.9},
    "augment": {"kind": "noise", "strength": 0.02}, "clean": {"outliers": "drop"},
}  # fmt: skip


def run(seeds: int = 3) -> list[tuple[str, str, str]]:
    """What, seen, asked."""
    found: list[tuple[str, str, str]] = []
    recalls, precisions, gains, worse = [], [], [], 0
    false_leaks = doubts = rows = kept = tried = harmed = 0
    begun = time.monotonic()
    for name, table, target in _data():
        facts = profile_data(Rows(table, target))
        false_leaks += len(facts.leaks)
        doubts, rows = doubts + len(facts.doubts), rows + len(target)
        for seed in range(seeds):
            recall, precision, gain = _noisy(table, target, seed)
            recalls.append(recall)
            precisions.append(precision)
            gains.append(gain)
            worse += gain < -0.01
            print(f"{name} seed {seed}: labels found {recall:.0%}, right {precision:.0%}, "
                  f"holdout {gain:+.3f}", flush=True)  # fmt: skip
            for place, was_kept, change in _useless(table, target, seed):
                tried, kept = tried + 1, kept + was_kept
                harmed += was_kept and change < -0.01
                print(f"{name} seed {seed}: {place} kept {was_kept}, holdout {change:+.3f}")
    share = f"{NOISE:.0%} wrong labels"
    found.append((f"{share}: found", f"{np.mean(recalls):.0%}", ">= 60 %"))
    found.append((f"{share}: of those doubted, wrong", f"{np.mean(precisions):.0%}", ">= 60 %"))
    found.append((f"{share}: accuracy on right labels, mean gain", f"{np.mean(gains):+.3f}", "> 0"))
    found.append((f"{share}: runs that lost more than a point", f"{worse} of {len(gains)}", "few"))
    found.append(("labels of real data doubted", f"{doubts / rows:.1%}", "< 2 %"))
    found.append(("columns of real data taken for leaks", f"{false_leaks}", "0"))
    found.append(("passes that change little: kept", f"{kept} of {tried}", "few"))
    found.append(("  of these, worse by more than a point", f"{harmed}", "few"))
    found.append(("seconds", f"{time.monotonic() - begun:.0f}", ""))
    return found


def _data() -> list[tuple[str, Table, Array]]:
    from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine

    found = []
    for load in (load_breast_cancer, load_wine, load_digits, load_iris):
        bunch = load()
        names = [str(each) for each in bunch.feature_names]
        taken = np.random.default_rng(0).permutation(len(bunch.target))[:900]
        columns = dict(zip(names, bunch.data[taken].T, strict=True))
        found.append((load.__name__[5:], Table(columns), bunch.target[taken]))
    return found


def _model(rows: Rows, folder: Path) -> tuple[Model, Work]:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    obj = make_pipeline(StandardScaler(), LogisticRegression(C=10, max_iter=500))
    obj.fit(rows.inputs.frame(), rows.target)
    source = folder / "source"
    source.mkdir()
    framework = framework_of(obj)
    saved = framework.save(obj, source, serializer_of(framework, None), None)
    model = Model(folder=source, saved=saved)
    return model, Work(
        task="classification", train=rows, valid=None, source=model, scratch=folder, seed=1
    )


def _parts(table: Table, target: Array, seed: int) -> tuple[Rows, Rows]:
    order = np.random.default_rng(seed).permutation(len(target))
    cut = len(order) * 7 // 10
    rows = Rows(table, target)
    return rows.take(order[:cut]), rows.take(order[cut:])


def _noisy(table: Table, target: Array, seed: int) -> tuple[float, float, float]:
    """Wrong labels found, doubted labels that are wrong, and accuracy gained on the holdout."""
    train, holdout = _parts(table, target, seed)
    chance = np.random.default_rng(100 + seed)
    truth = np.asarray(train.target)
    wrong = chance.random(len(truth)) < NOISE
    classes = len(np.unique(target))
    given = np.where(wrong, (truth + chance.integers(1, classes, len(truth))) % classes, truth)
    noisy = replace(train, target=given)
    with tempfile.TemporaryDirectory() as place:
        model, work = _model(noisy, Path(place))
        found = doubtful(learner_of(model), noisy, 1)
        assert found is not None
        hits = int(wrong[found.rows].sum())
        new, _, _ = run_pass("relabel", model, {"action": "drop"}, work)
        gain = score(new.load(), holdout, "classification") - score(
            model.load(), holdout, "classification"
        )
    return hits / max(int(wrong.sum()), 1), hits / max(len(found.rows), 1), gain


def _useless(table: Table, target: Array, seed: int) -> list[tuple[str, bool, float]]:
    """Passes that can't do much: whether each was kept, and what it did to the holdout."""
    train, holdout = _parts(table, target, seed)
    found = []
    for name, params in USELESS.items():
        with tempfile.TemporaryDirectory() as place:
            model, work = _model(train, Path(place))
            new, done, _ = run_pass(name, model, params, work)
            before, after = (score(each.load(), holdout, "classification") for each in (model, new))
        found.append((name, done.kept, after - before))
    return found


if __name__ == "__main__":
    for what, seen, asked in run():
        print(f"{what:50} {seen:>12}  {asked}")
