"""The filters refuse what they say, on both machines; and what a system lacks is told."""

from __future__ import annotations

import os
import struct
import sys
from errno import ENOSYS, EPERM

import pytest

from modelyard.errors import Unsupported
from modelyard.runtimes import sandbox
from modelyard.runtimes.sandbox import Bounds, enter, filters, landlock
from modelyard.runtimes.sandbox.numbers import NUMBERS

MACHINES = list(filters.MACHINES)
ME = 4711
COMMON = {
    "x86_64": {"read": 0, "write": 1, "mmap": 9, "futex": 202, "exit_group": 231, "sendto": 44},
    "aarch64": {"read": 63, "write": 64, "mmap": 222, "futex": 98, "exit_group": 94, "sendto": 206},
}


def outcome(code, machine, number, *arguments):
    """What the kernel would do: the filter run by a small machine of our own."""
    words = [*arguments, 0, 0, 0, 0, 0, 0][:6]
    seen = struct.pack("<iIQ6Q", number, filters.MACHINES.get(machine, machine), 0, *words)
    program = list(struct.iter_unpack("<HBBI", code))
    at = register = 0
    while True:
        operation, if_true, if_false, k = program[at]
        at += 1
        if operation == 0x20:
            (register,) = struct.unpack_from("<I", seen, k)
        elif operation == 0x54:
            register &= k
        elif operation in (0x15, 0x25):
            holds = register == k if operation == 0x15 else register > k
            at += if_true if holds else if_false
        else:
            assert operation == 0x06
            return k


ALLOWED = 0x7FFF0000
KILLED = 0x80000000


def error(number):
    return 0x00050000 | number


def number_of(machine, call):
    return NUMBERS[call][MACHINES.index(machine)]


@pytest.fixture(params=MACHINES)
def machine(request):
    return request.param


@pytest.fixture
def code(machine):
    return filters.isolation(machine, ME)


def test_a_call_of_another_machine_kills(machine, code):
    assert outcome(code, 0x40000003, 1) == KILLED


def test_computing_is_allowed(machine, code):
    for number in COMMON[machine].values():
        assert outcome(code, machine, number) == ALLOWED


@pytest.mark.parametrize(
    ("call", "arguments", "allowed"),
    [
        ("clone", (0x3D0F00,), True),  # what pthread_create asks for
        ("clone", (17,), False),
        ("clone", (0x4111,), False),
        ("kill", (ME, 6), True),
        ("kill", (0, 9), False),
        ("kill", (2**64 - 1, 9), False),
        ("kill", (2**32 + ME, 9), True),  # the kernel reads 32 bits as well
        ("tgkill", (ME, ME + 1, 6), True),
        ("tgkill", (1, 1, 9), False),
        ("prlimit64", (0, 7, 0, 0), True),
        ("prlimit64", (1, 7, 0, 0), False),
        ("prctl", (15, 0), True),
        ("prctl", (1, 0), False),
        ("socketpair", (1, 1), True),
        ("socketpair", (2, 1), False),
        ("socket", (1, 1), False),
        ("openat", (0, 0, os.O_RDONLY), True),
        ("openat", (0, 0, os.O_WRONLY | os.O_TRUNC), True),
        ("openat", (0, 0, os.O_RDONLY | os.O_TRUNC), False),
        ("openat", (0, 0, os.O_RDWR | os.O_TRUNC), True),
        ("openat", (0, 0, os.O_ACCMODE), False),
        ("openat", (0, 0, os.O_ACCMODE | os.O_TRUNC), False),
        ("open", (0, os.O_ACCMODE | os.O_TRUNC), False),
        ("fcntl", (3, 1, 0), True),  # F_GETFD
        ("fcntl", (3, 4, os.O_NONBLOCK), True),  # F_SETFL
        ("fcntl", (3, 1030, 0), True),  # F_DUPFD_CLOEXEC
        ("fcntl", (3, 8, 1), False),
        ("fcntl", (3, 10, 9), False),
        ("fcntl", (3, 15, 0), False),
        ("fcntl", (3, 2**32 + 8, 1), False),  # the kernel reads 32 bits as well
        ("ioctl", (3, 0x8901), False),
        ("ioctl", (3, 0x8902), False),
        ("ioctl", (3, 0x5452), False),
        ("ioctl", (0, 0x5401), True),
        ("ioctl", (0, 0x5412), False),
        ("execve", (), False),
        ("memfd_create", (), False),
        ("chmod", (), False),
        ("fork", (), False),
    ],
)
def test_calls_are_judged_by_their_arguments(machine, code, call, arguments, allowed):
    number = number_of(machine, call)
    if number is None:
        pytest.skip(f"{machine} has no {call}")
    wanted = ALLOWED if allowed else error(EPERM)
    assert outcome(code, machine, number, *arguments) == wanted


def test_calls_that_are_unknown_or_replaceable_seem_not_to_exist(machine, code):
    for number in (
        number_of(machine, "clone3"),
        number_of(machine, "openat2"),
        451,
        1000,
        2**30 + 57,
    ):
        assert outcome(code, machine, number) == error(ENOSYS)


def test_every_call_with_a_number_has_a_rule(machine, code):
    """A call in the table that no filter names would be a hole that looks closed."""
    free = {
        "open", "openat", "ioctl", "prctl", "setrlimit", "prlimit64", "kill", "tgkill", "clone",
        "socketpair", "sched_setaffinity", "fcntl",
    }  # fmt: skip
    for call in NUMBERS:
        number = number_of(machine, call)
        if number is not None and call not in free:
            assert outcome(code, machine, number) in (error(EPERM), error(ENOSYS)), call


def test_without_network_only_sockets_of_this_machine_can_be_made(machine):
    code = filters.no_network(machine)
    socket = number_of(machine, "socket")
    assert outcome(code, machine, socket, 1) == ALLOWED
    assert outcome(code, machine, socket, 2) == error(EPERM)
    assert outcome(code, machine, number_of(machine, "io_uring_setup")) == error(EPERM)
    assert outcome(code, machine, 460) == ALLOWED
    for call in ("clone", "execve", "kill"):
        assert outcome(code, machine, number_of(machine, call), 17) == ALLOWED


# -- where it can't be had -----------------------------------------------------------------------


def bounds(tmp_path):
    return Bounds(
        parent=os.getppid(), folder=str(tmp_path), scratch=str(tmp_path), memory=None,
        network=False, isolated=True,
    )  # fmt: skip


def in_a_child(work):
    """Run in a fork, since a sandbox can't be left; the text that `work` returns or raises."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            told = work()
        except Unsupported as refusal:
            told = f"{refusal.kind}: {refusal}"
        except BaseException as failure:
            told = repr(failure)
        os.write(writer, told.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as file:
        told = file.read()
    os.waitpid(child, 0)
    return told


@pytest.mark.skipif(sys.platform != "linux", reason="isolation needs Linux")
@pytest.mark.parametrize("lack", ["landlock", "machine", "threads"])
def test_a_system_that_lacks_a_layer_is_unsupported(tmp_path, monkeypatch, lack):
    if lack == "landlock":
        monkeypatch.setattr(landlock, "version", lambda: 0)
    elif lack == "machine":
        monkeypatch.setattr(sandbox.platform, "machine", lambda: "riscv64")

    def work():
        import threading

        if lack == "threads":
            threading.Thread(target=threading.Event().wait, daemon=True).start()
        wanted = bounds(tmp_path)
        object.__setattr__(wanted, "parent", os.getppid())
        return str(enter(wanted))

    assert in_a_child(work).startswith("no-isolation: ")


@pytest.mark.skipif(sys.platform != "linux", reason="isolation needs Linux")
@pytest.mark.parametrize("version", [1, 2, 3, 4, 5, 6, 7])
def test_every_version_of_landlock_keeps_files_closed(tmp_path, monkeypatch, version):
    """A newer kernel takes what older interfaces could say."""
    if landlock.version() < version:
        pytest.skip(f"this kernel has version {landlock.version()}")
    monkeypatch.setattr(landlock, "version", lambda: version)
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    for folder in (inside, outside):
        folder.mkdir()
        (folder / "file").write_text("x")

    def work():
        from modelyard.runtimes.sandbox import kernel

        kernel.no_new_privileges()
        landlock.restrict([str(inside)], [])
        told = (inside / "file").read_text()
        try:
            (inside / "file").write_text("y")
        except PermissionError:
            told += " kept"
        try:
            (outside / "file").read_text()
        except PermissionError:
            told += " closed"
        return told

    assert in_a_child(work) == "x kept closed"
