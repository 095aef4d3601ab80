"""The page of commands, from their help."""

from __future__ import annotations

import click

from modelyard.cli.root import COMMANDS, root

__all__ = ["command_page"]

INTRODUCTION = """\
# The command line

This page is made from `yard --help` by `make docs`.

Data goes to stdout; words, hints and progress go to stderr. With `--json`, every command writes
exactly one JSON document to stdout, also for an error:
`{"error": {"kind": ..., "message": ..., "hint": ...}}`. With `-q`, it writes ids only.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | failed; also: `yard diff --exit-code` found a difference, `yard verify` found damage |
| 2 | used wrongly |
| 4 | not signed in |
| 130 | interrupted |

Which yard: `--yard`, else `$YARD`, else the nearest folder above the working folder that has a
`yard.toml`, else the yard that the checkout around it came from, else your own in
`$XDG_DATA_HOME/modelyard` or `~/.local/share/modelyard`, made at the first commit. In a checkout,
`yard status`, `yard commit -m MSG` and `yard pull` always use the yard it came from.

Who the author is: `$YARD_AUTHOR`, else `$GIT_AUTHOR_NAME`, else git's `user.name`, else the login
name.
"""


def command_page() -> str:
    """The page of all commands."""
    parts = [INTRODUCTION, _section("yard", root, None)]
    parent = _context(root, "yard", None)
    for name in COMMANDS:
        command = root.get_command(parent, name)
        assert command is not None
        parts.append(_section(name, command, parent))
    return "\n".join(parts)


def _section(name: str, command: click.Command, parent: click.Context | None) -> str:
    help_text = command.get_help(_context(command, name, parent))
    title = name if parent is None else f"yard {name}"
    lines = "\n".join(line.rstrip() for line in help_text.splitlines())
    return f"## {title}\n\n```text\n{lines}\n```\n"


def _context(command: click.Command, name: str, parent: click.Context | None) -> click.Context:
    settings = {**command.context_settings, "terminal_width": 90, "max_content_width": 90}
    return click.Context(command, info_name=name, parent=parent, **settings)
