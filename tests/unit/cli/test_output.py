"""One result, three modes; colour and bars only where somebody sees them."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType

import pytest

from modelyard.cli.output import NeedsYes, Output
from modelyard.cli.text import Column, Span, Table


@dataclass(frozen=True, slots=True)
class Result:
    """A view with everything a view can have."""

    def json(self):
        time = datetime(2026, 11, 21, 18, 54, tzinfo=UTC)
        return {"time": time, "nan": float("nan"), "map": MappingProxyType({"a": (1, 2)})}

    def lines(self):
        yield [Span("m@1", "bold"), " done"]
        yield Table([Column("a"), Column("b")], [["1", "2"]])

    def ids(self):
        yield "m@1"


def test_people_read_lines(capsys):
    Output().show(Result())
    assert capsys.readouterr() == ("m@1 done\na  b\n1  2\n", "")


def test_scripts_read_one_document(capsys):
    Output("json").show(Result())
    out, err = capsys.readouterr()
    assert json.loads(out) == {"time": "2026-11-21T18:54:00Z", "nan": None, "map": {"a": [1, 2]}}
    assert err == ""


def test_quiet_is_ids(capsys):
    Output("quiet").show(Result())
    assert capsys.readouterr() == ("m@1\n", "")


def test_hints_are_for_people_only(capsys):
    for mode in ("json", "quiet"):
        Output(mode).hint("yard log")
    assert capsys.readouterr().err == ""
    Output().hint("yard log")
    assert capsys.readouterr() == ("", "hint: yard log\n")


def test_no_bars_without_a_terminal(capsys):
    with Output().progress() as report:
        assert report is None


def test_danger_needs_yes_without_a_terminal(capsys):
    with pytest.raises(NeedsYes, match="This deletes m"):
        Output().confirm("This deletes m.", yes=False)
    assert Output().confirm("This deletes m.", yes=True)


PROGRAM = """
import sys
from modelyard.cli.output import Output
from modelyard.cli.text import Span
from modelyard.core.version import Progress
class View:
    def json(self): return {"a": 1}
    def lines(self): yield Span("red", "bad")
    def ids(self): yield "x"
out = Output(sys.argv[1])
if sys.argv[2:] == ["ask"]:
    print(out.confirm("This deletes m.", yes=False))
elif sys.argv[2:] == ["bars"]:
    import modelyard.cli.progress as progress
    progress.PATIENCE = 0
    from concurrent.futures import ThreadPoolExecutor
    with out.progress() as report, ThreadPoolExecutor(8) as pool:
        list(pool.map(report, [Progress("read", n * 1000, 2_000_000) for n in range(999)]))
    print("rich" in sys.modules)
else:
    out.show(View())
"""


def on_terminal(*args, answer="", **environment):
    """What a terminal gets from the program."""
    ours, theirs = pty.openpty()
    env = os.environ | {"TERM": "xterm", "NO_COLOR": ""} | environment
    command = [sys.executable, "-c", PROGRAM, *args]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=env) as process:
        os.close(theirs)
        os.write(ours, answer.encode())
        process.wait(timeout=60)
    chunks = []
    try:
        while chunk := os.read(ours, 65536):
            chunks.append(chunk)
    except OSError:  # the other side is closed: Linux says EIO
        pass
    os.close(ours)
    return b"".join(chunks).decode()


def test_a_terminal_gets_colour():
    assert on_terminal("human") == "\x1b[31mred\x1b[0m\r\n"


def test_no_color_is_respected():
    assert on_terminal("human", NO_COLOR="1") == "red\r\n"
    assert on_terminal("human", TERM="dumb") == "red\r\n"


def test_json_on_a_terminal_is_indented_and_never_coloured():
    assert on_terminal("json") == '{\r\n  "a": 1\r\n}\r\n'


@pytest.mark.parametrize(
    ("answer", "result"), [("y\n", "True"), ("\n", "False"), ("no\n", "False")]
)
def test_danger_asks_on_a_terminal(answer, result):
    seen = on_terminal("human", "ask", answer=answer)
    assert "This deletes m.\r\nGo on? [y/N]" in seen
    assert seen.rstrip().endswith(result)


def test_a_terminal_gets_bars():
    seen = on_terminal("human", "bars")
    assert "read" in seen
    assert seen.count("\x1b[?25l") == seen.count("\x1b[?25h") == 1  # one display, and it ended
    assert seen.rstrip().endswith("True")
