"""A runtime in a child process: limits, errors, ends."""

from __future__ import annotations

import gc
import os
import pickle
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from modelyard.core.table import Table
from modelyard.core.trust import TRUST_ALL, Trust
from modelyard.errors import Corrupt, Denied, InvalidInput, Unavailable, Unsupported
from modelyard.frameworks import Saved
from modelyard.runtimes.process import Limits, ProcessRuntime, spawn_runtime
from modelyard.runtimes.words import LARGEST

ALL = Trust.of(TRUST_ALL)
SAVED = Saved(
    framework="python", serializer="pickle", class_name="Model", details={"file": "model.pkl"}
)
ROWS = Table({"x": np.array([1.0, 2.0, 3.0])})


class _Code:
    def __init__(self, code):
        self.code = code

    def __reduce__(self):
        return (eval, (f"(n := {{}}, exec({self.code!r}, n), n['predict'])[-1]",))


def model(folder, body, *, before="pass"):
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    code = f"import os, sys, time\nimport numpy as np\n{before}\ndef predict(rows):\n{lines}\n"
    (folder / "model.pkl").write_bytes(pickle.dumps(_Code(code)))
    return folder


def opened(folder, body, *, before="pass", **limits):
    model(folder, body, before=before)
    return spawn_runtime(folder, SAVED, trust=ALL, limits=Limits(**limits))


def gone(pid):
    """Whether nothing is left of a process, not even a zombie."""
    return not Path(f"/proc/{pid}").exists()


def test_it_answers_like_a_runtime(tmp_path):
    with opened(tmp_path, "return rows[:, 0] * 2") as runtime:
        found = runtime.predict(ROWS)
        assert found.outputs["prediction"].tolist() == [2.0, 4.0, 6.0]
        assert 0 <= found.seconds < 10
        assert runtime.about.framework == "python"


def test_nothing_is_loaded_without_trust(tmp_path):
    model(tmp_path, "return rows[:, 0]", before=f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(Denied) as caught:
        spawn_runtime(tmp_path, SAVED, trust=Trust())
    assert caught.value.kind == "untrusted"
    assert "eval" in str(caught.value)
    assert caught.value.hint
    assert not (tmp_path / "ran").exists()


def test_errors_of_ours_come_back_as_they_are(tmp_path):
    with opened(tmp_path, "raise ValueError('no such thing')") as runtime:
        with pytest.raises(InvalidInput, match="no such thing") as caught:
            runtime.predict(ROWS)
        assert caught.value.kind == "bad-inputs"
        with pytest.raises(InvalidInput) as caught:
            runtime.call("__reduce__")
        assert caught.value.kind == "no-method"
        assert runtime.alive


def test_other_errors_are_unavailable_with_their_first_line(tmp_path):
    (tmp_path / "model.pkl").write_bytes(b"")
    with pytest.raises((InvalidInput, Unavailable)):
        spawn_runtime(tmp_path, SAVED, trust=ALL)
    with opened(tmp_path, "sys.exit(3)") as runtime:
        with pytest.raises(Unavailable, match="left with code 3") as caught:
            runtime.predict(ROWS)
        assert caught.value.kind == "model-died"


def test_a_framework_that_is_not_known_is_told_by_the_child(tmp_path):
    saved = Saved(framework="abacus", serializer="beads", class_name="Abacus")
    with pytest.raises(Unsupported) as caught:
        spawn_runtime(tmp_path, saved, trust=ALL)
    assert caught.value.kind == "no-framework"


def test_a_crash_comes_with_its_last_words(tmp_path):
    body = "print('goodbye', file=sys.stderr, flush=True)\nos.abort()"
    with opened(tmp_path, body) as runtime:
        with pytest.raises(Unavailable, match=r"SIGABRT.*goodbye"):
            runtime.predict(ROWS)
        pid = runtime.pid
        assert not runtime.alive
    assert gone(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_it_writes_to_stderr_does_not_fill_the_disk(tmp_path):
    body = (
        "if rows[0, 0] > 1:\n    print('goodbye', file=sys.stderr, flush=True); os.abort()\n"
        "for _ in range(3000):\n    print('x' * 1023, file=sys.stderr)\n"
        "return rows[:, 0]"
    )
    with opened(tmp_path, body) as runtime:
        for _ in range(2):  # what comes afterwards starts anew
            runtime.predict(ROWS)
            until = time.monotonic() + 20
            while (size := os.stat(f"/proc/{runtime.pid}/fd/2").st_size) > LARGEST:
                assert time.monotonic() < until, f"{size} bytes"
                time.sleep(0.1)
        with pytest.raises(Unavailable, match=r"SIGABRT.*goodbye"):
            runtime.predict(Table({"x": np.array([2.0])}))


def test_a_call_longer_than_its_limit_is_stopped(tmp_path):
    with opened(tmp_path, "time.sleep(60)", seconds=0.5) as runtime:
        begun = time.monotonic()
        with pytest.raises(Unavailable, match=r"0\.5 seconds") as caught:
            runtime.predict(ROWS)
        assert caught.value.kind == "model-timeout"
        assert time.monotonic() - begun < 20
    assert gone(runtime.pid)


def test_an_interrupted_call_ends_it_so_that_no_answer_comes_late(tmp_path, request):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    with opened(tmp_path, "time.sleep(60)") as runtime:
        # to this thread: one that waits in the kernel is not woken by a signal of another
        here = threading.get_ident()
        threading.Timer(0.3, signal.pthread_kill, (here, signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            runtime.predict(ROWS)
        with pytest.raises(Unavailable, match="interrupted"):
            runtime.predict(ROWS)


def test_more_memory_than_its_limit_is_refused_inside(tmp_path):
    body = "return np.ones(300_000_000)[: len(rows)]"
    with opened(tmp_path, body, memory=700_000_000) as runtime:
        with pytest.raises((InvalidInput, Unavailable)):
            runtime.predict(ROWS)
        assert runtime.alive


def test_the_environment_is_clean_and_the_network_closed(tmp_path, monkeypatch):
    monkeypatch.setenv("MY_TOKEN", "hunter2")
    body = (
        "import socket\n"
        "try:\n    socket.socket()\n    said = 'open'\n"
        "except OSError:\n    said = 'closed'\n"
        "return np.array([said + repr(dict(os.environ))] * len(rows), object)"
    )
    with opened(tmp_path, body) as runtime:
        (said, *_) = runtime.predict(ROWS).outputs["label"]
        assert said.startswith("closed")
        assert "hunter2" not in said
        assert "no-network" in runtime.layers
    with opened(tmp_path, body, network=True) as runtime:
        assert runtime.predict(ROWS).outputs["label"][0].startswith("open")


def test_threads_of_the_libraries_are_bounded(tmp_path):
    body = "return np.array([int(os.environ['OMP_NUM_THREADS'])] * len(rows))"
    with opened(tmp_path, body, threads=3) as runtime:
        assert runtime.predict(ROWS).outputs["label"].tolist() == [3, 3, 3]


def test_what_the_model_prints_is_not_seen(tmp_path, capfd):
    with opened(tmp_path, "print('noise')\nos.write(2, b'noise')\nreturn rows[:, 0]") as runtime:
        runtime.predict(ROWS)
    assert "noise" not in "".join(capfd.readouterr())


def test_threads_of_this_process_take_turns(tmp_path):
    found = {}
    with opened(tmp_path, "time.sleep(0.01)\nreturn rows[:, 0] + 1") as runtime:

        def ask(n):
            found[n] = runtime.predict(Table({"x": np.full(3, float(n))})).outputs["prediction"]

        threads = [threading.Thread(target=ask, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert {n: array.tolist() for n, array in found.items()} == {
        n: [n + 1.0] * 3 for n in range(8)
    }  # fmt: skip


def test_a_child_outlives_the_thread_that_asked_for_it(tmp_path):
    made = []
    thread = threading.Thread(target=lambda: made.append(opened(tmp_path, "return rows[:, 0]")))
    thread.start()
    thread.join()
    time.sleep(0.1)
    with made[0] as runtime:
        assert runtime.predict(ROWS).outputs["prediction"].tolist() == [1.0, 2.0, 3.0]


def test_closing_ends_it_and_asking_afterwards_is_unavailable(tmp_path):
    runtime = opened(tmp_path, "return rows[:, 0]")
    scratch = Path(runtime._scratch)
    runtime.close()
    runtime.close()
    assert gone(runtime.pid)
    assert not scratch.exists()
    with pytest.raises(Unavailable) as caught:
        runtime.predict(ROWS)
    assert caught.value.kind == "model-died"


SLEEPER = (
    "import subprocess\n"
    "sleeper = subprocess.Popen(['sleep', '60'])\n"
    "open({place!r}, 'w').write(str(sleeper.pid))\n"
)


def is_over(pid):
    """Whether a process of nobody's here has ended: init takes it away when it likes."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def ends_soon(pid):
    deadline = time.monotonic() + 5
    while not is_over(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return is_over(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("after", "limits"),
    [
        ("return rows[:, 0]", {}),
        ("time.sleep(60)", {"seconds": 1.0}),
        ("os._exit(3)", {}),
    ],
    ids=["closed", "too long", "died"],
)
def test_what_it_started_ends_with_it(tmp_path, after, limits):
    place = tmp_path / "pid"
    with opened(tmp_path, SLEEPER.format(place=str(place)) + after, **limits) as runtime:
        try:
            runtime.predict(ROWS)
            assert not is_over(int(place.read_text()))
        except Unavailable:
            assert ends_soon(int(place.read_text()))
    assert ends_soon(int(place.read_text()))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_of_what_it_started_counts(tmp_path):
    code = "held = bytearray(300_000_000); import time; time.sleep(60)"
    body = (
        "import subprocess\n"
        f"for n in range(3):\n    subprocess.Popen([sys.executable, '-c', {code!r}])\n"
        "time.sleep(60)"
    )
    with opened(tmp_path, body, memory=700_000_000, seconds=30) as runtime:
        with pytest.raises(Unavailable, match=r"more memory than its limit of 0\.7 GB") as caught:
            runtime.predict(ROWS)
        assert caught.value.kind == "model-died"


# -- answers that are none -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        "[{'x': np.array(1.0)}, 0.1]",
        "[{'x': np.zeros(2)}, 0.1]",
        "[{'probability': np.array(['a', 'b', 'c'], object)}, 0.1]",
        "[{'prediction': np.array([None, 1, 2], object)}, 0.1]",
        "[{'embedding': np.array(['a', 'b', 'c'])}, 0.1]",
        "[{1: np.zeros(3)}, 0.1]",
        "[{b'x': np.zeros(3)}, 0.1]",
        "[{'x': [1, 2, 3]}, 0.1]",
        "[{'x': np.zeros(3)}, -0.1]",
        "[{'x': np.zeros(3)}, float('nan')]",
        "[{'x': np.zeros(3)}, float('inf')]",
        "[{'x': np.zeros(3)}, None]",
        "[{'x': np.zeros(3)}, True]",
        "{'x': np.zeros(3)}",
    ],
)
def test_a_child_that_answers_something_else_is_corrupt_and_stopped(tmp_path, answer):
    lie = (
        "from modelyard.runtimes.child import _Server\nfrom modelyard.runtimes.wire import Frame\n"
        f"_Server._answer = lambda self, *_: self._channel.send(Frame('result', {answer}))"
    )
    with opened(tmp_path, "return rows[:, 0]", before=lie) as runtime:
        with pytest.raises(Corrupt) as caught:
            runtime.predict(ROWS)
        assert caught.value.kind == "bad-frame"
        assert not runtime.alive


def test_labels_may_be_text_with_gaps(tmp_path):
    with opened(tmp_path, "return np.array(['a', None, 'b'], object)") as runtime:
        assert runtime.predict(ROWS).outputs["label"].tolist() == ["a", None, "b"]


def test_a_forgotten_runtime_ends_too(tmp_path):
    pid = opened(tmp_path, "return rows[:, 0]").pid
    gc.collect()
    assert gone(pid)


def test_no_file_is_left_open(tmp_path):
    """Less than one a child: threads of other tests open and close theirs meanwhile."""
    opened(tmp_path, "return rows[:, 0]").close()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        opened(tmp_path, "return rows[:, 0]").close()
    assert len(os.listdir("/proc/self/fd")) < before + 5


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("isolated", [False, True], ids=["child", "isolated"])
def test_a_child_is_up_after_little_work(tmp_path, isolated):
    """By processor time: a busy machine makes no slow child."""
    ticks = []
    for _ in range(3):
        with ProcessRuntime(tmp_path, Limits(isolated=isolated)) as runtime:
            words = Path(f"/proc/{runtime.pid}/stat").read_text().rpartition(")")[2].split()
            ticks.append(int(words[11]) + int(words[12]))
    assert min(ticks) / os.sysconf("SC_CLK_TCK") < 0.25
