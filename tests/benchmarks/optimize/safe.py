"""Is what `optimize` publishes ever worse? Randomised runs, judged on rows that nobody has seen.

`python -m tests.benchmarks.optimize.safe [--count 300] [--fresh]`: runs that were made before are
taken from `.bench/optimize`, so it can be interrupted. Two processes share the work.

A published version is *worse* if, on up to 3,000 other rows, the paired test (McNemar's for
classes, the Wilcoxon signed-rank test for squared errors) says so with p < 0.05, and it is not only
rounding: a millionth of the target's variance. One in forty equal ones is so by chance alone.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tests.benchmarks.optimize.safe_cases import Case, case_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from modelyard.optimization.engines.interface import Result, Task
    from modelyard.optimization.engines.local import LocalEngine
    from modelyard.registry.local import LocalYard

__all__ = ["run"]

ASKED = 0.025
ALPHA = 0.05
ROUNDING = 1e-6
"""Graphs count in float32: so small a difference may be significant, but matters to nobody."""
PROCESSES = 2
PLACE = Path(".bench/optimize")

Array = np.ndarray[Any, Any]


def run(*, count: int = 300, fresh: bool = False, **_: Any) -> list[tuple[str, str, str]]:
    """Lines of what was seen: what, seen, asked."""
    begun = time.monotonic()
    made = results(count, fresh=fresh)
    worse = [each for each in made if any(map(_matters, each["worse"]))]
    rounded = sum(bool(each["worse"]) for each in made) - len(worse)
    published = sum(bool(each["published"]) for each in made)
    failed = [each for each in made if each["state"] != "done"]
    gains = [each["gain"] for each in made if each["published"] and each["gain"] is not None]
    for each in worse:
        print(f"  worse: {each}")
    reasons = Counter(each["reason"][:90] for each in failed)
    for reason, times in reasons.most_common(5):
        print(f"  not run to its end, {times} times: {reason}")
    share = len(worse) / max(len(made), 1)
    spent, now = sum(each["seconds"] for each in made), time.monotonic() - begun
    return [
        ("runs", f"{len(made)} in {spent:.0f} s of work, {now:.0f} s now", f"{count}"),
        ("published something", f"{published}", "-"),
        ("significantly worse on rows that nobody has seen",
         f"{len(worse)} ({100 * share:.1f} %)", f"<= {100 * ASKED:.1f} %"),
        ("significantly, but by rounding alone", f"{rounded}", "-"),
        ("of published ones, quality gained (median)",
         f"{np.median(gains):+.4f}" if gains else "-", "-"),
        ("runs that failed", f"{len(failed)}", "0"),
    ]  # fmt: skip


def _matters(version: Mapping[str, float]) -> bool:
    return version["before"] - version["after"] > ROUNDING


def results(count: int, *, fresh: bool = False) -> list[dict[str, Any]]:
    """Of runs 0 to `count` - 1, those that are not there yet made by two processes."""
    PLACE.mkdir(parents=True, exist_ok=True)
    if fresh:
        for path in PLACE.glob("safe-*.jsonl"):
            path.unlink()
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_work, args=(part, count)) for part in range(PROCESSES)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sorted((each for each in _kept() if each["number"] < count), key=lambda e: e["number"])


def _kept() -> list[dict[str, Any]]:
    """The last of each number."""
    found: dict[int, dict[str, Any]] = {}
    for path in sorted(PLACE.glob("safe-*.jsonl")):
        for line in path.read_text().splitlines():
            with contextlib.suppress(ValueError):  # cut off by a kill
                one = json.loads(line)
                found[one["number"]] = one
    return list(found.values())


def _work(part: int, count: int) -> None:
    """Every other run, each kept at once."""
    from modelyard.optimization.engines.interface import Limits
    from modelyard.optimization.engines.local import LocalEngine

    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))
    warnings.simplefilter("ignore")
    done = {each["number"] for each in _kept() if each["state"] == "done"}
    with (
        tempfile.TemporaryDirectory(prefix="yard-safe-") as place,
        LocalEngine(Limits(seconds=120), at_once=1) as engine,
        (PLACE / f"safe-{part}.jsonl").open("a") as kept,
    ):
        os.environ["XDG_CACHE_HOME"] = place
        for number in range(part, count, PROCESSES):
            if number not in done:
                kept.write(json.dumps(one(number, Path(place), engine)) + "\n")
                kept.flush()


def one(number: int, place: Path, engine: LocalEngine) -> dict[str, Any]:
    """One run, from the model that somebody made to the judgement."""
    from modelyard.errors import ModelyardError
    from modelyard.registry.local import LocalYard

    case = case_of(number)
    begun = time.monotonic()
    told = {
        "number": number, "table": case.table, "model": case.model_name,
        "rows": len(case.given[0]), "recipe": case.recipe.replace("\n", "; "),
        "published": [], "worse": [], "gain": None, "state": "failed", "reason": "",
    }  # fmt: skip
    with LocalYard.create(place / f"yard-{number}") as yard:
        try:
            yard.commit("case", case.model)
            found = _optimized(yard, case, place, engine)
            told |= {"state": found.state, "reason": found.sentence}
            told |= _judged(yard, case, found.published)
        except ModelyardError as error:
            told["reason"] = str(error)
        except Exception as error:  # a bug: counted, and shown
            told["reason"] = f"{type(error).__name__}: {error}"
    told["seconds"] = round(time.monotonic() - begun, 2)
    print(f"{number} {case.table} {case.model_name}: {told['reason'][:150]} "
          f"{told['worse'] or ''} {told['seconds']} s", file=sys.stderr, flush=True)  # fmt: skip
    return told


def _optimized(yard: LocalYard, case: Case, place: Path, engine: LocalEngine) -> Any:
    from modelyard.optimization.running import optimize

    x, y = case.given
    data = place / f"rows-{case.number}.csv"
    head = ",".join([*(f"x{i}" for i in range(x.shape[1])), "target"])
    columns = [*(x[:, i] for i in range(x.shape[1])), y]
    rows = "\n".join(",".join(repr(c[i].item()) for c in columns) for i in range(len(y)))
    data.write_text(f"{head}\n{rows}\n")
    return optimize(
        yard, "case", recipe=case.recipe, data=data, target="target", engine=_Kept(engine)
    )


def _judged(yard: LocalYard, case: Case, published: Sequence[int]) -> dict[str, Any]:
    if not published:
        return {}
    before = _right(yard, case, 1)
    worse, gains = [], []
    for version in published:
        after = _right(yard, case, version)
        difference = float(np.mean(after - before))
        gains.append(difference)
        if difference < 0 and _p(before, after) < ALPHA:
            worse.append({"version": version, "before": float(before.mean()),
                          "after": float(after.mean()), "p": _p(before, after)})  # fmt: skip
    return {"published": list(published), "worse": worse, "gain": gains[0] if gains else None}


def _right(yard: LocalYard, case: Case, version: int) -> Array:
    """For each judged row, how right a version is: 1 or 0, or minus the squared error."""
    from modelyard.core.table import Table
    from modelyard.core.trust import Trust
    from modelyard.optimization.measuring import predictions
    from modelyard.optimization.state import Model
    from modelyard.registry.saving import stored

    x, y = case.judged
    columns = {f"x{i}": x[:, i] for i in range(x.shape[1])}
    with stored(yard.desk, "case", version) as kept:
        model = Model(
            folder=kept.files.folder(), saved=kept.saved, signature=kept.manifest.signature,
            trust=Trust(),
        )  # fmt: skip
        outputs = predictions(model, Table(columns))
    if case.task == "classification":
        return np.asarray(outputs["label"].astype(np.int64) == y, float)
    scale = float(np.var(y)) or 1.0
    return -((np.asarray(outputs["prediction"], float).reshape(-1) - y) ** 2) / scale


def _p(before: Array, after: Array) -> float:
    from scipy import stats  # type: ignore[import-untyped]

    moved = after[after != before] - before[after != before]
    if not len(moved):
        return 1.0
    if set(np.unique(moved)) <= {-1.0, 1.0}:
        return float(stats.binomtest(int((moved > 0).sum()), len(moved)).pvalue)
    return float(stats.wilcoxon(moved).pvalue)


class _Kept:
    """The local engine, whose processes stay for the next run."""

    def __init__(self, engine: LocalEngine) -> None:
        self._engine = engine
        self.name, self.at_once = "local", engine.at_once

    def run(self, tasks: Sequence[Task], *how: Any) -> Iterator[Result]:
        return self._engine.run(tasks, *how)

    def cancel(self) -> None:
        self._engine.cancel()

    def close(self) -> None: ...

    def __enter__(self) -> _Kept:
        return self

    def __exit__(self, *_: object) -> None: ...


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--fresh", action="store_true", help="forget runs that were made before")
    given = parser.parse_args()
    for what, seen, asked in run(count=given.count, fresh=given.fresh):
        print(f"{what}: {seen} (asked: {asked})")
