"""copy, mirror, backup, restore-backup, export, import: from the shell."""

from __future__ import annotations

import pytest


@pytest.fixture
def two(shell, monkeypatch):
    """A yard with a model, and an empty one."""
    shell.run("init", "models")
    shell.run("init", "team")
    monkeypatch.setenv("YARD", str(shell.home / "models"))
    shell.run("commit", "vision/net", shell.weights("out"), "-m", "first", "--metric", "acc=0.5")
    shell.run("commit", "vision/net", shell.weights("out", step=1), "-m", "second")
    shell.run("alias", "vision/net", "prod", "1")
    return shell


def test_copy_says_what_would_come_and_what_came(two):
    wish = two.json("copy", "vision/net", "models", "team", "--dry-run")
    assert (wish["versions"], wish["dry_run"]) == (2, True)
    done = two.json("copy", "vision/net", "models", "team")
    assert (done["versions"], done["bytes"]) == (2, wish["bytes"])
    assert done["models"][0]["refs"] == ["main", "prod"]
    assert two.out("log", "vision/net", "-q", "--yard", "team").split() == [
        "vision/net@2", "vision/net@1",
    ]  # fmt: skip
    assert two.out("copy", "vision/net", "models", "team") == "nothing to copy\n"


def test_copy_of_one_version(two):
    assert two.out("copy", "vision/net@prod", "models", "team", "-q") == "vision/net@1\n"


def test_mirror_lists_what_differs_and_exits_with_1(two):
    assert "2 versions came" in two.out("mirror", "models", "team")
    two.run("alias", "vision/net", "prod", "2", "--yard", "team")
    out = two.out("mirror", "models", "team", code=1)
    assert "1 thing left as there" in out
    assert out.splitlines()[-1].split() == ["alias", "vision/net@prod", "2", "1"]


def test_a_yard_that_is_none_is_told(two):
    assert two.error("copy", "vision/net", "models", "nowhere")["kind"] == "no-yard"
    assert two.error("mirror", "models", "models")["kind"] == "same-yard"
    assert two.error("mirror", "models", "s3://bucket/yard")["kind"] == "no-remote"
    assert two.error("copy", "vision/none", "models", "team")["kind"] == "no-model"


def test_backup_and_back(two):
    done = two.json("backup", "b.tar")
    assert (done["versions"], done["sealed"]) == (2, False)
    assert two.error("backup", "b.tar")["kind"] == "file-exists"
    assert two.json("restore-backup", "b.tar", "again")["versions"] == 2
    assert two.json("verify", "--yard", "again")["ok"]
    assert two.error("restore-backup", "b.tar", "again")["kind"] == "yard-exists"
    two.run("backup", code=2)
    assert two.json("backup", "--catalog")["file"].startswith("catalog/")


def test_export_and_import(two):
    two.run("export", "vision/net@prod", "net.tar")
    assert "vision/net@1" in two.out("import", "net.tar", "--yard", "team")
    assert "nothing changed" in two.out("import", "net.tar", "--yard", "team")
    assert two.out("import", "net.tar", "--as", "other", "-q", "--yard", "team") == "other@1\n"
    assert two.json("show", "other", "--yard", "team")["metrics"] == {"acc": 0.5}


def test_a_dry_run_counts_what_two_models_share_once(shell):
    for name in ("models", "spare"):
        shell.run("init", name)
    for name in ("a", "b"):
        shell.run("commit", name, shell.weights("out"), "-m", "the same", "--yard", "models")
    wish = shell.json("mirror", "models", "spare", "--dry-run")
    done = shell.json("mirror", "models", "spare")
    assert (wish["chunks"], wish["bytes"]) == (done["chunks"], done["bytes"])
