"""How optimizations, recipes and suggestions are told of in a terminal."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stderr, redirect_stdout

from tests.unit.cli.optimized import RECIPE, optimization, trials

from modelyard.cli.improving import Watching
from modelyard.cli.output import Output
from modelyard.cli.views.optimizations import (
    OptimizationsView,
    OptimizationView,
    ReplayedView,
    recipe_line,
)
from modelyard.cli.views.suggestions import SuggestionsView
from modelyard.cli.views.trials import best_line, metric_text, times, trials_line
from modelyard.core.optimization import Suggestion
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
    assert "... and 21 more: --all" in text
    assert "front" in text
    assert "more: --all" not in told(OptimizationView(optimization(), many, everything=True))


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
