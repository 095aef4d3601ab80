"""Which files a process may touch: Landlock, for every version of its interface from 1 on.

Facts of `include/uapi/linux/landlock.h` and `Documentation/userspace-api/landlock.rst`. What a
ruleset names as handled is refused, but for what rules allow. It can't be undone and holds for the
calling thread and those that it starts: enter before there is a second one.
"""

from __future__ import annotations

import ctypes
import os
import stat
from typing import TYPE_CHECKING, Final

from modelyard.runtimes.sandbox.kernel import syscall

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["restrict", "version"]

# the same numbers on all machines
_CREATE_RULESET: Final = 444
_ADD_RULE: Final = 445
_RESTRICT_SELF: Final = 446

_CREATE_RULESET_VERSION: Final = 1  # a flag: asks for the version of the interface
_RULE_PATH_BENEATH: Final = 1

_WRITE_FILE: Final = 1 << 1
_READ_FILE: Final = 1 << 2
_READ_DIR: Final = 1 << 3
_REMOVE_DIR: Final = 1 << 4
_REMOVE_FILE: Final = 1 << 5
_MAKE_DIR: Final = 1 << 7
_MAKE_REG: Final = 1 << 8
_REFER: Final = 1 << 13
_TRUNCATE: Final = 1 << 14

_READ: Final = _READ_FILE | _READ_DIR
_WORK: Final = (
    _READ | _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _REFER | _TRUNCATE
)
_OF_FILES: Final = _READ_FILE | _WRITE_FILE | _TRUNCATE
"""Rights that a rule on something else than a folder may give."""

_FS: Final = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
"""All rights on files that a version knows: 2 has REFER, 3 TRUNCATE, 5 IOCTL_DEV."""
_NET: Final = 0b11  # from version 4: bind and connect of TCP
_SCOPED: Final = 0b11  # from version 6: abstract Unix sockets, signals


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def version() -> int:
    """The version of the kernel's interface; 0 without Landlock."""
    try:
        return syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _CREATE_RULESET_VERSION)
    except OSError:
        return 0


def restrict(readable: Iterable[str], writable: Iterable[str]) -> None:
    """Leave this process some paths (with all below them), and nothing else.

    Nothing may be executed. Paths that don't exist are passed over.

    Raises:
        OSError: Landlock refuses.
    """
    known = version()
    handled = _FS[max(number for number in _FS if number <= known)]
    ruleset = _Ruleset(handled, _NET if known >= 4 else 0, _SCOPED if known >= 6 else 0)
    size = 8 if known < 4 else 16 if known < 6 else 24  # older kernels know fewer fields
    rules = syscall(_CREATE_RULESET, ctypes.byref(ruleset), ctypes.c_size_t(size), 0)
    try:
        for path in readable:
            _allow(rules, path, _READ & handled)
        for path in writable:
            _allow(rules, path, _WORK & handled)
        syscall(_RESTRICT_SELF, rules, 0)
    finally:
        os.close(rules)


def _allow(rules: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(place).st_mode):
            rights &= _OF_FILES
        rule = _PathBeneath(rights, place)
        syscall(_ADD_RULE, rules, _RULE_PATH_BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(place)
