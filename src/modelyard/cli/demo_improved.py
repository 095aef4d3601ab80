"""A chapter of the demo: a version is made better, which is proved; or nothing is published."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

from modelyard.errors import Unavailable

if TYPE_CHECKING:
    from modelyard.cli.demo_story import Story
    from modelyard.cli.demo_zoo import Zoo

__all__ = ["improved"]

_FOLDER = "models/tumours"

_TRAIN = '''\
"""A forest that tells tumours apart, and rows that it has not seen."""

import modelyard
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier

found = load_breast_cancer(as_frame=True)
seen = found.frame.index % 3 == 0
forest = RandomForestClassifier(100, random_state=0).fit(found.data[seen], found.target[seen])
found.frame[~seen].to_csv("models/tumours/cases.csv", index=False)
yard = modelyard.open("yard")
yard.commit("health/tumours", forest, message="a forest", example=found.data[:4])
yard.commit("data/tumours", "models/tumours/cases.csv", kind="dataset")
'''


def improved(story: Story, zoo: Zoo) -> None:
    """Suggest, optimize, look at the proof, make it again; and fail honestly."""
    story.title("Made better, and proved")
    if not _is_possible():
        story.say("(This part needs more libraries: pip install 'modelyard[optimize]')")
        return
    folder = story.folder / _FOLDER
    folder.mkdir(parents=True)
    (folder / "train.py").write_text(_TRAIN, encoding="utf-8")
    story.shell(f"python {_FOLDER}/train.py", lambda: _python(story))
    story.say("What is likely to pay for a forest of a hundred trees? Nothing is run to find out:")
    story.yard("suggest", "health/tumours")
    story.say(
        "As a graph it answers sooner, they say. Trials find out, in processes of their own; and "
        "what they make is proved on rows that none of them has seen:"
    )
    data = ("--data", "data/tumours@1", "--target", "target")
    story.yard("optimize", "health/tumours", "--recipe", "onnx", *data, "--alias", "candidate")
    story.say("Its recipe makes it again, bit for bit:")
    story.yard("optimize", "--replay", "1")
    story.say("What can't be made better is left as it is, with the reasons:")
    story.yard("optimize", "health/tumours@candidate", "--recipe", "onnx", *data)


def _python(story: Story) -> None:
    done = subprocess.run(
        [sys.executable, f"{_FOLDER}/train.py"], cwd=story.folder, check=False, text=True,
        capture_output=True,
    )  # fmt: skip
    if done.returncode:
        last = done.stderr.strip().rpartition("\n")[2]
        raise Unavailable("demo-stopped", f"'python {_FOLDER}/train.py' ended with: {last}")


def _is_possible() -> bool:
    needed = ("sklearn", "skops", "pandas", "onnx", "onnxruntime", "skl2onnx", "optuna")
    return all(find_spec(name) for name in needed)
