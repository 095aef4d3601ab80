"""A small scikit-learn pipeline committed and loaded: processor time beyond the serializer's own.

Each commit is of a pipeline fitted anew, so its bytes are new. Everything is warm: the first round
of each tool is left out. MLflow gets its requirements, else it would install them to find out.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

COMMIT_MS = 20.0
LOAD_RATIO = 1.2
MLFLOW = Path(__file__).parent / "programs/run_mlflow_objects.py"


def fitted(times: int) -> Iterator[tuple[Any, Any]]:
    """Pipelines that differ, each with some rows."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    chance = np.random.default_rng(0)
    for _ in range(times):
        rows = chance.normal(size=(150, 4))
        yield make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, rows[:, 0] > 0), rows


def commit(given: argparse.Namespace) -> bool:
    """Tell milliseconds of processor time of a commit, of saving alone, and of MLflow."""
    from modelyard.frameworks import named
    from modelyard.registry import create

    sklearn = named("sklearn")
    with tempfile.TemporaryDirectory() as folder:
        places = (Path(folder, f"saved-{index}") for index in range(given.times + 1))
        yard = create(Path(folder, "yard"))
        plain, shown = yard.model("plain"), yard.model("shown")
        ours, alone, asked = [], [], []
        for (pipeline, rows), place in zip(fitted(given.times + 1), places, strict=True):
            place.mkdir()
            alone.append(_cpu(lambda p=pipeline, f=place: sklearn.save(p, f, "skops")))
            ours.append(_cpu(lambda p=pipeline: plain.commit(p)))
            asked.append(_cpu(lambda p=pipeline, r=rows: shown.commit(p, example=r[:5])))
        yard.close()
    beyond = _middle(ours) - _middle(alone)
    print(f"commit: {_middle(ours):.1f} ms, saving alone {_middle(alone):.1f} ms, "
          f"beyond it {beyond:.1f} ms (may be {COMMIT_MS:.0f}); with an example "
          f"{_middle(asked):.1f} ms")  # fmt: skip
    theirs = _mlflow(given)
    if theirs:
        print(f"mlflow: {_middle(theirs):.1f} ms with requirements given")
    return beyond <= COMMIT_MS


def load(given: argparse.Namespace) -> bool:
    """Tell milliseconds of `load()`, and of skops and joblib alone on the same file."""
    fine = True
    for serializer in ("skops", "joblib"):
        ours, alone = _loads(serializer, given.times)
        ratio = _middle(ours) / _middle(alone)
        fine = fine and ratio <= LOAD_RATIO
        print(f"load of {serializer}: {_middle(ours):.1f} ms, alone {_middle(alone):.1f} ms, "
              f"ratio {ratio:.2f} (may be {LOAD_RATIO})")  # fmt: skip
    return fine


def _loads(serializer: str, times: int) -> tuple[list[float], list[float]]:
    import joblib
    import skops.io

    import modelyard
    from modelyard.registry import create

    trusted = modelyard.TRUST_ALL if serializer == "joblib" else None
    with tempfile.TemporaryDirectory() as folder:
        yard = create(Path(folder, "yard"))
        pipeline, _ = next(fitted(1))
        version = yard.model("m").commit(pipeline, serializer=serializer)
        out = Path(folder, "out")
        version.checkout(out)
        (path,) = out.glob("*.skops" if serializer == "skops" else "*.joblib")
        read = skops.io.load if serializer == "skops" else joblib.load
        ours, alone = [], []
        for _ in range(times + 1):
            alone.append(_cpu(lambda: read(path)))
            ours.append(_cpu(lambda: version.load(trusted=trusted)))
        yard.close()
    return ours, alone


def _mlflow(given: argparse.Namespace) -> list[float]:
    """MLflow beside our own scikit-learn, since its environment has none."""
    found = list((given.work / "venvs/mlflow").glob("lib/python3*/site-packages"))
    if not found:
        print(f"mlflow: not in {given.work}/venvs (python -m tests.benchmarks.store makes it)")
        return []
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", MLFLOW, folder, str(given.times + 1)],
            env={**os.environ, "PYTHONPATH": f"{found[0].resolve()}:{Path.cwd()}"},
            cwd=folder, capture_output=True, text=True, check=True,
        )  # fmt: skip
    spent: list[float] = json.loads(done.stdout.splitlines()[-1])
    return spent


def _cpu(call: Callable[[], Any]) -> float:
    begun = time.process_time()
    call()
    return (time.process_time() - begun) * 1000


def _middle(spent: list[float]) -> float:
    return median(spent[1:])
