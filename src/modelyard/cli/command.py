"""The shape that all commands share: a sentence, examples, see-also, and the global options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

from modelyard.cli.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from modelyard.cli.output import Mode

__all__ = ["YardCommand", "command", "global_options"]

F = TypeVar("F", bound="Callable[..., Any]")


class YardCommand(click.Command):
    """A command with examples, that takes the global options too."""

    examples: Sequence[str] = ()
    see: Sequence[str] = ()

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        own: list[tuple[str, str]] = []
        common: list[tuple[str, str]] = []
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None and not isinstance(param, click.Argument):
                (common if isinstance(param, GlobalOption) else own).append(record)
        for title, records in (("Options", own), ("Everywhere", common)):
            with formatter.section(title):
                formatter.write_dl(records)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.examples:
            with formatter.section("Examples"):
                for example in self.examples:
                    formatter.write(f"{'':{formatter.current_indent}}{example}\n")
        if self.see:
            formatter.write("\nSee also: " + ", ".join(f"yard {name}" for name in self.see) + "\n")


def command(
    name: str, *, examples: Sequence[str], see: Sequence[str]
) -> Callable[[Callable[..., Any]], YardCommand]:
    """Make a function a command; the first sentence of its docstring is its short help."""

    def decorate(function: Callable[..., Any]) -> YardCommand:
        made = click.command(name, cls=YardCommand)(function)
        made.examples, made.see = examples, see
        made.params += global_options()
        return made

    return decorate


class GlobalOption(click.Option):
    """An option that may stand before or after the name of the command."""


def global_options() -> list[click.Parameter]:
    """Fresh copies of the options that every command takes."""
    return [
        GlobalOption(
            ["--yard"],
            metavar="PATH|URL",
            help="The yard to use, before $YARD and all else.",
            **_eager(_set_yard),
        ),
        GlobalOption(
            ["--json"],
            is_flag=True,
            help="Write exactly one JSON document to stdout.",
            **_eager(_set_mode("json")),
        ),
        GlobalOption(
            ["-q", "--quiet"],
            is_flag=True,
            help="Write ids only.",
            **_eager(_set_mode("quiet")),
        ),
        GlobalOption(
            ["--debug"],
            is_flag=True,
            help="Show the traceback of an error.",
            **_eager(_set_debug),
        ),
    ]


def _eager(callback: Callable[[click.Context, click.Parameter, Any], None]) -> dict[str, Any]:
    return {"callback": callback, "expose_value": False, "is_eager": True}


def _set_yard(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    if value:
        ctx.ensure_object(Session).yard_option = value


def _set_mode(mode: Mode) -> Callable[[click.Context, click.Parameter, bool], None]:
    def set_mode(ctx: click.Context, param: click.Parameter, value: bool) -> None:
        out = ctx.ensure_object(Session).out
        if value and out.mode != "json":  # a script that asks for both gets its JSON document
            out.mode = mode

    return set_mode


def _set_debug(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        ctx.ensure_object(Session).debug = True
