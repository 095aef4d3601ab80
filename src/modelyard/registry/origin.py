"""Where an object came from: imported packages, and the commit of the caller's code."""

from __future__ import annotations

import platform
import re
import sys
from functools import lru_cache
from importlib.metadata import Distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["code_of_caller", "environment"]

_PACKAGE = Path(__file__).resolve().parents[1]
_SUFFIX = ".dist-info"


def environment() -> dict[str, Any]:
    """Python, platform, and the versions of the distributions that this process has imported.

    Names are normalized (PEP 503). What lies in no distribution, such as the caller's own modules,
    is left out: `code_of_caller` tells of it.
    """
    imported = {name for name in sys.modules if "." not in name}
    names = imported - sys.stdlib_module_names - {"__main__", "__mp_main__"}
    packages = _versions(frozenset(names), tuple(sys.path))
    return {
        "python": platform.python_version(),
        "platform": f"{sys.platform}-{platform.machine()}",
        "packages": dict(packages),
    }


@lru_cache(maxsize=8)
def _versions(names: frozenset[str], path: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    left = {name for name in names if not name.startswith("_")}
    unmatched: list[Path] = []
    for info in _dist_infos(path):
        name, _, version = info.name.removesuffix(_SUFFIX).rpartition("-")
        twins = {module for module in left if _normal(module) == _normal(name)}
        if twins:
            found.setdefault(_normal(name), version)
            left -= twins
        else:
            unmatched.append(info)
    left = {name for name in left if _is_installed(name, path)}
    for info in unmatched:
        if not left:
            break
        mine = left & _modules_of(info)
        if mine:
            name, _, version = info.name.removesuffix(_SUFFIX).rpartition("-")
            found.setdefault(_normal(name), version)
            left -= mine
    return tuple(sorted(found.items()))


def _dist_infos(path: Iterable[str]) -> list[Path]:
    folders = (Path(place) for place in dict.fromkeys(path) if place)
    return [
        info for folder in folders if folder.is_dir() for info in sorted(folder.glob(f"*{_SUFFIX}"))
    ]


def _is_installed(module: str, path: Iterable[str]) -> bool:
    file = getattr(sys.modules.get(module), "__file__", None)
    return file is not None and "-packages" in file


def _modules_of(info: Path) -> frozenset[str]:
    """Names that a distribution can be imported by, where they are not its own."""
    distribution = Distribution.at(info)
    listed = distribution.read_text("top_level.txt")
    if listed is not None:
        return frozenset(listed.split())
    record = distribution.read_text("RECORD") or ""
    return frozenset(line.partition("/")[0].partition(".")[0] for line in record.splitlines())


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def code_of_caller() -> dict[str, str] | None:
    """`{"commit", "file", "changed", "remote"}` of the git repository that the calling file is in.

    The calling file is the first one on the stack outside of modelyard; in a notebook, which has
    none, the working folder counts. None for a command, and where there is no repository. A damaged
    repository is no reason to refuse a commit, so it counts as none too.
    """
    if _from_a_shell():
        return None
    file = _calling_file()
    start = file.parent if file is not None else Path.cwd()
    root = next((place for place in (start, *start.parents) if (place / ".git").exists()), None)
    if root is None:
        return None
    try:
        return _described(root, file)
    except Exception:  # anything may be in other people's repositories, and dulwich raises widely
        return None


def _from_a_shell() -> bool:
    """Whether a person typed a command: then no code made what is committed."""
    frame: Any = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_filename.startswith(f"{_PACKAGE}/cli/"):
            return True
        frame = frame.f_back
    return False


def _calling_file() -> Path | None:
    frame: Any = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if not name.startswith("<") and Path(name).is_file():
            file = Path(name).resolve()
            if _PACKAGE not in file.parents and "-packages" not in name:
                return file if "ipykernel" not in name else None
        frame = frame.f_back
    return None


def _described(root: Path, file: Path | None) -> dict[str, str]:
    from dulwich.repo import Repo

    with Repo(str(root)) as repo:
        head = repo.head()
        told = {"commit": head.decode()}
        if file is not None:
            path = file.relative_to(root).as_posix()
            told["file"] = path
            if _committed(repo, head, path) != file.read_bytes():
                told["changed"] = "yes"
        remote = _remote(repo.get_config())
        return told | ({"remote": remote} if remote else {})


def _committed(repo: Any, head: bytes, path: str) -> bytes | None:
    """The file as the head commit has it."""
    from dulwich.object_store import tree_lookup_path

    try:
        _, sha = tree_lookup_path(repo.__getitem__, repo[head].tree, path.encode())
    except KeyError:
        return None
    return bytes(repo[sha].data)


def _remote(config: Any) -> str | None:
    """The URL of `origin`, without user and password."""
    try:
        url: str = config.get((b"remote", b"origin"), b"url").decode()
    except KeyError:
        return None
    parts = urlsplit(url)
    if not parts.scheme:
        return url.rpartition("@")[2]
    host = parts.hostname or ""
    place = f"{host}:{parts.port}" if parts.port else host
    return urlunsplit((parts.scheme, place, parts.path, "", ""))
