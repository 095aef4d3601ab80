"""Where an object came from: packages that are imported, the commit of the calling file."""

import subprocess
import sys
import textwrap
import time

import pytest

import modelyard
from modelyard.registry.origin import environment


def test_the_environment_names_imported_packages_and_no_others():
    import sklearn

    packages = environment()["packages"]
    assert packages["scikit-learn"] == sklearn.__version__, "imported as sklearn"
    assert packages["pyyaml" if "yaml" in sys.modules else "numpy"]
    assert packages["modelyard"] == modelyard.__version__
    assert "tensorflow-cpu" not in packages or "tensorflow" in sys.modules


def test_the_environment_is_told_in_less_than_50_ms():
    code = "import numpy, sqlalchemy, pytest, time; from modelyard.registry.origin import *\n"
    code += "t = time.process_time(); environment(); print(time.process_time() - t)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 0.05


@pytest.fixture
def project(tmp_path):
    """A git repository whose script commits an object to a yard beside it."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "train.py").write_text(
        textwrap.dedent(
            """
            import modelyard
            with modelyard.open("../yard") as yard:
                made = yard.commit("m", {"weights": [1, 2, 3]})
                print(dict(yard.show("m", made.number).code))
            """
        )
    )
    _git(folder, "init", "-q")
    return folder


def _git(folder, *args):
    who = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org"]
    done = subprocess.run(["git", *who, *args], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def _run(folder, script="train.py"):
    done = subprocess.run(
        [sys.executable, script], cwd=folder, capture_output=True, text=True, check=True
    )
    return eval(done.stdout)


def test_the_commit_of_the_calling_file_is_told(project):
    _git(project, "add", "train.py")
    _git(project, "commit", "-qm", "first")
    _git(project, "remote", "add", "origin", "https://ann:secret@example.org/wine.git")
    code = _run(project)
    assert code == {
        "commit": _git(project, "rev-parse", "HEAD"),
        "file": "train.py",
        "remote": "https://example.org/wine.git",
    }


def test_a_file_that_was_changed_since_says_so(project):
    _git(project, "add", "train.py")
    _git(project, "commit", "-qm", "first")
    with (project / "train.py").open("a") as file:
        file.write("# tried something\n")
    assert _run(project)["changed"] == "yes"


def test_no_repository_and_a_damaged_one_are_no_reason_to_fail(project):
    assert _run(project) == {}, "nothing was committed yet"
    (project / ".git/HEAD").write_bytes(b"\xff\x00 nonsense")
    assert _run(project) == {}


def test_the_second_time_costs_almost_nothing():
    environment()
    began = time.process_time()
    environment()
    assert time.process_time() - began < 0.01
