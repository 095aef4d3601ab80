"""What a child takes, looked at from outside while it works."""

from __future__ import annotations

import os
import time
from typing import Final

__all__ = ["Exceeded", "Watch"]

_EVERY: Final = 0.05
_SCRATCH_EVERY: Final = 0.5
_GROUP_EVERY: Final = 0.5
_FILES: Final = 10_000
_DEEPEST: Final = 64


class Exceeded(Exception):
    """A limit was crossed; its text says which."""

    def __init__(self, text: str, *, of_time: bool = False) -> None:
        super().__init__(text)
        self.of_time = of_time


class Watch:
    """Call it often: it looks at the child now and then, and raises `Exceeded`."""

    def __init__(
        self, pid: int, *, seconds: float, memory: int | None, scratch: tuple[str, int] | None
    ) -> None:
        now = time.monotonic()
        self._pid = pid
        self._seconds = seconds
        self._memory = memory
        self._scratch = scratch
        self._deadline = now + seconds
        self._next = now + _EVERY
        self._next_scratch = now + _SCRATCH_EVERY
        self._next_group = now + _GROUP_EVERY

    def __call__(self) -> None:
        now = time.monotonic()
        if now > self._deadline:
            raise Exceeded(f"{self._seconds:g} seconds", of_time=True)
        if now < self._next:
            return
        self._next = now + _EVERY
        if self._memory is not None and self._used(now) > self._memory:
            raise Exceeded(f"it used more memory than its limit of {self._memory / 1e9:.1f} GB")
        if self._scratch is not None and now > self._next_scratch:
            self._next_scratch = now + _SCRATCH_EVERY
            folder, limit = self._scratch
            if _is_larger(folder, limit):
                raise Exceeded("it wrote more temporary files than it may")

    def _used(self, now: float) -> int:
        """What it takes; now and then, with all that it started."""
        if now > self._next_group:
            self._next_group = now + _GROUP_EVERY
            group = _group(self._pid)
            if len(group) > 1:
                return sum(map(_share, group))
        return _resident(self._pid)


def _resident(pid: int) -> int:
    """Bytes of anonymous and shared pages; what is mapped from files costs nobody anything."""
    return _counted(pid, "status", (b"RssAnon", b"RssShmem", b"VmSwap"))


def _share(pid: int) -> int:
    """The same, where a page that several processes have is split between them; it is slower."""
    return _counted(pid, "smaps_rollup", (b"Pss_Anon", b"Pss_Shmem", b"SwapPss"))


def _counted(pid: int, of: str, names: tuple[bytes, ...]) -> int:
    try:
        with open(f"/proc/{pid}/{of}", "rb") as file:
            lines = file.read().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith(names)) * 1024


def _group(leader: int) -> list[int]:
    """The processes of a group."""
    found = []
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():
        if name.isdigit():
            try:
                if os.getpgid(int(name)) == leader:
                    found.append(int(name))
            except OSError:
                continue
    return found


def _is_larger(folder: str, limit: int) -> bool:
    """Whether files below take more than the limit, or are too many or too deep to tell."""
    total = files = 0
    rest = [(folder, 0)]
    while rest:
        place, depth = rest.pop()
        if depth > _DEEPEST:
            return True
        try:
            with os.scandir(place) as found:
                for entry in found:
                    files += 1
                    if entry.is_dir(follow_symlinks=False):
                        rest.append((entry.path, depth + 1))
                    else:
                        total += entry.stat(follow_symlinks=False).st_blocks * 512
                    if total > limit or files > _FILES:
                        return True
        except OSError:
            continue
    return False
