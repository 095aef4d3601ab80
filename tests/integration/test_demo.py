"""The story of `yard demo`, told with what is installed; `make demo` tells it with real models."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from modelyard.cli import demo_story, demo_zoo
from modelyard.errors import Conflict, ModelyardError

YARD = [sys.executable, "-m", "modelyard"]


@pytest.mark.slow
def test_the_story_is_told_again_where_it_was_told_before(tmp_path):
    demo = tmp_path / "demo"
    for name in (demo_story.MARK, "yard/yard.toml", "models/old.bin"):  # an earlier telling
        (demo / name).parent.mkdir(parents=True, exist_ok=True)
        (demo / name).write_text("version = 1\n")
    done = subprocess.run(
        [*YARD, "demo", "--dir", str(demo)], capture_output=True, text=True,
        env=os.environ | {"NO_COLOR": "1"}, timeout=500,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "error:" not in done.stderr
    assert "Traceback" not in done.stderr
    told = done.stdout
    assert "$ yard diff vision/digits@1 2\n" in told
    assert "alias champion points at vision/digits@2 (was 3)\n" in told
    assert "3 is best" in told
    assert "health/tumours@2 from health/tumours@1: latency_p50 is " in told
    assert "the same, bit for bit\n" in told
    assert "nothing better found for health/tumours@2\n" in told
    assert "deployed reader, ready\n" in told
    assert "rolled back reader" in told
    assert "undeployed reader\n" in told
    assert "4,000 joined with answers of loans\n" in told
    assert re.search(r"[1-9] of \d columns drifted, compared with data/people@1", told)
    assert re.search(r"firing +critical +loans +fault", told)
    assert "4 of 4 gaps too wide" in told
    assert "rolled back loans" in told
    assert "wrote the report of loans" in told
    assert "all is well\n" in told
    shown = subprocess.run(
        [*YARD, "--yard", str(tmp_path / "demo" / "yard"), "list", "-q"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert shown.stdout.split() == [
        "credit/loans", "data/digits", "data/people", "data/tumours", "health/tumours",
        "tables/wine", "vision/digits", "vision/encoder", "vision/reader",
    ]  # fmt: skip


def test_a_folder_with_other_things_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(Conflict, match="holds other things"):
        demo_story.run(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_story_that_goes_wrong_says_so_and_puts_all_back(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("YARD", "before")
    place = os.getcwd()
    zoo = demo_zoo.Zoo(
        demo_zoo.NumpyTrainer(),
        demo_zoo.NumpyEncoder(),
        (demo_zoo.Release("audio/vad", tmp_path / "demo" / "missing", "release 1"),),
    )
    with pytest.raises(ModelyardError) as caught:
        demo_story.run(tmp_path / "demo", zoo)
    assert caught.value.kind == "demo-stopped"
    assert os.environ["YARD"] == "before"
    assert os.getcwd() == place
    assert "error: " in capsys.readouterr().err
