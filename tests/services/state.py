"""What runs, who uses it: one JSON file below `.services/`, changed under a file lock."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["HOME", "ROOT", "alive", "born", "changing", "descendants", "locked", "read", "users"]

ROOT = Path(__file__).resolve().parents[2]
HOME = Path(os.environ.get("YARD_SERVICES_HOME") or ROOT / ".services")
"""Another home has services of its own: for a test that restarts one."""
_FILE = HOME / "state.json"


@contextlib.contextmanager
def locked(name: str) -> Iterator[None]:
    """Alone among all processes of this machine that work with `name`."""
    HOME.mkdir(exist_ok=True)
    with open(HOME / f"{name}.lock", "wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def read() -> dict[str, Any]:
    """The state: `services` by name (pid, born, port, folder), `users` (pid: born), `kept`."""
    try:
        return json.loads(_FILE.read_text("utf-8"))
    except FileNotFoundError:
        return {"services": {}, "users": {}, "kept": []}


@contextlib.contextmanager
def changing() -> Iterator[dict[str, Any]]:
    """The state, to be changed in place; written whole when the block ends without an error."""
    with locked("state"):
        state = read()
        yield state
        partial = _FILE.with_suffix(".part")
        partial.write_text(json.dumps(state, indent=1), "utf-8")
        partial.replace(_FILE)


def users(state: dict[str, Any]) -> list[int]:
    """The processes that said that they use services and that still live."""
    return [int(pid) for pid, birth in state["users"].items() if alive(int(pid), birth)]


def _fields(pid: int) -> list[str] | None:
    """What the kernel tells of a process, from the field after its name; None if it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()


def born(pid: int) -> str:
    """When a process began: with its id the name of a process that is never used again."""
    fields = _fields(pid)
    return fields[19] if fields else ""


def alive(pid: int, birth: str) -> bool:
    """Whether that very process still runs, not another one with its id, and not a zombie."""
    fields = _fields(pid)
    if fields is not None:
        return fields[0] != "Z" and fields[19] == birth
    if Path("/proc/self").exists():
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


def descendants(pid: int) -> list[int]:
    """A process and all processes below it."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        fields = _fields(int(entry.name))
        if fields:
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [pid]
    for parent in found:
        found += parents.get(parent, [])
    return found
