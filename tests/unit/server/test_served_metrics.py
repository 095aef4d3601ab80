"""Metrics of several processes, added up."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from modelyard.core.exposition import added_up
from modelyard.server.served_metrics import all_metrics, write_down

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

ONE = """# HELP a_total Some.
# TYPE a_total counter
a_total{version="1"} 2
a_total{version="2"} 1.5
"""
OTHER = """# HELP a_total Some.
# TYPE a_total counter
a_total{version="2"} 1
# HELP b Else.
# TYPE b gauge
b 4
"""


def test_samples_of_the_same_labels_are_added() -> None:
    assert added_up([ONE, OTHER]).splitlines() == [
        "# HELP a_total Some.", "# TYPE a_total counter",
        'a_total{version="1"} 2', 'a_total{version="2"} 2.5',
        "# HELP b Else.", "# TYPE b gauge", "b 4",
    ]  # fmt: skip


def test_what_others_left_is_added_and_the_own_only_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    write_down(ONE)
    (tmp_path / "served-1.prom").write_text(OTHER)
    assert (tmp_path / f"served-{os.getpid()}.prom").exists()
    assert 'a_total{version="2"} 2.5' in all_metrics(ONE)
    assert "b 4" in all_metrics(ONE)


def test_of_a_process_that_is_gone_only_what_it_counted_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    (tmp_path / f"served-{gone.pid}.prom").write_text(OTHER)
    assert 'a_total{version="2"} 2.5' in all_metrics(ONE)
    assert "b 4" not in all_metrics(ONE)


def test_a_single_process_tells_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    assert all_metrics(ONE) == ONE
