"""The messages that we speak: made from our file, and the same as everybody's."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.compat.oip.environments import checks, environment, outcomes
from tests.conftest import missing

from modelyard.serving.grpc.stubs import messages

SCRIPT = Path(__file__).parents[3] / "scripts/stubs.py"


def test_messages_are_as_their_file_says():
    done = subprocess.run([sys.executable, SCRIPT, "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def outcome():
    try:
        environment("triton")
    except RuntimeError as error:
        missing(f"tritonclient ({error})")
    return outcomes("triton", "both_clients", messages.__file__)


@pytest.mark.parametrize("check", checks("both_clients"))
def test_they_get_on_with_tritons(outcome, check):
    assert outcome[check] is None, outcome[check]
