"""The few calls of Linux that Python has no function for. Each raises OSError as `os` does."""

from __future__ import annotations

import ctypes
import os
import platform
from typing import Final

__all__ = [
    "CLONE_NEWIPC",
    "CLONE_NEWNET",
    "CLONE_NEWUSER",
    "die_with_parent",
    "drop_capabilities",
    "no_new_privileges",
    "prctl",
    "syscall",
    "unshare",
]

# include/uapi/linux/sched.h
CLONE_NEWIPC: Final = 0x0800_0000
CLONE_NEWUSER: Final = 0x1000_0000
CLONE_NEWNET: Final = 0x4000_0000

# include/uapi/linux/prctl.h
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NO_NEW_PRIVS: Final = 38

# include/uapi/linux/capability.h: a header of (version, pid), then three words twice
_CAPABILITY_VERSION_3: Final = 0x2008_0522
_CAPSET: Final = {"x86_64": 126, "aarch64": 91}

_SIGKILL: Final = 9

_libc = ctypes.CDLL(None, use_errno=True)


def syscall(number: int, *arguments: object) -> int:
    """A system call by its number."""
    _libc.syscall.restype = ctypes.c_long
    return _checked(_libc.syscall(ctypes.c_long(number), *arguments))


def prctl(option: int, *arguments: int) -> int:
    words = [ctypes.c_ulong(word) for word in (*arguments, 0, 0, 0, 0)[:4]]
    return _checked(_libc.prctl(option, *words))


def unshare(flags: int) -> None:
    _checked(_libc.unshare(flags))


def no_new_privileges() -> None:
    """Nothing that is executed from now on can gain rights; seccomp and Landlock want this."""
    prctl(_PR_SET_NO_NEW_PRIVS, 1)


def die_with_parent(parent: int) -> None:
    """Be killed when the *thread* that started this process ends (prctl(2))."""
    prctl(_PR_SET_PDEATHSIG, _SIGKILL)
    if os.getppid() != parent:  # it died before the call
        os._exit(1)


def drop_capabilities() -> None:
    """Root without its rights: an ordinary user who happens to own root's files."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    none = (ctypes.c_uint32 * 6)()
    syscall(_CAPSET[platform.machine()], ctypes.byref(header), ctypes.byref(none))


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
