"""Which system calls a process may make: filters of seccomp, assembled here.

Facts of `include/uapi/linux/seccomp.h`, `linux/filter.h`, `linux/audit.h` and seccomp(2). A filter
is a program for a tiny machine with one register. It sees the number of the call, the machine and
six arguments, but nothing that they point to.
"""

from __future__ import annotations

import ctypes
import os
import struct
from errno import ENOSYS, EPERM
from typing import Final

from modelyard.runtimes.sandbox.kernel import prctl
from modelyard.runtimes.sandbox.numbers import LAST, NUMBERS

__all__ = ["MACHINES", "Filter", "install", "isolation", "no_network"]

MACHINES: Final = {"x86_64": 0xC000_003E, "aarch64": 0xC000_00B7}
"""AUDIT_ARCH of the machines whose calls `NUMBERS` knows."""

_X32: Final = 0x4000_0000  # x86_64: calls of the x32 interface have this bit

# linux/bpf_common.h: class | size or operation | mode or source
_LOAD: Final = 0x20  # A = word at k
_AND: Final = 0x54  # A &= k
_IF_EQUAL: Final = 0x15
_IF_GREATER: Final = 0x25
_RETURN: Final = 0x06

_AT_NUMBER: Final = 0
_AT_MACHINE: Final = 4
_AT_ARGUMENTS: Final = 16  # 8 bytes each, the low word first: both machines are little-endian

_ALLOW: Final = 0x7FFF_0000
_KILL: Final = 0x8000_0000
_ERROR: Final = 0x0005_0000

_PR_SET_SECCOMP: Final = 22
_MODE_FILTER: Final = 2

_AF_UNIX: Final = 1
_CLONE_THREAD: Final = 0x1_0000
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_MM: Final = 35
_SIGNALS_OF_FILES: Final = (8, 10, 15)  # fcntl.h: F_SETOWN, F_SETSIG, F_SETOWN_EX
_OWNERS_OF_FILES: Final = (0x8901, 0x8902, 0x5452)  # ioctls FIOSETOWN, SIOCSPGRP, FIOASYNC
_TIOCSTI: Final = 0x5412
_TIOCLINUX: Final = 0x541C
_ALL: Final = 0xFFFF_FFFF


class Filter:
    """A program that allows whatever no line of it refuses.

    Names of calls that this machine lacks are passed over.
    """

    def __init__(self, machine: str, *, later: bool) -> None:
        """Begin with the machine itself.

        Args:
            later: Whether calls that are newer than `LAST` are allowed.
        """
        self._which = list(MACHINES).index(machine)
        self._code: list[bytes] = []
        self._add(_LOAD, _AT_MACHINE)
        self._add(_IF_EQUAL, MACHINES[machine], 1, 0)
        self._add(_RETURN, _KILL)
        self._add(_LOAD, _AT_NUMBER)
        limit = _X32 - 1 if later else LAST
        self._add(_IF_GREATER, limit, 0, 1)
        self._add(_RETURN, _ERROR | ENOSYS)

    def deny(self, *calls: str, error: int = EPERM) -> None:
        for number in self._numbers(calls):
            self._add(_IF_EQUAL, number, 0, 1)
            self._add(_RETURN, _ERROR | error)

    def deny_if(self, call: str, argument: int, mask: int, value: int) -> None:
        """Refuse a call whose argument (its low 32 bits) is `value` under a mask."""
        for number in self._numbers((call,)):
            self._add(_IF_EQUAL, number, 0, 5)
            self._add(_LOAD, _AT_ARGUMENTS + 8 * argument)
            self._add(_AND, mask)
            self._add(_IF_EQUAL, value, 0, 1)
            self._add(_RETURN, _ERROR | EPERM)
            self._add(_LOAD, _AT_NUMBER)

    def deny_unless(self, call: str, argument: int, *values: int) -> None:
        """Refuse a call whose argument (its low 32 bits) is none of `values`."""
        count = len(values)
        for number in self._numbers((call,)):
            self._add(_IF_EQUAL, number, 0, count + 3)
            self._add(_LOAD, _AT_ARGUMENTS + 8 * argument)
            for left, value in zip(range(count, 0, -1), values, strict=True):
                self._add(_IF_EQUAL, value, left, 0)
            self._add(_RETURN, _ERROR | EPERM)
            self._add(_LOAD, _AT_NUMBER)

    def assembled(self) -> bytes:
        return b"".join([*self._code, _instruction(_RETURN, _ALLOW)])

    def _numbers(self, calls: tuple[str, ...]) -> list[int]:
        found = (NUMBERS[call][self._which] for call in calls)
        return [number for number in found if number is not None]

    def _add(self, code: int, k: int, if_true: int = 0, if_false: int = 0) -> None:
        self._code.append(_instruction(code, k, if_true, if_false))


def no_network(machine: str) -> bytes:
    """For models that are trusted: everything but sockets that lead out of the machine."""
    made = Filter(machine, later=True)
    made.deny_unless("socket", 0, _AF_UNIX)
    made.deny("io_uring_setup", "io_uring_enter", "io_uring_register")  # makes sockets too
    return made.assembled()


def isolation(machine: str, me: int) -> bytes:
    """For foreign files: computing, and files as far as Landlock allows.

    No sockets, processes, programs or signals; nothing that changes what Landlock doesn't watch
    (modes, owners, times); none of the kernel's large doors; no call that is unknown here.

    Args:
        me: The process that the filter is for; it may send signals to itself.
    """
    made = Filter(machine, later=False)
    made.deny("clone3", "openat2", error=ENOSYS)  # glibc falls back to clone and openat
    made.deny_if("clone", 0, _CLONE_THREAD, 0)
    made.deny("fork", "vfork", "execve", "execveat", "unshare", "setns")
    made.deny(
        "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "process_mrelease",
        "kcmp", "pidfd_open", "pidfd_getfd", "pidfd_send_signal", "tkill", "rt_sigqueueinfo",
        "rt_tgsigqueueinfo", "migrate_pages", "move_pages", "setpriority", "ioprio_set",
        "sched_setscheduler", "sched_setattr", "sched_setparam", "setsid", "setpgid",
    )  # fmt: skip
    made.deny_unless("kill", 0, me)
    made.deny_unless("tgkill", 0, me)
    made.deny_unless("prlimit64", 0, 0, me)
    made.deny_unless("sched_setaffinity", 0, 0, me)
    made.deny_if("prctl", 0, _ALL, _PR_SET_PDEATHSIG)
    made.deny_if("prctl", 0, _ALL, _PR_SET_MM)
    made.deny("socket", "connect", "bind", "listen", "accept", "accept4")
    made.deny_unless("socketpair", 0, _AF_UNIX)
    for command in _SIGNALS_OF_FILES:  # before version 6 Landlock lets these signals out
        made.deny_if("fcntl", 1, _ALL, command)
    for command in _OWNERS_OF_FILES:
        made.deny_if("ioctl", 1, _ALL, command)
    for call, flags in (("open", 1), ("openat", 2)):  # before version 3 Landlock lets this through
        made.deny_if(call, flags, os.O_ACCMODE | os.O_TRUNC, os.O_TRUNC)
        made.deny_if(call, flags, os.O_ACCMODE, os.O_ACCMODE)  # "for ioctl only", yet it truncates
    made.deny(
        "open_by_handle_at", "name_to_handle_at", "truncate", "chmod", "fchmod", "fchmodat",
        "chown", "fchown", "lchown", "fchownat", "setxattr", "lsetxattr", "fsetxattr",
        "removexattr", "lremovexattr", "fremovexattr", "utime", "utimes", "futimesat", "utimensat",
        "mknod", "mknodat", "inotify_init", "inotify_init1", "inotify_add_watch", "fanotify_init",
        "fanotify_mark", "sync", "syncfs",
    )  # fmt: skip
    made.deny("memfd_create", "memfd_secret")  # memory that no limit counts
    made.deny_if("ioctl", 1, _ALL, _TIOCSTI)
    made.deny_if("ioctl", 1, _ALL, _TIOCLINUX)
    made.deny(
        "shmget", "shmat", "shmctl", "msgget", "msgsnd", "msgrcv", "msgctl", "semget", "semop",
        "semctl", "semtimedop", "mq_open", "mq_unlink",
    )  # fmt: skip
    made.deny(
        "mount", "umount2", "pivot_root", "chroot", "open_tree", "move_mount", "fsopen",
        "fsconfig", "fsmount", "fspick", "mount_setattr", "quotactl", "quotactl_fd", "swapon",
        "swapoff", "init_module", "finit_module", "delete_module", "kexec_load",
        "kexec_file_load", "reboot", "sethostname", "setdomainname", "iopl", "ioperm", "acct",
        "syslog", "settimeofday", "clock_settime", "clock_adjtime", "adjtimex", "lookup_dcookie",
        "vhangup", "modify_ldt", "nfsservctl", "uselib", "personality",
    )  # fmt: skip
    made.deny(
        "bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter",
        "io_uring_register", "io_setup", "keyctl", "add_key", "request_key",
    )  # fmt: skip
    made.deny(
        "setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setfsuid",
        "setfsgid", "setgroups", "capset",
    )  # fmt: skip
    return made.assembled()


def install(code: bytes) -> None:
    """Put a filter over this process, for good. Needs `no_new_privileges`; raises OSError."""
    held = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("@HP", len(code) // 8, ctypes.addressof(held))  # struct sock_fprog
    given = ctypes.create_string_buffer(program, len(program))
    prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.addressof(given))


def _instruction(code: int, k: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("<HBBI", code, if_true, if_false, k)  # struct sock_filter
