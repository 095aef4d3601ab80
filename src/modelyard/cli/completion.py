"""`yard completion`: the script that makes a shell complete commands and model names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from modelyard.cli.command import command
from modelyard.cli.session import Session, pass_session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.cli.text import Block

__all__ = ["completion_command"]


BASH_WORDS = """\
# So that model@revision is one word.
COMP_WORDBREAKS=${COMP_WORDBREAKS//@/}
"""


@dataclass(frozen=True, slots=True)
class ScriptView:
    """A shell script."""

    shell: str
    script: str

    def json(self) -> object:
        return {"shell": self.shell, "script": self.script}

    def lines(self) -> Iterator[Block]:
        return iter(self.script.splitlines())

    def ids(self) -> Iterator[str]:
        return iter(self.script.splitlines())


@command(
    "completion",
    examples=[
        'eval "$(yard completion bash)"      # in ~/.bashrc',
        'eval "$(yard completion zsh)"       # in ~/.zshrc',
        "yard completion fish > ~/.config/fish/completions/yard.fish",
    ],
    see=["list"],
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]), help="Your shell.")
@pass_session
def completion_command(session: Session, shell: str) -> None:
    """Print the completion script for a shell.

    It completes commands, options, and the names of models and their refs.
    """
    from click.shell_completion import get_completion_class

    from modelyard.cli.root import root

    source = get_completion_class(shell)
    assert source is not None
    script = source(root, {}, "yard", "_YARD_COMPLETE").source()
    session.out.show(ScriptView(shell, (BASH_WORDS if shell == "bash" else "") + script))
