"""Environments made for versions: a Python with the packages that a version was committed with.

They lie in one folder of this machine and are shared by all versions with the same packages. uv
makes them, and links files from its own cache, so that a second one costs seconds and little disk.
Packages are wheels: one that had to be built would run code of its own here, in the server.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from modelyard.core.folders import cache_home
from modelyard.errors import InvalidInput, Unavailable, Unsupported
from modelyard.formats.reading import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["cache_folder", "environment_of", "python_of", "requirements_of"]

_SECONDS: Final = 1200
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}", re.ASCII)
_VERSION: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z.!+_-]{0,60}", re.ASCII)
_PYTHON: Final = re.compile(r"3\.\d{1,2}(\.\d{1,3})?", re.ASCII)
_OURS: Final = frozenset({"modelyard", "pip", "setuptools", "uv"})
_NEEDED: Final = ("msgspec", "numpy", "pyyaml")
"""What the process imports of ours needs them."""
_WHEELS: Final = ("--only-binary", ":all:")
_SECRET: Final = re.compile(r"(?<=//)[^/@\s]+@")


def cache_folder() -> Path:
    """`~/.cache/modelyard/environments`, or below `$XDG_CACHE_HOME`."""
    return cache_home(os.environ) / "modelyard" / "environments"


def environment_of(recorded: Mapping[str, Any] | None, *, cache: Path | None = None) -> Path:
    """The folder of an environment with these packages; made if there is none yet.

    Args:
        recorded: What a manifest keeps as `environment`.
        cache: Where environments lie.

    Raises:
        InvalidInput: `no-packages`: the version does not tell its packages.
        Unsupported: `no-uv`: uv is not installed.
        Unavailable: `no-environment`: uv can't make it; the sentence says why.
    """
    wanted, python = requirements_of(recorded)
    uv = _uv()
    place = cache or cache_folder()
    place.mkdir(parents=True, exist_ok=True)
    first = _digest([*_WHEELS, python, *wanted])
    with _alone(place / f"{first}.turn"):
        lock = _locked(uv, place / f"{first}.txt", wanted, python)
        found = place / _digest([*_WHEELS, python, lock])
        if not python_of(found).exists():
            _make(uv, found, lock, python)
    os.utime(found)
    return found


def python_of(environment: Path) -> Path:
    """The interpreter of an environment."""
    return environment / "bin" / "python"


def requirements_of(recorded: Mapping[str, Any] | None) -> tuple[list[str], str]:
    """`name==version` of each package, sorted, and the version of Python."""
    packages = (recorded or {}).get("packages")
    python = str((recorded or {}).get("python", ""))
    if not isinstance(packages, dict) or not packages or not _PYTHON.fullmatch(python):
        raise InvalidInput(
            "no-packages", "this version does not tell which packages it was made with",
            hint="commit the object from Python, or serve it with placement process",
        )  # fmt: skip
    pinned = []
    for name, version in packages.items():
        if not (_NAME.fullmatch(str(name)) and _VERSION.fullmatch(str(version))):
            raise InvalidInput("no-packages", f"{printable(str(name), 80)} is no package")
        if name not in _OURS:
            pinned.append(f"{name}=={version}")
    return sorted({*pinned, *(need for need in _NEEDED if need not in packages)}), python


def _locked(uv: str, file: Path, wanted: Sequence[str], python: str) -> str:
    """All packages with those that they need; found once, and the same from then on."""
    with contextlib.suppress(OSError):
        return file.read_text(encoding="utf-8")
    told = _run(
        [uv, "pip", "compile", "--quiet", "--no-header", "--no-annotate", *_WHEELS,
         "--python-version", python, "-"],
        "\n".join(wanted),
    )  # fmt: skip
    lines = sorted(line for line in told.splitlines() if line.strip())
    lock = "\n".join(lines) + "\n"
    _write(file, lock)
    return lock


def _make(uv: str, place: Path, lock: str, python: str) -> None:
    """Beside its place, then moved: what is there is whole."""
    room = Path(tempfile.mkdtemp(prefix="making-", dir=place.parent))
    try:
        made = room / "environment"
        _venv(uv, made, python)
        listed = room / "lock.txt"
        listed.write_text(lock, encoding="utf-8")
        _run([
            uv, "pip", "install", "--quiet", "--no-deps", *_WHEELS,
            "--python", str(python_of(made)), "-r", str(listed),
        ])  # fmt: skip
        own = made / "own"
        own.mkdir()
        (own / "modelyard").symlink_to(Path(__file__).resolve().parents[1])
        shutil.copy(listed, made / "lock.txt")
        with contextlib.suppress(OSError):
            shutil.rmtree(place)  # what an older one left without a Python
        os.rename(made, place)
    finally:
        shutil.rmtree(room, ignore_errors=True)


def _venv(uv: str, place: Path, python: str) -> None:
    """With that Python, or another of the same minor version."""
    minor = ".".join(python.split(".")[:2])
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    choices = [python, minor] if minor != here else [python, minor, sys.executable]
    if python == ".".join(map(str, sys.version_info[:3])):
        choices = [sys.executable, python]
    for choice in choices:
        try:
            _run([uv, "venv", "--quiet", "--relocatable", "--python", choice, str(place)])
        except Unavailable:
            if choice == choices[-1]:
                raise
        else:
            return


def _run(command: Sequence[str], given: str = "") -> str:
    """What a command writes; its last words if it fails, without passwords of URLs."""
    try:
        done = subprocess.run(
            command, input=given, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise Unavailable("no-environment", f"uv took longer than {_SECONDS} s") from None
    except OSError as error:
        raise Unavailable("no-environment", f"uv can't be run: {error.strerror}") from None
    if done.returncode != 0:
        lines = [line.strip(" ×╰─▶\t") for line in done.stderr.splitlines() if line.strip()]
        said = printable(_SECRET.sub("", " ".join(lines)), 600)
        raise Unavailable(
            "no-environment", f"its environment can't be made: {said or 'uv does not say why'}",
            hint="packages must be there as wheels, since none is built here; or serve it with "
            "placement process, in the server's own environment",
        )  # fmt: skip
    return done.stdout


def _uv() -> str:
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.is_file() else shutil.which("uv")
    if found is None:
        raise Unsupported(
            "no-uv", "environments are made by uv, which is not installed", hint="pip install uv"
        )
    return found


def _digest(content: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:32]


def _write(file: Path, text: str) -> None:
    handle, name = tempfile.mkstemp(dir=file.parent)
    with open(handle, "w", encoding="utf-8") as opened:
        opened.write(text)
    os.replace(name, file)


@contextlib.contextmanager
def _alone(file: Path) -> Iterator[None]:
    """One process at a time makes an environment; others wait for it."""
    try:
        import fcntl
    except ImportError:  # no Linux: at worst two make the same
        yield
        return
    with file.open("a") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
