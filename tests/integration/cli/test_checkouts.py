"""A checkout remembers where it came from."""

from __future__ import annotations

import pytest


@pytest.fixture
def work(resnet, monkeypatch):
    """A checkout of main, with the working directory in it and no $YARD."""
    resnet.run("checkout", "vision/resnet", "work")
    monkeypatch.delenv("YARD")
    monkeypatch.chdir(resnet.home / "work")
    return resnet


def test_checkout_writes_the_files(resnet):
    done = resnet.json("checkout", "vision/resnet@1", "old")
    assert (done["number"], done["files"]) == (1, 2)
    resnet.weights("again")
    for name in ("model.npz", "vocabulary.txt"):
        assert (resnet.home / "old" / name).read_bytes() == (
            resnet.home / "again" / name
        ).read_bytes()


def test_checkout_of_some_files(resnet):
    resnet.run("checkout", "vision/resnet@1", "old", "--file", "*.txt")
    assert sorted(p.name for p in (resnet.home / "old").iterdir() if p.name != ".yard") == [
        "vocabulary.txt"
    ]


def test_files_that_are_there_are_never_overwritten(resnet):
    (resnet.home / "old").mkdir()
    (resnet.home / "old" / "vocabulary.txt").write_text("mine")
    assert resnet.error("checkout", "vision/resnet", "old")["kind"] == "dest-not-empty"
    assert (resnet.home / "old" / "vocabulary.txt").read_text() == "mine"


def test_status_of_an_untouched_checkout(work):
    assert work.json("status") == {
        "model": "vision/resnet", "branch": "main", "number": 2, "changes": [],
    }  # fmt: skip
    assert work.out("status").endswith("no local changes\n")


def test_status_lists_local_changes(work):
    here = work.home / "work"
    (here / "vocabulary.txt").write_text("other words\n")
    (here / "new.txt").write_text("new\n")
    (here / "model.npz").unlink()
    assert work.json("status")["changes"] == [
        {"path": "model.npz", "change": "removed"},
        {"path": "new.txt", "change": "added"},
        {"path": "vocabulary.txt", "change": "changed"},
    ]
    assert "  ~ vocabulary.txt" in work.out("status")


def test_commit_without_a_model_goes_to_the_branch(work):
    (work.home / "work" / "new.txt").write_text("new\n")
    made = work.json("commit", "-m", "more words")
    assert (made["model"], made["number"], made["branch"]) == ("vision/resnet", 4, "main")
    assert work.json("status")["changes"] == []
    assert work.json("status")["number"] == 4
    assert work.out("cat", "vision/resnet", "new.txt") == "new\n"


def test_pull_brings_the_newest(work):
    work.run("commit", "vision/resnet", work.weights("out", step=0.3), "-m", "third")
    assert work.json("pull")["number"] == 4
    assert work.json("status")["changes"] == []


def test_pull_switches_to_a_revision(work):
    assert work.json("pull", "1")["number"] == 1
    work.weights("again")
    assert (work.home / "work" / "model.npz").read_bytes() == (
        work.home / "again" / "model.npz"
    ).read_bytes()


def test_pull_keeps_local_changes(work):
    (work.home / "work" / "vocabulary.txt").write_text("mine\n")
    work.run("commit", "vision/resnet", work.weights("out", step=0.3), "-m", "third")
    work.run("pull")
    assert (work.home / "work" / "vocabulary.txt").read_text() == "mine\n"


def test_pull_refuses_conflicts_and_writes_nothing(work):
    (work.home / "work" / "model.npz").write_bytes(b"mine")
    work.run("commit", "vision/resnet", work.weights("out", step=0.3), "-m", "third")
    error = work.error("pull")
    assert error["kind"] == "local-changes"
    assert "model.npz" in error["message"] + (error["hint"] or "")
    assert (work.home / "work" / "model.npz").read_bytes() == b"mine"


def test_outside_of_a_checkout_it_says_so(resnet):
    assert resnet.error("status")["kind"] == "no-checkout"
    assert resnet.error("commit", "-m", "x")["kind"] == "no-checkout"


def test_a_checkout_finds_its_yard_without_being_told(work):
    assert [row["number"] for row in work.json("log", "vision/resnet")] == [3, 2, 1]


def test_a_checkout_knows_its_parent(work):
    assert work.error("commit", "-m", "x", "--parent", "1", code=2)["kind"] == "usage"


def test_a_checkout_without_a_branch_needs_one_to_commit(work):
    work.run("pull", "1")
    (work.home / "work" / "new.txt").write_text("new\n")
    assert work.run("status").stderr == "hint: yard commit -m MSG --branch NAME\n"
    assert work.error("commit", "-m", "x")["kind"] == "detached"
    assert work.json("commit", "-m", "x", "--branch", "side")["branch"] == "side"
