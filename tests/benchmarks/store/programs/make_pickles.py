"""Forty GradientBoosting models of 57 KB as pickles, and where their doubles lie: FOLDER."""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path

from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import GradientBoostingClassifier

WANTED = 57_000


def train(seed: int, trees: int) -> GradientBoostingClassifier:
    x, y = load_breast_cancer(return_X_y=True)
    model = GradientBoostingClassifier(
        n_estimators=trees, subsample=0.7, learning_rate=0.05 + seed / 400, random_state=seed
    )
    return model.fit(x, y)


def doubles(model: GradientBoostingClassifier, data: bytes) -> list[int]:
    """Offsets of the leaf values of all trees inside the pickle."""
    found = []
    for tree in model.estimators_[:, 0]:
        raw = tree.tree_.value.tobytes()
        at = data.find(raw)
        if at >= 0:
            found += range(at, at + len(raw), 8)
    return found


def main(folder: Path, count: int = 40) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    trees = round(40 * WANTED / len(pickle.dumps(train(0, 40))))
    places, sizes = {}, []
    for seed in range(count):
        model = train(seed, trees)
        data = pickle.dumps(model)
        (folder / f"{seed:02d}.pkl").write_bytes(data)
        places[f"{seed:02d}"] = doubles(model, data)
        sizes.append(len(data))
    (folder / "doubles.json").write_text(json.dumps(places))
    print(json.dumps({"trees": trees, "bytes": sum(sizes) / len(sizes)}))


main(Path(sys.argv[1]))
