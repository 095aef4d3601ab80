"""A folder yard against plain dicts, worked on by one new process after another.

`HYPOTHESIS_PROFILE=long pytest tests/integration/test_state_machine.py` looks for an hour.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from modelyard.testing.keeper import ProcessYard
from modelyard.testing.machine import YardMachine
from modelyard.testing.process import Nursery
from modelyard.testing.victim import open_folder

LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"


@pytest.fixture(scope="module")
def nursery():
    with Nursery() as nursery:
        yield nursery


NO_GRACE = "version = 1\n[gc]\nkeep_deleted_days = 0\ngrace_minutes = 0\n"
WHOLE_PACKS = 'version = 1\n[store]\nurl = "sqlite:///store.db"\n' + NO_GRACE.partition("\n")[2]


@pytest.mark.slow
@pytest.mark.parametrize(
    "config", [None, NO_GRACE, WHOLE_PACKS],
    ids=["gc-waits", "gc-takes-at-once", "packs-are-put-whole"],
)  # fmt: skip
def test_a_folder_yard_agrees_with_dicts(nursery, config):
    class FolderMachine(YardMachine):
        keeps_deleted = config is None

        def new_yard(self):
            folder = self.place / "yard"
            if config is not None and not folder.exists():
                open_folder(str(folder)).close()
                (folder / "yard.toml").write_text(config)
            return ProcessYard(nursery, str(folder))

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

    examples = 1500 if LONG else 30
    run_state_machine_as_test(
        FolderMachine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=60 if LONG else 35,
            phases=(Phase.generate, Phase.shrink),
        ),
    )
