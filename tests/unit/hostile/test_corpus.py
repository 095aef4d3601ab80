"""Every hostile file is refused or named, quickly, in little memory, and nothing of it runs."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import textwrap
from functools import cache
from pathlib import Path

import pytest
from hostile_pickles import MARKER, pickles
from hostile_structures import structures

from modelyard.errors import InvalidInput
from modelyard.formats import inspect

CORPUS = pickles() | structures()
SOURCE = Path(__file__).parents[3] / "src"


@cache
def verdict(name: str) -> list[tuple[str, str, str]]:
    """Kind, severity and message of all that is said of a file."""
    hostile = CORPUS[name]
    try:
        found = inspect(io.BytesIO(hostile.data), hostile.path)
    except InvalidInput as error:
        return [(error.kind, "refused", error.message)]
    return [(finding.kind, finding.severity, finding.message) for finding in found.findings]


@pytest.mark.parametrize("name", sorted(CORPUS))
def test_hostile_file_is_refused_or_named(name: str):
    hostile = CORPUS[name]

    said = verdict(name)

    if not hostile.kind:
        assert all(severity != "refused" for _, severity, _ in said)
        return
    loud = [
        message for kind, severity, message in said if kind == hostile.kind and severity != "info"
    ]
    assert loud, said
    assert any(hostile.says in message for message in loud), said
    assert not Path(MARKER).exists()


def test_corpus_is_large_enough():
    assert len(CORPUS) >= 80


def test_messages_hold_no_control_characters():
    for name in CORPUS:
        for _, _, message in verdict(name)[:5]:
            assert message.isprintable(), message


@pytest.mark.slow
def test_each_hostile_file_takes_less_than_a_second_and_200_mb(tmp_path: Path):
    for name, hostile in CORPUS.items():
        folder = tmp_path / name
        folder.mkdir()
        (folder / hostile.path).write_bytes(hostile.data)

    measured = _measured(tmp_path)

    slow = {name: seconds for name, (seconds, _) in measured.items() if seconds > 1.0}
    assert not slow
    assert max(peak for _, peak in measured.values()) < 200_000
    assert len(measured) == len(CORPUS)
    assert not Path(MARKER).exists()


def _measured(folder: Path) -> dict[str, tuple[float, int]]:
    """CPU seconds and peak memory in kB of each file, in one process of its own."""
    code = textwrap.dedent("""
        import json, pathlib, sys, time
        from modelyard.errors import InvalidInput
        from modelyard.formats import inspect
        out = {}
        def peak():
            with open("/proc/self/status") as status:
                return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
        for path in sorted(pathlib.Path(sys.argv[1]).glob("*/*")):
            begin = time.process_time()
            with path.open("rb") as file:
                try:
                    inspect(file, path.name)
                except InvalidInput:
                    pass
            seconds = time.process_time() - begin
            out[path.parent.name] = (seconds, peak())
        print(json.dumps(out))
    """)
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        env=os.environ | {"PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)
