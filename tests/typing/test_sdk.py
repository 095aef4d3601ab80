"""What a type checker knows of the SDK: `sdk.py` says it, mypy checks it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent


def check(path: Path) -> subprocess.CompletedProcess[str]:
    cache = f"--cache-dir={ROOT / '.mypy_cache'}"
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", cache, str(path)]
    return subprocess.run(command, cwd=ROOT / "src", capture_output=True, text=True, check=False)


def test_mypy_agrees_with_every_assertion():
    done = check(HERE / "sdk.py")
    assert done.returncode == 0, done.stdout + done.stderr


def test_mypy_would_notice(tmp_path):
    wrong = tmp_path / "wrong.py"
    text = (
        (HERE / "sdk.py")
        .read_text()
        .replace("assert_type(version.number, int)", "assert_type(version.number, str)")
    )
    wrong.write_text(text)
    done = check(wrong)
    assert done.returncode == 1
    assert "Expression is of type" in done.stdout
