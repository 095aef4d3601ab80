"""How optimizations, recipes and suggestions are told of in a terminal."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace

import pytest
from tests.unit.cli.optimized import RECIPE, optimization, trials

from modelyard.cli.improving import Watching
from modelyard.cli.output import Output
from modelyard.cli.views.candidates import _interval
from modelyard.cli.views.optimizations import (
    OptimizationsView,
    OptimizationView,
    ReplayedView,
    recipe_line,
)
from modelyard.cli.views.suggestions import SuggestionsView
from modelyard.cli.views.trials import best_line, metric_text, times, trials_line
from modelyard.core.evaluation import Measure
from modelyard.core.optimization import Goal, Suggestion, Trial, Verdict
from modelyard.optimization.replaying import Replayed


def told(view, mode="human") -> str:
    with redirect_stdout(io.StringIO()) as stdout:
        Output(mode).show(view)
    return stdout.getvalue()


def test_a_recipe_is_told_in_one_line():
    assert recipe_line(RECIPE) == (
        "prune (sparsity=0.5|0.9)?, to-onnx, quantize (kind=static, share=0.1..1)"
    )


def test_before_and_after_are_told_with_intervals_and_verdicts():
    text = told(OptimizationView(optimization(), trials()))
    assert "vision/digits@4  trial 1  chosen" in text
    size = next(line for line in text.splitlines() if line.strip().startswith("size min"))
    assert " ".join(size.split()) == "size min 1.0 MB 250.0 kB 4x less size is 4 times less"
    accuracy = next(line for line in text.splitlines() if line.strip().startswith("accuracy max"))
    assert "0.98 0.981 +0.001" in " ".join(accuracy.split())
    assert "-0.004 to 0.006" in accuracy
    assert "not published  trial 2" in text
    assert "accuracy is worse" in text


def test_what_was_measured_beside_the_goals_is_told_too():
    lines = told(OptimizationView(optimization())).splitlines()
    f1 = next(line for line in lines if line.strip().startswith("f1"))
    assert " ".join(f1.split()) == "f1 0.97 0.972 0.96 to 0.98"


def test_each_trial_says_what_it_did_or_why_it_ended():
    lines = told(OptimizationView(optimization(), trials())).splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("trial "))
    rows = lines[start + 1 : start + 5]
    assert "failed" in rows[0]
    assert "more memory" in rows[0]
    assert "front" in rows[1]
    assert "prune (dropped), quantize" in rows[1]
    assert "prune.sparsity=0.5" in rows[1]
    assert "not allowed" in rows[2]
    assert "running" in rows[3]


def test_nothing_better_is_told_with_the_reasons():
    found = optimization(
        candidates=(), sentence="nothing better found", reasons=("the model is small already",)
    )
    lines = told(OptimizationView(found)).splitlines()
    assert lines[-2:] == ["nothing better found", "  the model is small already"]
    assert told(OptimizationView(found), "quiet") == ""


def test_scripts_get_the_versions_the_chosen_one_first():
    assert told(OptimizationView(optimization()), "quiet") == "vision/digits@4\n"
    content = json.loads(told(OptimizationView(optimization(), trials()), "json"))
    assert content["published"] == [4]
    assert [each["number"] for each in content["trials"]] == [0, 1, 2, 3]


def test_many_trials_are_cut_to_the_best():
    many = [trials()[2]] * 50 + [trials()[1]]
    text = told(OptimizationView(optimization(), many))
    assert "... and 21 more: yard optimizations 7 --all" in text
    assert "front" in text
    assert "more: yard" not in told(OptimizationView(optimization(), many, everything=True))


def test_quality_of_a_regression_is_told_as_the_error_that_it_is_judged_by():
    only_size = replace(RECIPE, goals=(Goal.parse("size min"),))
    one = Trial(number=0, state="done", values={"size": 1e6, "rmse": 38.06, "quality": -38.06})
    lines = told(OptimizationView(optimization(recipe=only_size), [one])).splitlines()
    head = next(i for i, line in enumerate(lines) if line.startswith("trial  state"))
    assert lines[head].split() == ["trial", "state", "size", "rmse", "passes", "choices"]
    assert lines[head + 1].split() == ["0", "done", "1.0", "MB", "38.06"]


def test_quality_of_a_classifier_is_told_by_its_name_too():
    only_size = replace(RECIPE, goals=(Goal.parse("size min"),))
    one = Trial(number=0, state="done", values={"size": 1e6, "accuracy": 0.9, "quality": 0.9})
    text = told(OptimizationView(optimization(recipe=only_size), [one]))
    assert "trial  state    size  accuracy  passes" in text
    assert "quality" not in text


def test_what_the_search_as_a_whole_gains_is_told_with_its_interval():
    found = optimization(
        nested=Measure("gain", 0.02, 0.01, 0.03), recipe=replace(RECIPE, nested=3),
        before={"accuracy": 0.98, "quality": 0.98},
    )  # fmt: skip
    lines = told(OptimizationView(found)).splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("nested"))
    assert lines[at] == (
        "nested    the search as a whole changes accuracy by +0.02 (0.01 to 0.03):"
        " better, by more than chance"
    )
    assert lines[at + 1].strip() == (
        "searched anew 3 times, each judged by rows that it had not seen; 95 % interval"
    )


def test_of_an_error_less_is_a_gain():
    found = optimization(
        nested=Measure("gain", 6.5, -1.0, 14.0), before={"rmse": 38.06, "quality": -38.06},
    )  # fmt: skip
    text = told(OptimizationView(found))
    assert "changes rmse by -6.5 (-14 to 1): may be chance" in text
    worse = replace(found, nested=Measure("gain", -2.0, -3.0, -1.0))
    text = told(OptimizationView(worse))
    assert "changes rmse by +2 (1 to 3): worse, by more than chance" in text


def test_without_nested_cross_validation_nothing_is_told_of_it():
    assert "nested" not in told(OptimizationView(optimization()))


def test_where_no_terminal_is_nothing_is_cut():
    params = {f"0.tune.a_long_option_{i}": i for i in range(20)}
    text = told(OptimizationView(optimization(), [replace(trials()[1], params=params)]))
    assert "a_long_option_19=19" in text
    assert "…" not in text


def test_all_reasons_are_told():
    found = optimization(reasons=tuple(f"reason {i}" for i in range(13)))
    assert "reason 12" in told(OptimizationView(found))


def test_why_a_candidate_was_not_published_stands_below_its_name():
    why = "not published: others are better in all goals"
    beaten = replace(optimization().candidates[0], version=None, chosen=False, sentence=why)
    lines = told(OptimizationView(optimization(candidates=(beaten,)))).splitlines()
    at = lines.index("not published  trial 1")
    assert lines[at + 1] == f"  {why}"
    assert "\n".join(lines).count(why) == 1


def test_the_list_has_a_line_for_each():
    found = [optimization(), optimization(id=8, state="running", candidates=(), sentence="")]
    lines = told(OptimizationsView(found)).splitlines()
    assert "vision/digits@3" in lines[1]
    assert "@4" in lines[1]
    assert "running" in lines[2]
    assert "3/20" in lines[2]
    assert told(OptimizationsView(found), "quiet") == "7\n8\n"
    assert "nothing was optimized yet" in told(OptimizationsView([]))


def test_the_best_so_far_breaks_no_constraint():
    assert best_line(optimization(), trials()) == (
        "trial 1: accuracy 0.981 (+0.001), size 250.0 kB (4x less)"
    )
    assert best_line(optimization(), trials()[2:]) == ""
    assert trials_line(trials()) == "2 done, 1 failed, 1 running"


def test_numbers_have_their_units():
    assert metric_text("latency_p50", 0.1234) == "0.123 ms"
    assert metric_text("parameters", 12345.0) == "12,345"
    assert metric_text("accuracy", None) == "-"
    assert (times(0.5), times(2.0), times(1.0)) == ("2x less", "2x", "same")


def test_where_nobody_sees_a_picture_news_are_lines():
    with redirect_stderr(io.StringIO()) as stderr, Watching(Output()) as watching:
        running = optimization(state="running", candidates=(), sentence="")
        watching.report(running, ())
        watching.report(running, trials()[:1])
        watching.report(running, trials())
        watching.report(running, ())
    assert stderr.getvalue().splitlines() == [
        "optimization 7: vision/digits@3, small",
        "  3/20 trials, best trial 1: accuracy 0.981 (+0.001), size 250.0 kB (4x less)",
    ]
    assert watching.found is not None
    assert [each.number for each in watching.trials] == [0, 1, 2, 3]


def replayed(after):
    return Replayed(
        optimization=optimization(), trial=1, version=4, before="ab", after=after, seconds=1.0
    )


def test_a_replay_says_whether_it_is_the_same():
    text = told(ReplayedView(replayed("ab")))
    assert "vision/digits@4  trial 1 of optimization 7" in text
    assert "bit for bit" in text
    assert "not the same" in told(ReplayedView(replayed("cd")))
    assert json.loads(told(ReplayedView(replayed("cd")), "json"))["same"] is False


def test_suggestions_say_what_why_and_how():
    one = Suggestion(
        recipe="small", score=0.8, expected={"size": "3.5x to 4x smaller"},
        why=("it is a network of float32",), needs=("data",), command="yard optimize m",
    )  # fmt: skip
    text = told(SuggestionsView("m", "3", [one]))
    assert "size: 3.5x to 4x smaller" in text
    assert "it is a network of float32" in text
    assert "needs data" in text
    assert "$ yard optimize m" in text
    assert told(SuggestionsView("m", None, [one]), "quiet") == "small\n"
    assert "nothing is likely to pay" in told(SuggestionsView("m", None, []))


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (1.44, 1.46, "1.44x to 1.46x"),
        (0.25, 0.5, "2x less to 4x less"),
        (0.5, 2.0, "2x to 2x less"),
    ],
)
def test_an_interval_of_a_cost_begins_with_the_smaller_factor(low: float, high: float, said: str):
    verdict = Verdict(about="latency_p50 min", holds=False, low=low, high=high)
    assert _interval("latency_p50", verdict) == said
