"""Optimizations that pages are looked at with: one that found something, one that goes on, one
that found nothing, and one with hostile words in it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.core.evaluation import Measure
from modelyard.core.optimization import (
    Candidate,
    Constraint,
    Goal,
    PassDone,
    Recipe,
    Step,
    Trial,
    Verdict,
)

if TYPE_CHECKING:
    from modelyard.core.optimization import Optimization
    from modelyard.core.yard import Yard

__all__ = ["BEFORE", "RECIPE", "optimize", "trials"]

BEFORE = {"accuracy": 0.9653, "size": 1_136_000.0, "stored": 1_030_000.0, "latency_p50": 0.0688}
RECIPE = Recipe(
    name="small", description="Prune, convert, quantize: as small as can be.",
    steps=(
        Step("prune", {"sparsity": {"low": 0.3, "high": 0.95},
                       "kind": ["magnitude", "structured"]}, optional=True),
        Step("to-onnx"),
        Step("quantize", {"kind": ["static", "dynamic"]}),
    ),
    goals=(Goal("accuracy", "max"), Goal("size", "min"), Goal("latency_p50", "min")),
    constraints=(Constraint("accuracy_drop", "<=", 0.005),),
    data="data/iris@1", target="kind", seed=7, trials=24, seconds=600.0,
)  # fmt: skip
_MACHINE = {
    "cpu": "AMD EPYC 7B13", "instructions": "avx2 avx512_vnni", "cores": "2",
    "onnxruntime": "1.31.1", "optuna": "5.0.0", "python": "3.11.2", "torch": "2.13.0",
}  # fmt: skip


def optimize(yard: Yard, model: str, *, hostile: str = "") -> None:
    """Put them in; `model` has at least five versions."""
    _found(yard, model)
    _found_nothing(yard, model)
    if hostile:
        _hostile(yard, model, hostile)
    _goes_on(yard, model)


def trials(count: int, seed: int = 1) -> list[Trial]:
    """As `RECIPE` would make them."""
    rng = np.random.default_rng(seed)
    return [_trial(number, rng) for number in range(count)]


def _trial(number: int, rng: Any) -> Trial:
    sparsity, static = float(rng.uniform(0.3, 0.95)), bool(rng.random() < 0.7)
    pruned, structured = bool(rng.random() < 0.8), bool(rng.random() < 0.3)
    lost = float(max(0.0, (sparsity - 0.75) * 0.08 * pruned) + rng.normal(0, 0.0015))
    size = BEFORE["size"] * (0.25 if static else 0.29)
    size *= (1 - 0.8 * sparsity * structured) if pruned else 1.0
    values = {
        "accuracy": round(BEFORE["accuracy"] - lost, 4), "size": float(int(size)),
        "stored": float(int(size * (1 - 0.85 * sparsity * pruned))),
        "latency_p50": round(0.042 if static else 0.11, 3) + round(float(rng.normal(0, 0.001)), 4),
    }  # fmt: skip
    params: dict[str, Any] = {"2.quantize.kind": "static" if static else "dynamic"}
    if pruned:
        params |= {"0.prune.sparsity": round(sparsity, 3), "0.prune.kind": _kind(structured)}
    else:
        params["0.prune"] = False
    steps = (
        *([_pruned(sparsity, structured)] if pruned else []),
        PassDone(name="to-onnx", seconds=0.8, notes=("outputs differ by 2.4e-07 at most",)),
        _quantized(static, values),
    )
    if number % 11 == 9:
        return Trial(number=number, params=params, state="failed", seconds=2.0,
                     reason="the process was killed: it took more than 2 GB of memory")  # fmt: skip
    if number % 7 == 5:
        return Trial(number=number, params=params, state="pruned", seconds=1.1, steps=steps[:1],
                     scores=_scores(0.8, 3), reason="0.871 is below the median of 0.942 here",
                     )  # fmt: skip
    return Trial(
        number=number, params=params, state="done", values=values, steps=steps,
        excess={"accuracy_drop<=0.005": lost - 0.005}, seconds=3.0 + number % 4,
        digest=f"{number:064x}", scores=_scores(values["accuracy"], 8) if pruned else {},
    )  # fmt: skip


def _kind(structured: bool) -> str:
    return "structured" if structured else "magnitude"


def _scores(best: float, epochs: int) -> dict[str, float]:
    """Of fine-tuning after pruning."""
    return {f"prune: epoch {at + 1}": best - 0.1 / (at + 1) for at in range(epochs)}


def _pruned(sparsity: float, structured: bool) -> PassDone:
    return PassDone(
        name="prune",
        params={"sparsity": round(sparsity, 3), "kind": _kind(structured), "rounds": 3},
        seconds=2.1, before={"accuracy": 0.9653}, after={"accuracy": 0.9671},
        changed=tuple(
            {"layer": name, "change": round(0.4 - at / 20, 3), "sparsity": round(sparsity, 3),
             "dtype": "float32", "shape": shape}
            for at, (name, shape) in enumerate(
                (("0.weight", [32, 1, 3, 3]), ("3.weight", [64, 32, 3, 3]),
                 ("7.weight", [128, 4096]), ("9.weight", [10, 128]), ("9.bias", [10]))
            )
        ),
    )  # fmt: skip


def _quantized(static: bool, values: dict[str, float]) -> PassDone:
    if static:
        return PassDone(
            name="quantize", seconds=0.4,
            params={"kind": "static", "bits": 8, "keep": ["9.weight"]},
            before={"accuracy": 0.9671, "latency_p50": 0.0688},
            after={"accuracy": values["accuracy"], "latency_p50": values["latency_p50"]},
            notes=("160 rows were used for calibration",),
        )  # fmt: skip
    return PassDone(
        name="quantize", params={"kind": "dynamic", "bits": 8}, kept=True, seconds=0.2,
        before={"latency_p50": 0.0688}, after={"latency_p50": values["latency_p50"]},
        notes=("slower than before on this machine",),
    )  # fmt: skip


def _candidate(trial: Trial, version: int | None, *, chosen: bool) -> Candidate:
    size = trial.values["size"] / BEFORE["size"]
    fast = trial.values["latency_p50"] / BEFORE["latency_p50"]
    after = trial.values["accuracy"]
    return Candidate(
        trial=trial.number, version=version, chosen=chosen, digest=trial.digest,
        before=(Measure("accuracy", 0.9653, 0.947, 0.981), Measure("f1", 0.964, 0.945, 0.98)),
        after=(Measure("accuracy", after, after - 0.018, after + 0.015),
               Measure("f1", after - 0.001, after - 0.02, after + 0.016)),
        verdicts=(
            Verdict(about="accuracy max", holds=False, before=0.9653, after=after,
                    difference=after - 0.9653, low=-0.006, high=0.0093, p=0.63, test="McNemar",
                    sentence="accuracy is no better and no worse for certain"),
            Verdict(about="size min", holds=True, before=BEFORE["size"],
                    after=trial.values["size"], difference=size),
            Verdict(about="latency_p50 min", holds=True, before=BEFORE["latency_p50"],
                    after=trial.values["latency_p50"], difference=fast, low=fast * 0.97,
                    high=fast * 1.03, p=1e-9, test="Wilcoxon"),
            Verdict(about="accuracy_drop<=0.005", holds=True, before=None,
                    after=0.9653 - after, difference=0.9653 - after, low=-0.0093, high=0.006),
        ),
        sentence=f"size is {1 / size:.3g} times less; latency_p50 is {1 / fast:.2g} times less;"
                 " accuracy is no worse",
    )  # fmt: skip


def _found(yard: Yard, model: str) -> None:
    made = yard.optimizations.begin(model, 3, RECIPE, alias="candidate")
    every = trials(24)
    good = [
        each for each in every
        if each.state == "done" and each.values["accuracy"] > 0.9605
        and each.values["latency_p50"] < BEFORE["latency_p50"]
    ]  # fmt: skip
    good.sort(key=lambda each: each.values["size"])
    candidates = (
        _candidate(good[0], 5, chosen=True), _candidate(good[-1], 4, chosen=False),
        _candidate(good[len(good) // 2], None, chosen=False),
    )  # fmt: skip
    yard.optimizations.keep(
        replace(
            made, state="done", done=24, before=BEFORE, candidates=candidates, seconds=96.0,
            environment=_MACHINE, data_digest="sha256:" + "5f" * 32,
            sentence=f"{model}@5 from {model}@3: {candidates[0].sentence}",
            reasons=("one candidate was left out: it was better in no goal than the others",),
        ),
        every,
    )  # fmt: skip


def _found_nothing(yard: Yard, model: str) -> None:
    recipe = Recipe(
        name="tune", steps=(Step("tune"),), goals=(Goal("accuracy", "max"),),
        data="data/iris@1", target="kind", trials=12,
    )  # fmt: skip
    made = yard.optimizations.begin(model, 5, recipe)
    rng = np.random.default_rng(2)
    every = [
        Trial(
            number=at, params={"0.tune.C": round(float(10 ** rng.uniform(-3, 2)), 4),
                               "0.tune.solver": ("lbfgs", "saga")[at % 2]},
            state="done", values={"accuracy": round(0.965 - abs(float(rng.normal(0, 0.02))), 4)},
            steps=(PassDone(name="tune", seconds=0.2, kept=at % 3 != 1, why="no better than the"
                            " defaults in 5 folds" if at % 3 == 1 else ""),), seconds=0.4,
        ) for at in range(12)
    ]  # fmt: skip
    yard.optimizations.keep(
        replace(
            made, state="done", done=12, before={"accuracy": 0.9667}, seconds=6.0,
            environment=_MACHINE, sentence=f"nothing better than {model}@5 was found",
            reasons=("accuracy max: the best trial is 0.0042 better, by chance perhaps (p = 0.4)",
                     "with 300 rows more a gain of 0.01 could be told"),
        ),
        every,
    )  # fmt: skip


def _goes_on(yard: Yard, model: str) -> Optimization:
    made = yard.optimizations.begin(model, 4, replace(RECIPE, name="fast", trials=30))
    every = trials(14, seed=3)
    last = Trial(number=14, params={"2.quantize.kind": "static"}, state="running")
    found = replace(made, done=14, before=BEFORE, environment=_MACHINE, warm=6)
    yard.optimizations.keep(found, [*every, last])
    return found


def _hostile(yard: Yard, model: str, words: str) -> None:
    recipe = Recipe(
        name=words[:60], description=words, steps=(Step(words, {words: words}),),
        goals=(Goal(words, "max"), Goal("size", "min")), data=words, target=words,
        constraints=(Constraint(words, "<=", 1.0),),
    )  # fmt: skip
    made = yard.optimizations.begin(model, 2, recipe)
    step = PassDone(
        name=words, params={words: words}, kept=False, why=words, before={words: 1.0},
        after={words: 2.0}, notes=(words,), changed=({"layer": words, words: words},),
    )  # fmt: skip
    every = [
        Trial(number=at, params={f"0.x.{words}": f"{words}{at}"}, state="done", steps=(step,),
              values={words: float(at), "size": 10.0 - at}, reason=words,
              scores={words: 0.5 + at, f"{words}!": 0.7})
        for at in range(3)
    ]  # fmt: skip
    verdict = Verdict(about=f"{words} max", holds=True, before=1.0, after=2.0, difference=1.0,
                      test=words, sentence=words, p=0.01)  # fmt: skip
    yard.optimizations.keep(
        replace(
            made, state="done", done=3, before={words: 0.5, "size": 12.0}, sentence=words,
            reasons=(words,), environment={words: words}, data_digest=words,
            candidates=(Candidate(trial=2, verdicts=(verdict,), sentence=words,
                                  before=(Measure(words, 1.0),), after=(Measure(words, 2.0),)),),
        ),
        every,
    )  # fmt: skip
