"""Every command helps: a sentence, examples, see-also; and the help costs nothing."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from modelyard.cli.root import COMMANDS, SHORT, root

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "cli.md"
HEAVY = {"sqlalchemy", "numpy", "rich", "dulwich", "alembic", "msgspec", "zstandard", "blake3"}


def run(*args):
    return CliRunner().invoke(root, args)


def load(name):
    return root.get_command(click.Context(root, info_name="yard"), name)


def test_the_help_lists_every_command():
    result = run("--help")
    assert result.exit_code == 0
    for name, entry in COMMANDS.items():
        assert re.search(rf"^  {name}\b.*{re.escape(entry.help)}$", result.stdout, re.MULTILINE)


def test_yard_alone_is_the_help():
    assert run().stdout == run("--help").stdout
    assert run().exit_code == 0


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_sentence_examples_and_see_also(name):
    command = load(name)
    sentence = command.help.strip().partition("\n")[0]
    assert sentence == COMMANDS[name].help
    assert 1 <= len(command.examples) <= 3
    assert all(example.startswith(("yard ", 'eval "$(yard ')) for example in command.examples)
    assert any(f"yard {name}" in example for example in command.examples)
    assert command.see
    assert set(command.see) <= set(COMMANDS)
    text = run(name, "--help").stdout
    assert "Examples:" in text
    assert "See also: yard " in text


@pytest.mark.parametrize("name", COMMANDS)
def test_each_example_parses(name):
    """Options in examples exist: documentation that lies is worse than none."""
    command = load(name)
    known = {option for param in command.params for option in param.opts} | {"--help"}
    for example in command.examples:
        if example.startswith("yard "):
            words = shlex.split(example, comments=True)
            assert {word for word in words if word.startswith("-")} <= known


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_takes_the_global_options(name):
    options = {option for param in load(name).params for option in param.opts}
    assert {"--yard", "--json", "-q", "--quiet", "--debug"} <= options


@pytest.mark.parametrize("name", COMMANDS)
def test_each_argument_and_option_is_explained(name):
    assert all(param.help for param in load(name).params)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_in_the_reference(name):
    assert f"## yard {name}\n" in PAGE.read_text()


def test_the_reference_is_fresh():
    script = PAGE.parents[2] / "scripts" / "reference.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_help_imports_nothing_heavy():
    code = (
        "import sys, modelyard.cli.root as r\n"
        "try: r.root.main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)\n"
        "print(*(n for n in sys.modules if n.startswith('modelyard.cli.')), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded, ours = (set(line.split()) for line in done.stderr.splitlines())
    assert not HEAVY & loaded
    assert not {f"modelyard.cli.{entry.module}" for entry in COMMANDS.values()} & ours


def test_the_help_takes_less_than_a_quarter_second_of_cpu():
    before = os.times()
    command = [sys.executable, "-m", "modelyard", "--help"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    spent = after.children_user + after.children_system
    assert spent - before.children_user - before.children_system < 0.25


@pytest.mark.parametrize(("short", "name"), SHORT.items())
def test_short_names_are_the_same_command(short, name):
    assert load(short) is load(name)


def test_a_misspelt_command_gets_a_suggestion():
    result = run("comit")
    assert result.exit_code == 2
    assert "did you mean 'commit'" in result.stderr.lower()
    assert result.stdout == ""


def test_a_misspelt_option_gets_a_suggestion():
    result = run("show", "--jsno", "m")
    assert result.exit_code == 2
    assert "--json" in result.stderr
