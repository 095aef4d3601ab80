"""Each peer in an environment of its own, made once by uv and kept, with pinned versions."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

__all__ = ["HOME", "PINS", "load_program", "python", "version"]

HOME = Path(os.environ.get("MODELYARD_PEERS", "/tmp/modelyard-peers"))
_MODELS = ("onnxruntime==1.31.1", "scikit-learn==1.9.1")
PINS: dict[str, tuple[str, ...]] = {
    # 1.7.1 does not start with the uvloop that its own range allows (MLServer #2286)
    "mlserver": ("mlserver==1.7.1", "mlserver-sklearn==1.7.1", "uvloop<0.22", *_MODELS),
    "kserve": ("kserve==0.21.0", *_MODELS),
    "bentoml": ("bentoml==1.4.39", *_MODELS),
    "mlflow": ("mlflow==3.17.2", "onnx==1.23.2", *_MODELS),
    "ray": ("ray[serve]==2.60.0", *_MODELS),
    "litserve": ("litserve==0.2.19", *_MODELS),
}


def python(name: str) -> Path:
    """The interpreter of a peer's environment, made now if it is not there in these versions."""
    folder = HOME / name
    ready = folder / "ready.txt"
    wanted = "\n".join(PINS[name])
    if not ready.exists() or ready.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        print(f"installing {', '.join(PINS[name])}", file=sys.stderr)
        uv = str(Path(sysconfig.get_path("scripts")) / "uv")
        subprocess.run([uv, "venv", "-q", "--python", sys.executable, str(folder)], check=True)
        install = [uv, "pip", "install", "-q", "--python", str(folder / "bin/python")]
        subprocess.run([*install, *PINS[name]], check=True)
        ready.write_text(wanted)
    return folder / "bin/python"


def version(name: str) -> str:
    """Of the peer, as pinned."""
    return PINS[name][0].partition("==")[2]


def load_program() -> Path:
    """`load.c` of this folder, compiled. FileNotFoundError: there is no C compiler."""
    source = Path(__file__).with_name("load.c")
    program = HOME / f"load-{source.stat().st_mtime_ns}"
    if not program.exists():
        HOME.mkdir(parents=True, exist_ok=True)
        compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
        if compiler is None:
            raise FileNotFoundError("no C compiler: apt-get install gcc libc6-dev")
        made = program.with_suffix(f".{os.getpid()}")
        subprocess.run([compiler, "-O2", "-o", str(made), str(source)], check=True)
        made.rename(program)
    return program
