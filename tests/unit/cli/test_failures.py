"""Errors: two lines for people, one document for scripts, and the right exit code."""

from __future__ import annotations

import json

import click
import pytest
from click.testing import CliRunner

from modelyard.cli.failures import fail
from modelyard.cli.output import NeedsYes, Output
from modelyard.cli.root import root
from modelyard.cli.session import Session
from modelyard.core.trust import Trust
from modelyard.errors import Conflict, Denied, InvalidInput, Unsupported

CASES = [
    (Conflict("branch-moved", "main moved", hint="yard log"), 1, "branch-moved"),
    (InvalidInput("bad-label", "no label"), 1, "bad-label"),
    (Denied("not-signed-in", "sign in first"), 4, "not-signed-in"),
    (Denied("forbidden", "not yours"), 1, "forbidden"),
    (NeedsYes("This deletes m."), 2, "needs-yes"),
    (click.UsageError("Missing argument."), 2, "usage"),
    (click.Abort(), 130, "interrupted"),
    (KeyboardInterrupt(), 130, "interrupted"),
    (FileNotFoundError(2, "No such file or directory", "/x"), 1, "system"),
    (MemoryError(), 1, "out-of-memory"),
    (ZeroDivisionError("division by zero"), 1, "internal"),
]
NAMES = [f"{type(error).__name__}-{kind}" for error, _, kind in CASES]


@pytest.mark.parametrize(("error", "code", "kind"), CASES, ids=NAMES)
def test_people_get_an_error_line_and_perhaps_a_hint(capsys, error, code, kind):
    assert fail(Session(), error) == code
    out, err = capsys.readouterr()
    assert out == ""
    first, *rest = err.splitlines()
    assert first.startswith("error: ")
    assert len(rest) <= 1
    assert all(line.startswith("  hint: ") for line in rest)
    assert "Traceback" not in err


@pytest.mark.parametrize(("error", "code", "kind"), CASES, ids=NAMES)
def test_scripts_get_one_document(capsys, error, code, kind):
    assert fail(Session(Output("json")), error) == code
    out, err = capsys.readouterr()
    document = json.loads(out)["error"]
    assert list(document) == ["kind", "message", "hint"]
    assert document["kind"] == kind
    assert err == ""


def test_debug_shows_where(capsys):
    try:
        raise ZeroDivisionError("deep down")
    except ZeroDivisionError as error:
        fail(Session(debug=True), error)
    assert "test_failures.py" in capsys.readouterr().err


def test_an_unexpected_error_says_how_to_see_more(capsys):
    fail(Session(), ZeroDivisionError("deep down"))
    assert capsys.readouterr().err == (
        "error: this should not have happened: ZeroDivisionError: deep down\n"
        "  hint: run it again with --debug to see where\n"
    )


def test_a_hostile_message_can_not_steer_the_terminal(capsys):
    fail(Session(), Unsupported("x", "a\x1b[2Jb\nerror: c", hint="\x1b]0;t\x07"))
    assert "\x1b" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["completion", "csh"], "SHELL: 'csh' is not one of 'bash', 'zsh', 'fish'"),
        (["log", "m", "--limit", "0"], "--limit: 0 is not in the range x>=1"),
        (["commit", "m", "nowhere"], "PATH: path 'nowhere' does not exist"),
        (["show"], "missing argument 'MODEL[@REV]'"),
        (["-q"], "name a command"),
    ],
)
def test_wrong_usage_is_told_in_few_words(args, message):
    result = CliRunner().invoke(root, args)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {message}\n  hint: yard")


def test_json_is_known_before_parsing_ends():
    for args in (
        ["--json"],
        ["--json", "nonsense"],
        ["show", "--json"],
        ["show", "m", "--nonsense", "--json"],
    ):
        result = CliRunner().invoke(root, args)
        assert result.exit_code == 2
        assert json.loads(result.stdout)["error"]["kind"] == "usage"
        assert result.stderr == ""


def test_what_needs_trust_names_the_options_of_the_shell(capsys):
    for ask, hint in (
        (lambda: Trust().require("model.pkl", ["os.system"]), "--trust NAME for each"),
        (lambda: Trust().require_all("model.pkl", "computes a name"), "--trust-all"),
    ):
        with pytest.raises(Denied) as caught:
            ask()
        assert fail(Session(), caught.value) == 1
        err = capsys.readouterr().err
        assert hint in err
        assert "trusted=" not in err
