"""`yard merge --method`: what people type, and what they are told."""

from __future__ import annotations

import numpy as np
import pytest

from modelyard.testing.models import layers, write_safetensors


@pytest.fixture
def tuned(yard):
    """A shell with m@1 on main, and m@2 and m@3 tuned from it on branches a and b."""

    def commit(step, *options):
        folder = yard.home / f"model-{step}"
        tensors = {name: values + np.float32(step) for name, values in layers(1).items()}
        write_safetensors(folder / "model.safetensors", tensors)
        yard.run("commit", "m", folder, *options)

    commit(0, "-m", "base")
    commit(1, "-m", "one", "--branch", "a", "--parent", "1")
    commit(3, "-m", "three", "--branch", "b", "--parent", "1", "--metric", "acc=0.9")
    return yard


def test_a_merge_says_what_it_made_and_what_it_took(tuned):
    lines = tuned.out("merge", "m", "a", "b", "--method", "average").splitlines()
    assert lines[0].startswith("m@4 ")
    assert lines[0].endswith(" on a")
    assert lines[2].startswith("6 tensors, 6.5 kB read, ")
    assert lines[2].endswith(" s")
    assert len(lines) == 3


def test_the_log_draws_both_parents(tuned):
    tuned.run("merge", "m", "a", "b", "--method", "ties", "--density", "0.5", "--into", "soup")
    log = tuned.out("log", "m@soup")
    assert "Merge 2 and 3 by ties (density 0.5)" in log
    assert "├" in log or "|\\" in log or "┬" in log or "╮" in log, log
    assert tuned.json("log", "m@soup")[0]["parents"] == [2, 3]


def test_json_holds_the_numbers_and_quiet_the_id(tuned):
    made = tuned.json("merge", "m", "a", "b", "--method", "slerp", "--into", "x")
    assert (made["number"], made["branch"], made["tensors"]) == (4, "x", 6)
    assert made["read_bytes"] > 6000
    assert tuned.out("merge", "m", "b", "a", "--method", "average", "-q") == "m@5\n"


def test_weights_come_in_the_order_of_versions(tuned):
    tuned.run("merge", "m", "a", "b", "--method", "weighted", "--weight", "3", "--weight", "1")
    told = tuned.json("show", "m@4")
    assert told["params"] == {"merge.method": "weighted", "merge.weights": [0.75, 0.25]}
    assert told["metrics"] == {}


def test_show_tells_where_the_mixture_came_from(tuned):
    tuned.run("merge", "m", "a", "b", "--method", "dare", "--seed", "7", "-m", "both")
    text = tuned.out("show", "m@4")
    assert "merged-from m@2" in text
    assert "merged-from m@3" in text
    assert "both" in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["a"], "--into BRANCH"),
        (["a", "b"], "--method"),
        (["a", "b", "--into", "main"], "--method"),
        (["a", "--into", "main", "--density", "0.2"], "--density needs --method"),
        (["a", "--into", "main", "--weight", "1", "--base", "1"], "--base, --weight needs"),
        (["a", "b", "--method", "mean"], "average"),
        ([], "FROM | A B"),
    ],
)
def test_a_merge_that_says_too_little_or_too_much_is_told_what_is_missing(tuned, words, said):
    assert said in tuned.err("merge", "m", *words, code=2)


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (["a", "--method", "average"], "bad-mix"),
        (["a", "b", "--method", "ties", "--density", "2"], "bad-mix"),
        (["a", "b", "--method", "weighted"], "bad-mix"),
        (["a", "a", "--method", "average"], "bad-mix"),
        (["a", "--method", "ties"], "no-base"),
        (["1", "b", "--method", "average", "--into", "a"], "not-a-tip"),
        (["a", "c", "--method", "average"], "no-version"),
    ],
)
def test_a_mixture_that_can_not_be_has_a_kind(tuned, words, kind):
    assert tuned.error("merge", "m", *words)["kind"] == kind
    assert len(tuned.json("log", "m")) == 3


def test_files_are_merged_as_before(tuned):
    assert tuned.out("merge", "m", "a", "--into", "main").startswith("m@4 ")


def test_archives_are_refused_by_name(resnet):
    told = resnet.err("merge", "vision/resnet", "main", "wild", "--method", "average")
    assert "model.npz (npz)" in told
    assert "safetensors" in told
