"""optimize, optimizations, suggest and recipes, as they are typed."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

pytestmark = pytest.mark.slow

TUNE = "name: quick\nobjective: [quality max]\nbudget: {trials: 3}\npasses: [tune]\n"


@pytest.fixture
def iris(yard, monkeypatch):
    """A version that hardly learned, one that can't be made better, and data for both."""
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    from modelyard.registry import open_yard

    monkeypatch.setenv("XDG_CACHE_HOME", str(yard.home / "cache"))
    found = load_iris(as_frame=True)
    found.frame.rename(columns={"target": "kind"}).to_csv(yard.home / "iris.csv", index=False)
    with open_yard(yard.home / "yard") as opened:
        weak = LogisticRegression(C=0.001).fit(found.data[::2], found.target[::2])
        opened.commit("flowers/iris", weak, example=found.data[:4])
    (yard.home / "quick.yaml").write_text(TUNE)
    return yard


ARGS = ("--recipe", "quick.yaml", "--data", "iris.csv", "--target", "kind")


def test_from_suggesting_to_a_version_that_is_proved_to_be_better(iris):
    told = iris.json("suggest", "flowers/iris")
    assert "tune" in {each["recipe"] for each in told}
    shown = iris.run("optimize", "flowers/iris", *ARGS, "--alias", "candidate")
    assert "optimization 1: flowers/iris@1, quick" in shown.stderr
    assert "flowers/iris@2" in shown.stdout
    assert "accuracy is better" in shown.stdout
    assert "95 % interval" in shown.stdout
    assert iris.json("show", "flowers/iris@candidate")["number"] == 2
    listed = iris.json("optimizations")
    assert [(each["id"], each["state"]) for each in listed] == [(1, "done")]
    one = iris.json("optimizations", "1")
    assert one["published"] == [2]
    assert len(one["trials"]) == 3
    assert iris.out("optimizations", "1", "-q") == "flowers/iris@2\n"
    assert "@2" in iris.out("optimizations", "flowers/iris")

    same = iris.json("optimize", "--replay", "1")
    assert same["same"] is True
    assert same["before"] == same["after"] == one["candidates"][0]["digest"]

    assert iris.error("optimize", "--resume", "1")["kind"] == "optimization-ended"
    assert iris.error("optimizations", "1", "--cancel")["kind"] == "optimization-ended"


def test_what_can_not_be_made_better_is_told_and_nothing_is_published(iris):
    (iris.home / "none.yaml").write_text(
        "name: none\nobjective: [accuracy max]\nconstraints: [accuracy>=1.1]\n"
        "budget: {trials: 2}\npasses: [tune]\n"
    )
    shown = iris.run(
        "optimize", "flowers/iris", "--recipe", "none.yaml", "--data", "iris.csv", "--target",
        "kind",
    )  # fmt: skip
    assert "nothing better found for flowers/iris@1" in shown.stdout
    assert "no trial meets all constraints" in shown.stdout
    assert len(iris.json("log", "flowers/iris")) == 1
    assert iris.out("optimizations", "1", "-q") == ""


@contextmanager
def optimizing(iris, *args):
    """`yard optimize` of 200 trials in a process of its own, once one of them is done."""
    (iris.home / "long.yaml").write_text(TUNE.replace("trials: 3", "trials: 200"))
    command = [sys.executable, "-m", "modelyard", "optimize", "flowers/iris", "--recipe",
               "long.yaml", "--data", "iris.csv", "--target", "kind", *args]  # fmt: skip
    with subprocess.Popen(
        command, cwd=iris.home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "YARD": str(iris.home / "yard")}, start_new_session=True,
    ) as process:  # fmt: skip
        limit = time.monotonic() + 120
        while not _done(iris):
            assert time.monotonic() < limit
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.3)
        yield process


def test_ctrl_c_stops_it_and_it_goes_on_from_there(iris):
    with optimizing(iris) as process:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == ""
    assert re.search(r"stopped; \d+ of 200 trials are kept", err)
    assert "yard optimize --resume 1" in err
    left = iris.json("optimizations", "1")
    assert left["state"] == "stopped"
    assert not _children_of(process.pid)
    shown = iris.run("optimizations", "1")
    assert "hint: yard optimize --resume 1" in shown.stderr
    error = iris.error("optimize", "--resume", "1", "--trials", "3", "--alias", "prod")
    assert error["kind"] == "resumed-as-begun"
    assert "--alias, --trials" in error["message"]
    assert iris.json("optimizations", "1")["state"] == "stopped"
    ended = iris.json("optimizations", "1", "--cancel")
    assert ended["state"] == "cancelled"


@pytest.mark.parametrize("mode", [(), ("--json",), ("--json", "--trust", "a.b", "--trust", "c.d")])
def test_who_ends_it_with_sigterm_is_told_how_to_go_on(iris, mode):
    with optimizing(iris, *mode) as process:
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 143
    if mode:
        error = json.loads(out)["error"]
        assert error["kind"] == "interrupted"
        assert error["hint"] == " ".join(["yard optimize --resume 1", *mode[1:]])
    else:
        assert out == ""
        assert re.search(r"stopped; \d+ of 200 trials are kept", err)
        assert "yard optimize --resume 1" in err
    assert iris.json("optimizations", "1")["state"] == "stopped"
    assert not _children_of(process.pid)


def test_where_the_disk_is_full_the_hint_goes_on_with_what_was_trusted(iris, monkeypatch):
    from modelyard.optimization.workplace import Workplace

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Workplace, "keep", full)
    error = iris.error("optimize", "flowers/iris", *ARGS, "--trust", "a.b")
    assert error["kind"] == "disk-full"
    assert error["hint"] == "make room, then yard optimize --resume 1 --trust a.b"


def test_who_waits_for_it_is_told_that_it_was_cancelled(iris):
    with optimizing(iris) as process:
        iris.json("optimizations", "1", "--cancel")
        out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert out == ""
    assert re.search(r"optimization 1 was cancelled; \d+ of 200 trials had ended", err)
    assert "yard optimizations 1" in err
    states = {each["state"]: each["reason"] for each in iris.json("optimizations", "1")["trials"]}
    assert states.get("pruned", "it was cancelled") == "it was cancelled"
    assert "running" not in states
    assert "running" not in iris.out("optimizations", "1", "--all")


def _done(iris) -> int:
    found = iris.json("optimizations")
    return found[0]["done"] if found else 0


def _children_of(group: int) -> list[str]:
    """Processes of a session that are still there."""
    listed = subprocess.run(["ps", "-eo", "sid=,pid=,cmd="], capture_output=True, text=True)
    return [line for line in listed.stdout.splitlines() if line.split()[0] == str(group)]


def test_recipes_are_listed_and_written(iris):
    names = iris.out("recipes", "-q").split()
    assert {"auto", "small", "fast", "tune"} <= set(names)
    text = iris.out("recipes", "int8")
    (iris.home / "mine.yaml").write_text(text)
    assert iris.json("recipes", "int8")["recipe"]["name"] == "int8"
    assert "passes: " in iris.out("recipes", "auto")
    assert iris.error("recipes", "nothing")["kind"] == "no-recipe"


@pytest.mark.parametrize(
    ("args", "kind"),
    [
        (("flowers/iris", "--recipe", "nothing"), "no-recipe"),
        (("flowers/iris@9", *ARGS), "no-version"),
        (("nobody", *ARGS), "no-model"),
        (("flowers/iris", "--recipe", "quick.yaml", "--data", "none.csv"), "no-data"),
        (("flowers/iris", *ARGS[:4], "--target", "none"), "no-column"),
        (("--resume", "7"), "no-optimization"),
        (("--replay", "7"), "no-optimization"),
        (("flowers/iris", *ARGS, "--there"), "only-remote"),
        (("flowers/iris", *ARGS, "--alias", "main"), "ref-exists"),
        (("flowers/iris", *ARGS, "--alias", "a b"), "bad-ref-name"),
        (("--resume", "7", "--recipe", "auto"), "resumed-as-begun"),
        (("--resume", "7", "--budget", "10m"), "resumed-as-begun"),
        (("--resume", "7", "--seed", "0"), "resumed-as-begun"),
        (("--resume", "7", *ARGS[2:]), "resumed-as-begun"),
        (("--resume", "7", "--engine", "local"), "no-optimization"),
        (("--replay", "7", "--trials", "3"), "resumed-as-begun"),
    ],
)
def test_what_can_not_be_done_is_told_in_a_sentence(iris, args, kind):
    error = iris.error("optimize", *args)
    assert error["kind"] == kind, error
    assert not [one for one in iris.json("optimizations") if one["state"] == "done"]


NESTED = "name: all\nobjective: [quality max]\nbudget: {trials: 2}\nnested: 2\npasses: [tune]\n"


def test_what_the_search_as_a_whole_gains_is_shown(iris):
    (iris.home / "nested.yaml").write_text(NESTED)
    shown = iris.out("optimize", "flowers/iris", "--recipe", "nested.yaml", *ARGS[2:])
    assert "nested    the search as a whole changes accuracy by +" in shown
    assert "nested    the search as a whole" in iris.out("optimizations", "1")


@pytest.mark.parametrize(
    "args", [(), ("flowers/iris", "--resume", "1"), ("--resume", "1", "--replay", "1")]
)
def test_a_model_or_one_optimization_is_named(iris, args):
    assert "name a model, or one optimization" in iris.error("optimize", *args, code=2)["message"]


@pytest.mark.parametrize("which", ["--resume", "--replay"])
def test_a_server_goes_on_by_itself(iris, which):
    error = iris.error("optimize", which, "1", "--there", code=2)
    assert "a server goes on by itself" in error["message"]


def test_the_json_is_one_document(iris):
    result = iris.run("optimize", "flowers/iris", *ARGS, "--seed", "3", "--trials", "2", "--json")
    told = json.loads(result.stdout)
    assert (told["state"], told["done"], told["recipe"]["seed"]) == ("done", 2, 3)
    assert told["environment"]["python"]
