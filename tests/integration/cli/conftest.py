"""A shell with a yard: commands run in this process, over real folders."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import CliRunner

from modelyard.cli.root import root

if TYPE_CHECKING:
    from pathlib import Path


@dataclass
class Shell:
    """Runs `yard` in a home of its own."""

    home: Path

    def run(self, *args, code=0, stdin=None):
        result = CliRunner().invoke(root, [str(arg) for arg in args], input=stdin)
        assert result.exit_code == code, result.output
        return result

    def out(self, *args, code=0):
        return self.run(*args, code=code).stdout

    def err(self, *args, code=1):
        result = self.run(*args, code=code)
        assert result.stdout == ""
        return result.stderr

    def json(self, *args, code=0):
        """The one document on stdout."""
        return json.loads(self.out(*args, "--json", code=code))

    def error(self, *args, code=1):
        return self.json(*args, code=code)["error"]

    def weights(self, path, *, step=0.0, **more):
        """A model's folder: tensors, a text file and a card."""
        rng = np.random.default_rng(7)
        tensors = {"fc.weight": rng.normal(size=(64, 32)), "fc.bias": np.zeros(64)}
        tensors["fc.weight"][:8] += step
        folder = self.home / path
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(folder / "model.npz", **{k: v.astype("f4") for k, v in (tensors | more).items()})
        (folder / "vocabulary.txt").write_text("a b c\n")
        return folder


@pytest.fixture
def shell(tmp_path, monkeypatch):
    """A shell without any yard."""
    for name in [name for name in os.environ if name.startswith(("YARD", "GIT_", "XDG_"))]:
        monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("YARD_AUTHOR", "Ann Lee <ann@example.com>")
    monkeypatch.chdir(home)
    return Shell(home)


@pytest.fixture
def yard(shell, monkeypatch):
    """A shell with an empty yard."""
    shell.run("init", "yard")
    monkeypatch.setenv("YARD", str(shell.home / "yard"))
    return shell


@pytest.fixture
def resnet(yard):
    """A shell with three versions of vision/resnet: two on main, one on a branch."""
    yard.run("commit", "vision/resnet", yard.weights("out"), "-m", "first", "--metric", "acc=0.91")
    yard.run(
        "commit", "vision/resnet", yard.weights("out", step=0.1), "-m", "second",
        "--metric", "acc=0.93", "--param", "lr=0.1", "--label", "task=classify",
    )  # fmt: skip
    yard.run(
        "commit", "vision/resnet", yard.weights("out", step=0.5), "-m", "wild",
        "--branch", "wild", "--parent", "1",
    )  # fmt: skip
    return yard
