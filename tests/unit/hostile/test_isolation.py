"""A trusted file that turns out to be hostile tries to get out of its child process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
from hostile_models import model_of

from modelyard.core.table import Table
from modelyard.core.trust import TRUST_ALL, Trust
from modelyard.errors import Corrupt, ModelyardError, Unavailable
from modelyard.runtimes.isolated import isolate
from modelyard.runtimes.process import Limits, spawn_runtime

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="isolation needs Linux"),
]

ROW = Table({"x": np.zeros(1)})
ALL = Trust.of(TRUST_ALL)
LIMITS = Limits(isolated=True, seconds=20, memory=1 << 30)


def opened(folder, answer, *, limits=LIMITS, at_load="pass"):
    saved = model_of(folder / "model", answer, at_load=at_load)
    return spawn_runtime(folder / "model", saved, trust=ALL, limits=limits)


def said(folder, answer, **given):
    """What the hostile model tells of its attempt, and that it still lives."""
    with opened(folder, answer, **given) as runtime:
        (outputs,) = runtime.predict(ROW).outputs.values()
        return str(outputs[0])


def each(folder, actions, **names):
    """What came of each of many attempts, by its text, in one child."""
    answer = f"""
        globals().update({names!r})
        return "|".join(attempt(eval("lambda: " + action)) for action in {list(actions)!r})
    """
    return dict(zip(actions, said(folder, answer).split("|"), strict=True))


@pytest.fixture
def canary(tmp_path):
    """A secret beside the model, not in it."""
    place = tmp_path / "secret" / "canary"
    place.parent.mkdir()
    place.write_text("sing")
    return place


# -- files ---------------------------------------------------------------------------------------


def test_files_outside_can_be_neither_read_nor_changed(tmp_path, canary):
    before = canary.stat()
    found = each(
        tmp_path,
        [
            "open(path).read()",
            "os.listdir(os.path.dirname(path))",
            "open(path, 'w').write('x')",
            "os.open(path, os.O_RDONLY | os.O_TRUNC)",
            "os.open(path, os.O_ACCMODE | os.O_TRUNC)",
            "os.truncate(path, 0)",
            "os.unlink(path)",
            "os.rename(path, path + '2')",
            "os.link(path, os.environ['HOME'] + '/stolen')",
            "os.mkdir(path + '-folder')",
            "os.symlink('/', path + '-link')",
            "os.mkfifo(path + '-fifo')",
            "os.chmod(path, 0o777)",
            "os.chown(path, 1, 1)",
            "os.utime(path, (0, 0))",
            "os.setxattr(path, 'user.x', b'1')",
        ],
        path=str(canary),
    )
    assert {a: f for a, f in found.items() if f not in ("EACCES", "EPERM", "EXDEV")} == {}
    assert canary.read_text() == "sing"
    after = canary.stat()
    assert (before.st_mode, before.st_mtime_ns, before.st_uid) == (
        after.st_mode, after.st_mtime_ns, after.st_uid,
    )  # fmt: skip
    assert os.listdir(canary.parent) == ["canary"]


def test_the_rest_of_the_machine_is_not_readable(tmp_path):
    parent = os.getpid()
    files = (
        "/etc/passwd", "/etc/shadow", "/proc/1/environ", f"/proc/{parent}/environ",
        f"/proc/{parent}/mem", "/proc/kallsyms", str(Path(__file__)),
    )  # fmt: skip
    folders = (
        "/home", "/tmp", "/", f"/proc/{parent}/fd", "/proc/sys", "/dev/shm", "/sys/kernel",
        str(Path.home()),
    )  # fmt: skip
    found = each(
        tmp_path,
        [*(f"open({path!r}, 'rb').read(1)" for path in files),
         *(f"os.listdir({path!r})" for path in folders)],
    )  # fmt: skip
    assert {a: f for a, f in found.items() if f not in ("EACCES", "EPERM", "ENOENT")} == {}


def test_threads_are_bound_as_well(tmp_path, canary):
    answer = f"""
        import threading
        found = []
        thread = threading.Thread(
            target=lambda: found.append(attempt(lambda: open({str(canary)!r}).read()))
        )
        thread.start()
        thread.join()
        return found
    """
    assert said(tmp_path, answer) == "EACCES"


def test_links_in_the_models_folder_lead_nowhere(tmp_path, canary):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "link").symlink_to(canary)
    place = str(tmp_path / "model" / "link")
    assert said(tmp_path, f"return attempt(lambda: open({place!r}).read())") == "EACCES"


def test_the_models_own_files_can_be_read_and_not_changed(tmp_path):
    place = str(tmp_path / "model" / "model.pkl")
    answer = f"""
        return [attempt(lambda: open({place!r}, "rb").read(1)[0]),
                attempt(lambda: open({place!r}, "ab")),
                attempt(lambda: open({place!r} + "2", "wb"))]
    """
    assert said(tmp_path, answer) == "done: 128 EACCES EACCES"


def test_its_scratch_folder_can_be_written_and_is_gone_afterwards(tmp_path):
    answer = """
        open("work", "w").write("x")
        os.makedirs("a/b")
        return os.getcwd()
    """
    place = Path(said(tmp_path, answer))
    assert place.name.startswith("modelyard-")
    assert not place.exists()


# -- secrets -------------------------------------------------------------------------------------


def test_the_environment_holds_no_secret(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    monkeypatch.setenv("PYTHONPATH", "/somewhere/hunter2")
    answer = 'return repr(dict(os.environ)) + open("/proc/self/environ").read() + repr(sys.path)'
    seen = said(tmp_path, answer)
    assert "HOME" in seen
    assert "hunter2" not in seen


def test_nothing_but_the_socket_is_inherited(tmp_path):
    kept = os.open("/etc/hostname", os.O_RDONLY)
    os.set_inheritable(kept, True)
    try:
        seen = said(tmp_path, 'return [os.readlink(f"/proc/self/fd/{n}") for n in range(1024) '
                              'if os.path.islink(f"/proc/self/fd/{n}")]')  # fmt: skip
    finally:
        os.close(kept)
    assert "hostname" not in seen
    assert seen.count("/dev/null") == 3
    assert seen.count("socket:") == 1


# -- the network ---------------------------------------------------------------------------------


def test_no_socket_can_be_made(tmp_path):
    families = ("AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK", "AF_PACKET")
    found = each(
        tmp_path, [f"__import__('socket').socket(__import__('socket').{name})" for name in families]
    )
    assert set(found.values()) == {"EPERM"}


def test_a_listener_on_this_machine_is_not_reached(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        port = server.getsockname()[1]
        answer = f"""
            import socket, urllib.request
            return [attempt(lambda: socket.create_connection(("127.0.0.1", {port}), 1)),
                    attempt(lambda: urllib.request.urlopen("http://127.0.0.1:{port}", timeout=1))]
        """
        assert "done" not in said(tmp_path, answer)
        with pytest.raises(TimeoutError):
            server.accept()


# -- processes -----------------------------------------------------------------------------------


def test_no_process_can_be_started_or_touched(tmp_path):
    found = each(
        tmp_path,
        [
            "os.fork()",
            "os.execv('/bin/true', ['true'])",
            "os.posix_spawn('/bin/true', ['true'], {})",
            "__import__('subprocess').run(['/bin/true'])",
            "os.execve(os.memfd_create('x'), ['x'], {})",
            "os.kill(os.getppid(), 0)",
            "os.kill(os.getppid(), 9)",
            "os.kill(-1, 9)",
            "os.kill(1, 0)",
            "os.setuid(0)",
            "os.setsid()",
            "os.setpriority(0, os.getppid(), 19)",
            "os.sched_setaffinity(os.getppid(), {0})",
            "os.pidfd_open(os.getppid())",
            "__import__('resource').prlimit(os.getppid(), 7)",
        ],
    )
    assert {action: name for action, name in found.items() if name != "EPERM"} == {}


def test_bare_system_calls_are_refused(tmp_path):
    from modelyard.runtimes.sandbox.numbers import NUMBERS

    given = {
        "fork": "", "vfork": "", "clone": "17, 0, 0, 0, 0", "ptrace": "16, os.getppid(), 0, 0",
        "process_vm_readv": "os.getppid(), 0, 0, 0, 0, 0", "unshare": "0x10000000",
        "io_uring_setup": "1, 0", "bpf": "0, 0, 0", "userfaultfd": "0", "keyctl": "0, 0, 0",
        "memfd_create": "b'x', 0", "mount": "0, 0, 0, 0, 0", "setns": "0, 0",
        "perf_event_open": "0, 0, 0, 0, 0", "prctl": "1, 0", "shmget": "0, 4096, 0o1600",
        "open_by_handle_at": "0, 0, 0", "tkill": "os.getppid(), 9", "capset": "0, 0",
    }  # fmt: skip
    numbers = {name: NUMBERS[name][os.uname().machine == "aarch64"] for name in given}
    calls = [f"call({n}, {given[name]})" for name, n in numbers.items() if n is not None]
    found = each(tmp_path, calls)
    assert {action: name for action, name in found.items() if name != "done: 'EPERM'"} == {}


def test_a_file_sends_no_signal_to_another_process(tmp_path):
    """Older Landlocks don't see that a file has an owner, whom it signals."""
    victim = os.getpid()
    found = each(
        tmp_path,
        [
            f"__import__('fcntl').fcntl(os.pipe()[0], 8, {victim})",
            "__import__('fcntl').fcntl(os.pipe()[0], 10, 9)",
            "__import__('fcntl').fcntl(os.pipe()[0], 15, bytes(8))",
            "__import__('fcntl').ioctl(os.pipe()[0], 0x8901, bytes(4))",
        ],
    )
    assert {action: name for action, name in found.items() if name != "EPERM"} == {}


def test_unknown_calls_and_those_of_other_interfaces_do_not_exist(tmp_path):
    answer = "return [call(435, 0, 0), call(437, 0, 0, 0, 0), call(452), call(1000)]"
    assert said(tmp_path, answer) == "ENOSYS ENOSYS ENOSYS ENOSYS"
    if os.uname().machine == "x86_64":
        assert said(tmp_path, "return call(0x40000000 | 57)") == "ENOSYS"


def test_threads_can_be_started(tmp_path):
    answer = """
        from concurrent.futures import ThreadPoolExecutor
        with ThreadPoolExecutor(4) as pool:
            return sum(pool.map(int, range(5)))
    """
    assert said(
        tmp_path, "def total():" + textwrap.indent(answer, "    ") + "\nreturn str(total())"
    )


# -- memory, time, disk --------------------------------------------------------------------------


def test_a_hundred_gigabytes_are_not_given(tmp_path):
    assert said(tmp_path, "return attempt(lambda: len(bytearray(100 << 30)))") == "MemoryError"
    with opened(tmp_path, "return bytearray(100 << 30)") as runtime:
        with pytest.raises(ModelyardError):
            runtime.predict(ROW)
        assert runtime.alive


def test_memory_that_the_kernel_does_not_count_is_watched(tmp_path):
    answer = """
        import mmap
        held = mmap.mmap(-1, 3 << 30)  # shared: no part of RLIMIT_DATA
        for at in range(0, len(held), 4096):
            held[at] = 1
        return "had it all"
    """
    limits = Limits(isolated=True, seconds=20, memory=400_000_000)
    with opened(tmp_path, answer, limits=limits) as runtime:
        with pytest.raises(Unavailable, match=r"more memory than its limit of 0\.4 GB") as caught:
            runtime.predict(ROW)
        assert caught.value.kind == "model-died"


@pytest.mark.parametrize("code", ["while True: pass", "import time; time.sleep(1000)"])
def test_a_model_that_never_answers_is_stopped_in_time(tmp_path, code):
    limits = Limits(isolated=True, seconds=1.0)
    with opened(tmp_path, code, limits=limits) as runtime:
        begun = time.monotonic()
        with pytest.raises(Unavailable, match="1 seconds") as caught:
            runtime.predict(ROW)
        assert time.monotonic() - begun < 3
        assert caught.value.kind == "model-timeout"
        with pytest.raises(Unavailable) as caught:
            runtime.predict(ROW)
        assert caught.value.kind == "model-died"


def test_a_file_that_never_ends_loading_is_stopped_in_time(tmp_path):
    with pytest.raises(Unavailable) as caught:
        opened(
            tmp_path, "pass", at_load="while True: pass", limits=Limits(isolated=True, seconds=1)
        )
    assert caught.value.kind == "model-timeout"


@pytest.mark.parametrize(
    "code",
    [
        "for n in range(20_000): open(f'{n}', 'w').close()",
        "for n in range(10**9): open(f'{n % 9}', 'ab').write(bytes(1 << 20))",
        "for n in range(200): os.mkdir('d'); os.chdir('d')",
    ],
    ids=["many", "large", "deep"],
)
def test_scratch_folders_are_bounded_and_cleaned(tmp_path, code):
    limits = Limits(isolated=True, seconds=20, scratch=50_000_000)
    with opened(tmp_path, f"{code}\nwhile True: pass", limits=limits) as runtime:
        scratch = Path(runtime._scratch)
        with pytest.raises(Unavailable, match="temporary files"):
            runtime.predict(ROW)
    assert not scratch.exists()


def test_it_does_not_run_between_calls(tmp_path):
    answer = """
        import threading
        def spin():
            while True: pass
        threading.Thread(target=spin, daemon=True).start()
        return "spinning"
    """
    with opened(tmp_path, answer) as runtime:
        runtime.predict(ROW)

        def state_and_ticks():
            words = Path(f"/proc/{runtime.pid}/stat").read_text().rpartition(")")[2].split()
            return words[0], int(words[11])

        time.sleep(0.1)
        before = state_and_ticks()
        time.sleep(0.5)
        assert state_and_ticks() == before
        assert before[0] == "T"
        runtime.predict(ROW)


# -- the answer ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    [
        "b'\\x80\\x05garbage' * 1000",
        "b'myw1' + (2**31).to_bytes(4, 'little') + (0).to_bytes(8, 'little')",
        "b'myw1' + (1).to_bytes(4, 'little') + (2**62).to_bytes(8, 'little')",
        "b'myw1' + (4).to_bytes(4, 'little') + (0).to_bytes(8, 'little') + b'\\x91' * 4",
        "__import__('pickle').dumps(os.getcwd())  + bytes(100)",
    ],
)
def test_garbage_written_to_the_socket_is_corrupt(tmp_path, code):
    answer = f"""
        for n in range(3, 1024):
            try:
                os.write(n, {code})
            except OSError:
                pass
        return "more"
    """
    with opened(tmp_path, answer) as runtime:
        with pytest.raises(Corrupt) as caught:
            runtime.predict(ROW)
        assert caught.value.kind == "bad-frame"
        assert not runtime.alive


def test_a_result_that_would_run_code_is_never_unpickled(tmp_path):
    answer = f"""
        class Bomb:
            def __reduce__(self):
                return (os.system, ("touch {tmp_path}/fired",))
        return np.array([Bomb()], object)
    """
    with opened(tmp_path, answer) as runtime, pytest.raises(ModelyardError):
        runtime.predict(ROW)
    assert not (tmp_path / "fired").exists()


def test_an_answer_larger_than_it_may_be_is_corrupt(tmp_path):
    limits = Limits(isolated=True, seconds=20, answer=1_000_000)
    answer = "return np.zeros((1, 200_000))"
    with opened(tmp_path, answer, limits=limits) as runtime, pytest.raises(Corrupt):
        runtime.predict(ROW)


def test_text_of_an_error_is_short_and_has_no_control_characters(tmp_path):
    with isolate(
        tmp_path / "model",
        model_of(tmp_path / "model", 'raise ValueError("\\x1b[2J" + "x" * 1_000_000)'),
        trust=ALL, limits=LIMITS,
    ) as model:  # fmt: skip
        with pytest.raises(ModelyardError) as caught:
            model.predict([[0.0]])
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("ctypes.string_at(1)", "SIGSEGV"),
        ("os.abort()", "SIGABRT"),
        ("os._exit(0)", "left with code 0"),
        ("os.kill(os.getpid(), 9)", "was killed"),
        ("os.close(int(sys.argv[2]))", "closed its connection|left with code"),
    ],
)
def test_a_death_is_told(tmp_path, code, told):
    with opened(tmp_path, code) as runtime:
        with pytest.raises(Unavailable, match=told) as caught:
            runtime.predict(ROW)
        assert caught.value.kind == "model-died"


# -- the parent ----------------------------------------------------------------------------------


def test_nothing_is_left_when_the_parent_is_killed(tmp_path):
    saved = model_of(tmp_path / "model", "while True: pass")
    code = f"""
        import sys, threading
        from pathlib import Path
        from modelyard.core.trust import TRUST_ALL, Trust
        from modelyard.frameworks import Saved
        from modelyard.runtimes.process import Limits, spawn_runtime
        runtime = []
        def start():
            runtime.append(spawn_runtime(
                Path({str(tmp_path / "model")!r}), Saved.decode({saved.encode()!r}),
                trust=Trust.of(TRUST_ALL), limits=Limits(isolated=True)))
        thread = threading.Thread(target=start)  # ends; its child does not
        thread.start()
        thread.join()
        print(runtime[0].pid, runtime[0].alive, flush=True)
        sys.stdin.read()
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as parent:  # fmt: skip
        child, alive = parent.stdout.readline().split()
        assert alive == "True"
        assert Path(f"/proc/{child}").exists()
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 5
    while Path(f"/proc/{child}").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not Path(f"/proc/{child}").exists()
