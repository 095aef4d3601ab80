"""An engine whose tasks can't run without more trust."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.optimization.engines.test_local import go_on, task

from modelyard.errors import Denied
from modelyard.optimization.engines.interface import Result
from modelyard.optimization.engines.refusing import Refusing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from modelyard.optimization.engines.interface import Task


class Inner:
    """Its trial 1 is not trusted."""

    name, at_once = "inner", 1

    def __init__(self) -> None:
        self.open = 0

    def run(self, tasks: Sequence[Task], *_: object) -> Iterator[Result]:
        self.open += 1
        try:
            for trial in range(len(tasks)):
                bad = trial == 1
                yield Result(
                    trial=trial, state="failed", reason="it would run b", untrusted=bad,
                    hint="if you trust them: trusted=[those names]" if bad else "",
                )  # fmt: skip
        finally:
            self.open -= 1

    def cancel(self) -> None: ...

    def close(self) -> None: ...


def test_it_goes_no_further_and_ends_what_runs() -> None:
    inner = Inner()
    engine = Refusing(inner)
    assert not engine.asked
    results = engine.run([task(0), task(1), task(2)], go_on)
    assert next(results).trial == 0
    with pytest.raises(Denied, match="it would run b") as caught:
        next(results)
    assert caught.value.kind == "untrusted"
    assert caught.value.hint == "if you trust them: trusted=[those names]"
    assert inner.open == 0
    assert engine.asked
