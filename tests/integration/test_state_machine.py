"""A folder yard against plain dicts, worked on by one new process after another.

`HYPOTHESIS_PROFILE=long pytest tests/integration/test_state_machine.py` looks for an hour.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from modelyard.testing.keeper import ProcessYard
from modelyard.testing.machine import YardMachine
from modelyard.testing.process import Nursery

LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"


@pytest.fixture(scope="module")
def nursery():
    with Nursery() as nursery:
        yield nursery


@pytest.mark.slow
def test_a_folder_yard_agrees_with_dicts(nursery):
    class FolderMachine(YardMachine):
        def new_yard(self):
            return ProcessYard(nursery, str(self.place / "yard"))

        def reopened(self, *, killed):
            if killed:
                self.yard.kill()
            else:
                self.yard.close()
            return self.new_yard()

        def without_catalog(self):
            self.yard.close()
            for path in (self.place / "yard").glob("catalog*"):
                path.unlink()
            return self.new_yard()

    examples = 1500 if LONG else 20
    run_state_machine_as_test(
        FolderMachine,
        settings=settings(max_examples=examples, stateful_step_count=60 if LONG else 35),
    )
