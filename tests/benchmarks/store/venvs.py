"""Each tool in a virtual environment of its own, made once and kept, with pinned versions."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import modelyard

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["PINS", "command_of", "git_lfs", "python", "versions"]

PINS: dict[str, tuple[str, ...]] = {
    "dvc": ("dvc==3.67.1",),
    "dvc-s3": ("dvc[s3]==3.67.1",),
    "xet": ("hf-xet==1.8.0",),
    "mlflow": ("mlflow-skinny==3.17.2", "sqlalchemy==2.1.9", "alembic==1.20.1", "sqlparse==0.6.1"),
    "mlflow-server": ("mlflow==3.17.2",),
    "zipnn": ("torch==2.13.0", "zipnn==0.5.4"),
    "torch": ("torch==2.13.0", "numpy==2.4.6"),
    "sklearn": ("scikit-learn==1.9.1",),
}
SHOWN = {
    "dvc": "dvc",
    "xet": "hf-xet",
    "mlflow": "mlflow-skinny",
    "zipnn": "zipnn",
    "torch": "torch",
}


def python(work: Path, name: str) -> Path:
    """The interpreter of a tool's environment, made now if it is not there in these versions."""
    folder = work / "venvs" / name
    ready = folder / "ready.txt"
    wanted = "\n".join(PINS[name])
    if not ready.exists() or ready.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        print(f"installing {', '.join(PINS[name])}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        pip = [str(folder / "bin/python"), "-m", "pip", "install", "-q"]
        subprocess.run([*pip, "--disable-pip-version-check", *PINS[name]], check=True)
        ready.write_text(wanted)
    return folder.absolute() / "bin/python"


def command_of(work: Path, name: str, command: str) -> str:
    return str(python(work, name).with_name(command))


def git_lfs() -> None:
    """Install git-lfs with apt if it is missing and we may."""
    if shutil.which("git-lfs"):
        return
    if os.geteuid() or not shutil.which("apt-get"):
        raise SystemExit("git-lfs is missing: apt-get install git-lfs, or leave lfs out of --peers")
    subprocess.run(["apt-get", "update", "-qq"], check=True)
    subprocess.run(["apt-get", "install", "-y", "-qq", "git-lfs"], check=True)


def versions(work: Path, peers: list[str]) -> dict[str, str]:
    """What will be measured, by tool; whatever is missing is installed now."""
    found = {"modelyard": modelyard.__version__}
    for peer in peers:
        if peer in SHOWN:
            code = f"import importlib.metadata as m; print(m.version({SHOWN[peer]!r}))"
            found[peer] = _said([str(python(work, peer)), "-c", code])
    if "lfs" in peers:
        git_lfs()
        found["lfs"] = _said(["git", "lfs", "version"]).split()[0].removeprefix("git-lfs/")
        found["git"] = _said(["git", "--version"]).split()[-1]
    if "cp" in peers:
        found["cp"] = _said(["cp", "--version"]).splitlines()[0].split()[-1]
    return found


def _said(argv: list[str]) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()
