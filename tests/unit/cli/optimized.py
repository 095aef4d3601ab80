"""An optimization made by hand, for views."""

from __future__ import annotations

from datetime import UTC, datetime

from modelyard.core.evaluation import Measure
from modelyard.core.optimization import (
    Candidate,
    Constraint,
    Goal,
    Optimization,
    PassDone,
    Recipe,
    Step,
    Trial,
    Verdict,
)

WHEN = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

RECIPE = Recipe(
    name="small",
    steps=(
        Step("prune", {"sparsity": [0.5, 0.9]}, optional=True), Step("to-onnx"),
        Step("quantize", {"kind": "static", "share": {"low": 0.1, "high": 1.0}}),
    ),
    goals=(Goal.parse("accuracy max"), Goal.parse("size min")),
    constraints=(Constraint.parse("accuracy_drop<=0.005"),),
    data="data/digits@1", target="label", trials=20, seconds=600.0,
)  # fmt: skip


def optimization(**rest) -> Optimization:
    said = {
        "id": 7, "model": "vision/digits", "number": 3, "recipe": RECIPE, "state": "done",
        "who": "ann", "created": WHEN, "changed": WHEN, "done": 3, "candidates": (chosen(), lost()),
        "before": {"accuracy": 0.98, "size": 1_000_000.0, "latency_p50": 0.2},
        "sentence": "vision/digits@4 is 4 times smaller", "seconds": 42.0,
        "environment": {"processor": "a Xeon", "instructions": "avx2 fma"},
    }  # fmt: skip
    return Optimization(**{**said, **rest})


def chosen() -> Candidate:
    verdicts = (
        Verdict(about="accuracy max", holds=False, before=0.98, after=0.981, difference=0.001,
                low=-0.004, high=0.006, p=0.6, sentence="accuracy may be chance"),
        Verdict(about="size min", holds=True, before=1e6, after=2.5e5, difference=0.25,
                low=0.25, high=0.25, sentence="size is 4 times less"),
        Verdict(about="accuracy_drop<=0.005", holds=True, before=0.98, after=0.981,
                difference=-0.001, sentence="accuracy_drop<=0.005 holds"),
    )  # fmt: skip
    return Candidate(
        trial=1, version=4, chosen=True, verdicts=verdicts,
        before=(Measure("accuracy", 0.98, 0.97, 0.99), Measure("f1", 0.97, 0.96, 0.98)),
        after=(Measure("accuracy", 0.981, 0.97, 0.99), Measure("f1", 0.972, 0.96, 0.98)),
    )  # fmt: skip


def lost() -> Candidate:
    verdict = Verdict(
        about="accuracy max", holds=False, worse=True, before=0.98, after=0.9, difference=-0.08,
        low=-0.1, high=-0.06, sentence="accuracy is worse",
    )  # fmt: skip
    return Candidate(trial=2, verdicts=(verdict,), sentence="accuracy is worse")


def trials() -> tuple[Trial, ...]:
    prune = PassDone(name="prune", params={"sparsity": 0.5}, kept=False, why="it does not help")
    quantize = PassDone(name="quantize", params={"kind": "static"})
    return (
        Trial(number=0, state="failed", reason="it took more memory than it may"),
        Trial(number=1, state="done", on_front=True, steps=(prune, quantize),
              params={"0.prune.sparsity": 0.5, "2.quantize.share": 1.0},
              values={"accuracy": 0.981, "size": 2.5e5, "latency_p50": 0.1}),
        Trial(number=2, state="done", steps=(quantize,), params={"0.prune": False},
              values={"accuracy": 0.9, "size": 1e5}, excess={"accuracy_drop<=0.005": 0.075}),
        Trial(number=3, state="running", reason="quantize"),
    )  # fmt: skip
