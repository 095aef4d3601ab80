"""Requests a second of everybody on the same models, one after the other in one run."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.serving.environments import version
from tests.benchmarks.serving.ours import alone, new_yard
from tests.benchmarks.serving.peers import PEERS, PROGRAMS, Up, echo, served
from tests.benchmarks.serving.wrk import Sample, ask
from tests.benchmarks.store.checks import Check

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from tests.benchmarks.serving.models import Models

__all__ = ["compare", "loop"]

OURS = "modelyard"
LIMITS = {"mlserver": 20.0, "kserve": 5.0, "bentoml": 15.0, "mlflow": 15.0, "ray": 30.0}
"""How many times as many requests a second we answer: small ONNX, 64 connections."""
_CASES = (("onx", 1), ("onx", 64), ("sk", 1), ("sk", 64))
_LOOP = 3.0
"""Times what a bare loop of `predict` does."""


def compare(models: Models, given: argparse.Namespace) -> Iterator[Check]:
    """All peers, between two measurements of ours, of which the lower counts."""
    found: dict[tuple[str, str, int], Sample] = {}
    with tempfile.TemporaryDirectory() as place:
        yard = new_yard(Path(place), models)
        token = _ours(yard, models, given, found)
        with echo(models) as up:
            _measure("echo", up, given, found)
        for name in given.peers:
            with served(name, models) as up:
                _measure(name, up, given, found)
        _ours(yard, models, given, found, token)
    bare = loop(models)
    for (name, model, connections), sample in found.items():
        shown = f"{name} {version(name)}" if name in PEERS else name
        what = f"{shown}, {connections} connection{'s' if connections > 1 else ''}"
        yield Check(model, what, sample.rate, None, "/s", note=sample.note.partition(", ")[2])
    ours = found[OURS, "onx", 64]
    for name in given.peers:
        theirs = found[name, "onx", 64]
        note = _loud(ours, theirs)
        yield Check(
            "onx", f"times {name}, 64 connections", ours.rate / theirs.rate, LIMITS.get(name), "x",
            at_least=True, note=note,
        )  # fmt: skip
    note = f"the loop {bare:,.0f}/s; " + _loud(found[OURS, "sk", 64])
    times = found[OURS, "sk", 64].rate / bare
    yield Check("sk", "times a loop of predict", times, _LOOP, "x", at_least=True, note=note)


def loop(models: Models) -> float:
    """Predictions a second of a bare loop over the scikit-learn pipeline, in a process."""
    argv = [sys.executable, str(PROGRAMS / "loop_sklearn.py"), str(models.folder)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    return float(done.stdout)


def _ours(
    yard: Path, models: Models, given: argparse.Namespace,
    found: dict[tuple[str, str, int], Sample], token: str = "",
) -> str:  # fmt: skip
    again: dict[tuple[str, str, int], Sample] = {}
    with alone(yard, ["onx", "sk"], models=models, token=token) as (up, token):
        _measure(OURS, up, given, again)
    for key, sample in again.items():
        before = found.get(key)
        found[key] = sample if before is None or sample.rate < before.rate else before
    return token


def _measure(
    name: str, up: Up, given: argparse.Namespace, found: dict[tuple[str, str, int], Sample]
) -> None:
    for model, connections in _CASES:
        if model in up.questions:
            sample = ask(
                up, up.questions[model], connections, seconds=given.seconds, patience=given.patience
            )
            found[name, model, connections] = sample
            print(f"{name} {model} c{connections}: {sample.note}", file=sys.stderr, flush=True)
            if sample.loud and not given.loud:
                raise SystemExit(f"others took {sample.foreign:.1f} cores: see --loud")


def _loud(*samples: Sample) -> str:
    most = max(sample.foreign for sample in samples)
    return f"others took {most:.1f} cores" if any(sample.loud for sample in samples) else ""
