"""What a server stands: a minute of mixed load, and fifty deaths in the midst of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.benchmarks.server.kills import kill_often
from tests.benchmarks.server.load import load

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


def test_eight_clients_for_a_minute_see_no_error_and_memory_does_not_grow(tmp_path: Path) -> None:
    told = load(tmp_path / "yard", 60)
    print(*told.lines(), sep="\n")
    assert not told.wrong
    assert sum(map(len, told.calls.values())) > 500
    assert set(told.calls) >= {"commit", "checkout", "search", "alias", "diff"}


def test_a_server_killed_fifty_times_under_load_loses_nothing(tmp_path: Path) -> None:
    told = kill_often(tmp_path / "yard", 50)
    assert not told.wrong
    assert told.kills == 50
    assert told.acknowledged > 50
