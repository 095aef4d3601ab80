"""Comparisons on a server: what is kept of them, and what is told of one that failed."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from modelyard.core.diff import Diff, TensorChange
from modelyard.errors import Corrupt
from modelyard.registry.compare import Compared
from modelyard.server.comparisons import Comparisons
from modelyard.server.jobs import Job
from modelyard.server.routing import Answer

ASK: Any = SimpleNamespace(house=None, caller=SimpleNamespace(id=7))
NOW = datetime(2026, 1, 1, tzinfo=UTC)
PROBLEM = {"title": "Corrupt", "status": 500, "kind": "chunk-lost", "detail": "a chunk is lost"}


class Jobs:
    """Every job takes long, and has failed when somebody asks."""

    def __init__(self) -> None:
        self.begun = 0

    def run(self, *_: object, seconds: float) -> Answer:
        self.begun += 1
        return Answer(self._job("running"))

    def show(self, key: str, caller: object) -> Job:
        return self._job("failed", PROBLEM)

    def _job(self, state: Any, problem: Any = None) -> Job:
        return Job(f"{self.begun}", "compare", ("m",), state, None, NOW, NOW, problem=problem)


def _version(number: int) -> Any:
    return SimpleNamespace(commit=f"c{number}", title=f"m@{number}", model="m")


def _compared(number: int, changes: int) -> Compared:
    change = TensorChange("m.safetensors", "w", "changed", "float32", (1,))
    diff = Diff(
        a="m@0", b="m@1", files=(), tensors=(change,) * changes, tensors_total=changes,
        tensors_changed=changes, params=(), metrics=(), card_changed=False, text="",
    )  # fmt: skip
    return Compared(("c0", f"c{number}"), diff, (), ())


def test_who_waits_for_a_comparison_hears_that_it_failed_and_it_is_not_begun_again() -> None:
    jobs: Any = Jobs()
    comparisons = Comparisons(jobs)
    first = comparisons.get(ASK, _version(0), _version(1))
    assert isinstance(first, Job)
    with pytest.raises(Corrupt, match="a chunk is lost"):
        comparisons.get(ASK, _version(0), _version(1), first.id)
    assert jobs.begun == 1
    comparisons.get(ASK, _version(0), _version(1))  # asked for anew
    assert jobs.begun == 2


def test_comparisons_with_many_changes_are_not_all_kept() -> None:
    jobs: Any = Jobs()
    comparisons = Comparisons(jobs)
    for number in range(1, 101):
        comparisons._found.put(("c0", f"c{number}"), _compared(number, 5000))
    kept = [n for n in range(1, 101) if comparisons._found.get(("c0", f"c{n}"))]
    assert kept == list(range(81, 101))
