"""A process that gives up its rights before it reads a foreign file.

`enter` is called once, in the child, while it has a single thread: before numpy is imported, whose
threads would keep their rights. What holds afterwards is told in docs/guides/trust.md; why it is
made this way in docs/decisions/0007-sandbox.md.
"""

from __future__ import annotations

import contextlib
import os
import platform
import resource
import sys
from dataclasses import dataclass
from typing import Final

from modelyard.errors import Unsupported

__all__ = ["Bounds", "enter"]

_OPEN_FILES: Final = 512
_TASKS: Final = 1024
_FILE: Final = 1 << 30
_NEEDED: Final = (
    "/usr", "/lib", "/lib64", "/lib32", "/etc/ld.so.cache", "/etc/localtime", "/etc/mime.types",
    "/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/sys/devices/system/cpu",
    "/sys/devices/system/node", "/dev/urandom", "/dev/random",
)  # fmt: skip
"""What Python and the libraries read when they start: programs, time zones, facts on processors."""

_OF_PREFIX: Final = ("bin", "lib", "lib64", "share", "pyvenv.cfg")
"""Not the whole prefix: some people's virtual environment is their home, or their project."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a child process may do."""

    parent: int
    """Process that started it, and with which it dies."""
    folder: str
    """The model's files."""
    scratch: str
    """A fresh folder: its home and working directory."""
    memory: int | None
    """Bytes it may allocate."""
    network: bool
    isolated: bool


def enter(bounds: Bounds) -> tuple[str, ...]:
    """Give up what the bounds don't leave; the names of what holds from now on.

    Raises:
        Unsupported: `no-isolation`: this system lacks what an isolated child needs.
    """
    if sys.platform != "linux":
        if bounds.isolated:
            raise _no_isolation(f"{sys.platform} has neither Landlock nor seccomp")
        return ()
    from modelyard.runtimes.sandbox import kernel

    kernel.die_with_parent(bounds.parent)
    _limit(bounds)
    if bounds.isolated:
        return _isolate(bounds)
    if bounds.network:
        return ("limits",)
    return ("limits", *_cut_network())


def _limit(bounds: Bounds) -> None:
    """Limits that the kernel counts.

    Memory by RLIMIT_DATA (private writable pages), not RLIMIT_AS: libraries reserve far more
    addresses than they use, and map weights from files. What escapes this count, shared pages, is
    watched by the parent.
    """
    _lower(resource.RLIMIT_CORE, 0)
    if bounds.memory is not None:
        _lower(resource.RLIMIT_DATA, bounds.memory)
    if bounds.isolated:
        _lower(resource.RLIMIT_NOFILE, _OPEN_FILES)
        _lower(resource.RLIMIT_FSIZE, _FILE)
        _lower(resource.RLIMIT_MSGQUEUE, 0)


def _lower(limit: int, value: int) -> None:
    _, highest = resource.getrlimit(limit)
    value = value if highest == resource.RLIM_INFINITY else min(value, highest)
    resource.setrlimit(limit, (value, value))


def _cut_network() -> tuple[str, ...]:
    """For trusted models: no network where the kernel can filter; it is no promise."""
    from modelyard.runtimes.sandbox import filters, kernel

    if platform.machine() not in filters.MACHINES:
        return ()
    with contextlib.suppress(OSError):
        kernel.no_new_privileges()
        filters.install(filters.no_network(platform.machine()))
        return ("no-network",)
    return ()


def _isolate(bounds: Bounds) -> tuple[str, ...]:
    from modelyard.runtimes.sandbox import filters, kernel, landlock

    machine = platform.machine()
    if machine not in filters.MACHINES:
        raise _no_isolation(f"system calls of {machine} are not known here")
    if landlock.version() == 0:
        raise _no_isolation("this kernel has no Landlock, or it is turned off")
    if len(os.listdir("/proc/self/task")) > 1:
        raise _no_isolation("the process has threads already, which would keep their rights")
    layers = ["limits"]
    try:
        kernel.no_new_privileges()
        layers += _own_namespaces()
        kernel.drop_capabilities()
        landlock.restrict(_readable(bounds), _writable(bounds))
        layers.append("landlock")
        filters.install(filters.isolation(machine, os.getpid()))
        layers.append("seccomp")
    except OSError as error:
        raise _no_isolation(f"the kernel refuses: {error.strerror}") from None
    return tuple(layers)


def _own_namespaces() -> tuple[str, ...]:
    """A network without devices, where the system allows it; seccomp refuses sockets anyway."""
    from modelyard.runtimes.sandbox import kernel

    user, group = os.getuid(), os.getgid()
    try:
        kernel.unshare(kernel.CLONE_NEWUSER | kernel.CLONE_NEWNET | kernel.CLONE_NEWIPC)
    except OSError:
        return ()
    with contextlib.suppress(OSError):  # who it is inside is the same number as outside
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{user} {user} 1")
        _write("/proc/self/gid_map", f"{group} {group} 1")
    _lower(resource.RLIMIT_NPROC, _TASKS)  # counted per namespace, so the user's others don't
    return ("namespaces",)


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def _readable(bounds: Bounds) -> list[str]:
    """Python, its libraries, this package and the model; not the rest of what is on `sys.path`."""
    prefixes = {sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix}
    parts = [os.path.join(prefix, part) for prefix in sorted(prefixes) for part in _OF_PREFIX]
    package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    libraries = [path for path in sys.path if path.endswith(("/site-packages", "/dist-packages"))]
    return [*_NEEDED, *parts, *libraries, package, bounds.folder]


def _writable(bounds: Bounds) -> list[str]:
    return [bounds.scratch, "/dev/null"]


def _no_isolation(reason: str) -> Unsupported:
    return Unsupported(
        "no-isolation", f"this file can't be isolated: {reason}",
        hint="load it on Linux 5.13 or later, or without isolated=True if you trust it",
    )  # fmt: skip
