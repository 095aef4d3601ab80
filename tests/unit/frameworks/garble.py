"""Damaged files of XGBoost and LightGBM, loaded in a process that may die of them.

Run as `python garble.py FRAMEWORK FILE COUNT SEED`: damages the file COUNT times, loads what comes
out as the framework does, and uses what was loaded. Prints how many were refused and loaded. Any
other end (a signal, an unexpected error) is a hole in the check before loading.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np

from modelyard.core.trust import Trust
from modelyard.errors import InvalidInput
from modelyard.frameworks import FolderFiles, Saved, named

CLASSES = {"xgboost": "xgboost.core.Booster", "lightgbm": "lightgbm.basic.Booster"}
NUMBERS = (b"-1", b"0", b"1", b"2", b"3", b"9", b"", b"-", b"nan", b"1e39", b"999999999",
           b"2147483647", b"4294967296", b"\xff")  # fmt: skip


def damaged(data: bytes, chance: random.Random) -> bytes:
    """Cut, with flipped bits, with other bytes, or with other numbers."""
    found = bytearray(data)
    kind = chance.randrange(8)
    if kind == 0:
        return bytes(found[: chance.randrange(len(found))])
    if kind == 1:
        for _ in range(chance.choice([1, 1, 2, 5])):
            found[chance.randrange(len(found))] ^= 1 << chance.randrange(8)
        return bytes(found)
    digits = [at for at, byte in enumerate(found) if chr(byte).isdigit()]
    if kind < 5 or not digits:
        at = chance.randrange(len(found))
        found[at] = chance.choice([0, 1, 2, 3, 127, 128, 255])
        return bytes(found)
    at = chance.choice(digits)
    found[at : at + 1] = chance.choice(NUMBERS)
    return bytes(found)


def use(framework: str, model: object, rows: np.ndarray) -> None:
    """What people do with a Booster."""
    if framework == "xgboost":
        import xgboost

        attempts = (
            lambda: model.inplace_predict(rows, validate_features=False),
            lambda: model.predict(xgboost.DMatrix(rows), validate_features=False),
            lambda: model.predict(xgboost.DMatrix(rows), pred_contribs=True,
                                  validate_features=False),
            lambda: model.get_dump(), lambda: model.save_raw("json"), lambda: model.copy(),
            lambda: model[0:1],
        )  # fmt: skip
    else:
        attempts = (
            lambda: model.predict(rows), lambda: model.predict(rows, pred_contrib=True),
            lambda: model.predict(rows, pred_leaf=True), lambda: model.dump_model(),
            lambda: model.model_to_string(), lambda: model.feature_importance(),
        )  # fmt: skip
    for attempt in attempts:
        try:
            attempt()
        except Exception:  # an error of the library is no harm; a dead process is
            continue


def main(framework: str, file: str, count: int, seed: int) -> None:
    warnings.simplefilter("ignore")
    data, module = Path(file).read_bytes(), named(framework)
    chance = random.Random(seed)
    ends = {"refused": 0, "loaded": 0}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model" + Path(file).suffix)
        note = Saved(framework=framework, serializer="any", class_name=CLASSES[framework],
                     details={"file": path.name})  # fmt: skip
        path.write_bytes(data)
        model = module.load(FolderFiles(Path(folder)), note, Trust())
        width = model.num_features() if framework == "xgboost" else model.num_feature()
        rows = np.random.default_rng(0).normal(size=(40, width)).round(1)
        for _ in range(count):
            path.write_bytes(damaged(data, chance))
            try:
                model = module.load(FolderFiles(Path(folder)), note, Trust())
            except InvalidInput as error:
                if error.kind != "not-loadable":
                    raise
                ends["refused"] += 1
                continue
            ends["loaded"] += 1
            use(framework, model, rows)
            module.structure(model), module.params(model)
    print(json.dumps(ends))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
