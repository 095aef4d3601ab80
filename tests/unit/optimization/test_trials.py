"""What became of the trials of one optimization."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modelyard.errors import InvalidInput
from modelyard.optimization.engines.interface import Result
from modelyard.optimization.recipes import read_recipe
from modelyard.optimization.trials import Trials
from modelyard.optimization.workplace import Workplace

if TYPE_CHECKING:
    from pathlib import Path

_RECIPE = read_recipe("objective: [size min]\npasses: [to-onnx]")


def _failed(folder: Path, *reasons: str, helpless: bool = False) -> Trials:
    trials = Trials(Workplace(folder))
    for reason in reasons:
        number = trials.begin({}).number
        result = Result(trial=number, state="failed", reason=reason, helpless=helpless)
        trials.end(result, {}, _RECIPE)
    return trials


def test_where_all_failed_something_is_wrong_with_what_was_asked_for(tmp_path: Path) -> None:
    trials = _failed(tmp_path, "no column 'x'", "no column 'x'")
    assert trials.all_failed_alike
    with pytest.raises(InvalidInput, match="all trials failed: no column") as caught:
        trials.check_some_ran()
    assert caught.value.kind == "trials-failed"


def test_where_passes_can_do_nothing_nothing_is_wrong(tmp_path: Path) -> None:
    trials = _failed(tmp_path, "the graph has none of MatMul", helpless=True)
    assert trials.all_failed_alike
    trials.check_some_ran()
    resumed = Trials(Workplace(tmp_path), trials.all)
    assert resumed.all_failed_alike
    resumed.check_some_ran()


def test_trials_that_fail_for_different_reasons_are_no_sign_of_the_next(tmp_path: Path) -> None:
    assert not _failed(tmp_path, "no memory", "no column 'x'").all_failed_alike


def test_where_none_was_begun_none_has_failed(tmp_path: Path) -> None:
    Trials(Workplace(tmp_path)).check_some_ran()
