"""Requests that are computed together get what they asked for, and nothing else is computed."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.unit.serving.numbers import Doubling

from modelyard.serving.interface import Timing
from modelyard.serving.joining import Waiting, compute_batch, kin_of

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass
class Two(Doubling):
    """Gives `y` and `z`, of which each can be had alone."""

    asked: list[list[str]] = field(default_factory=list)

    def run(
        self, feeds: Any, outputs: Sequence[str] | None = None, seconds: Any = None
    ) -> dict[str, Any]:
        names = ["y", "z"] if outputs is None else list(outputs)
        self.asked.append(names)
        return {name: feeds["x"] * (2 if name == "y" else 3) for name in names}


@pytest.mark.parametrize(
    ("wishes", "computed"),
    [
        ([["y"], ["y"]], ["y"]),
        ([["z"], ["y"]], ["z", "y"]),
        ([["y"], None], ["y", "z"]),
    ],
)
async def test_only_what_somebody_wants_is_computed(
    wishes: list[list[str] | None], computed: list[str]
) -> None:
    runtime, loop = Two(), asyncio.get_running_loop()
    batch = []
    for value, outputs in enumerate(wishes):
        feeds = {"x": np.full((1, 2), value, np.float32)}
        batch.append(
            Waiting(
                feeds, 1, outputs, time.monotonic() + 5, Timing(), loop.create_future(),
                kin_of(feeds),
            )
        )  # fmt: skip
    compute_batch(runtime, batch, block=0)
    assert runtime.asked == [computed]
    for value, (one, outputs) in enumerate(zip(batch, wishes, strict=True)):
        assert one.result is not None
        assert list(one.result) == (outputs or ["y", "z"])
        for name, array in one.result.items():
            assert array.tolist() == [[value * (2 if name == "y" else 3)] * 2]
