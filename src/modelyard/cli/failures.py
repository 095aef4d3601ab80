"""From exceptions to exit codes and the two lines that people read."""

from __future__ import annotations

import errno
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from modelyard.cli.output import NeedsYes, ReaderGone, quit_quietly
from modelyard.errors import ModelyardError

if TYPE_CHECKING:
    from modelyard.cli.session import Session

__all__ = ["FAILED", "INTERRUPTED", "NOT_SIGNED_IN", "USAGE", "Failure", "fail"]

FAILED = 1
USAGE = 2
NOT_SIGNED_IN = 4
INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Failure:
    """How a call ended that did not end well."""

    kind: str
    message: str
    hint: str | None = None
    code: int = FAILED


def fail(session: Session, error: BaseException) -> int:
    """Tell people what went wrong; the exit code."""
    if isinstance(error, ReaderGone):
        quit_quietly()
    failure = _describe(error)
    if session.debug:
        traceback.print_exception(error)
    try:
        session.out.fail(failure.kind, failure.message, failure.hint)
    except ReaderGone:
        quit_quietly()
    return failure.code


def _describe(error: BaseException) -> Failure:
    if isinstance(error, ModelyardError):
        return _ours(error)
    if isinstance(error, click.ClickException):
        return _usage(error)
    if isinstance(error, NeedsYes):
        asked = f"{error}"[:1].lower() + f"{error}"[1:].rstrip(".")
        return Failure("needs-yes", f"not done without asking: {asked}", "add --yes", USAGE)
    if isinstance(error, (KeyboardInterrupt, click.Abort)):
        return Failure(
            "interrupted", "interrupted; what was not finished is not there", None, INTERRUPTED
        )
    if isinstance(error, OSError):
        return _system(error)
    if isinstance(error, MemoryError):
        return Failure("out-of-memory", "the machine has not enough memory for this")
    words = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return Failure(
        "internal",
        f"this should not have happened: {words}",
        "run it again with --debug to see where",
    )


def _ours(error: ModelyardError) -> Failure:
    code = NOT_SIGNED_IN if error.kind == "not-signed-in" else FAILED
    return Failure(error.kind, error.message, _hint(error), code)


def _hint(error: ModelyardError) -> str | None:
    """What Python calls `trusted=` is an option here."""
    if error.kind != "untrusted" or error.hint is None:
        return error.hint
    if "[" in error.hint:
        return "if you trust them: --trust NAME for each, or --trust-all"
    return "if you made this file yourself: --trust-all"


def _usage(error: click.ClickException) -> Failure:
    message = _sentence(error)
    ctx = error.ctx if isinstance(error, click.UsageError) else None
    hint = f"{ctx.command_path} --help" if ctx is not None else None
    return Failure("usage", message, hint, error.exit_code)


def _sentence(error: click.ClickException) -> str:
    """Click's message in our words: `--metric: 'high' is no number`."""
    whose, message = "", error.format_message()
    if isinstance(error, click.BadParameter) and not isinstance(error, click.MissingParameter):
        whose, message = _name(error.param), error.message
    return whose + message[:1].lower() + message[1:].rstrip(".")


def _name(param: click.Parameter | None) -> str:
    if param is None or not param.name:
        return ""
    option = isinstance(param, click.Option)
    return f"{max(param.opts, key=len) if option else param.name.upper()}: "


def _system(error: OSError) -> Failure:
    words = (error.strerror or str(error) or type(error).__name__).lower()
    message = f"{error.filename}: {words}" if error.filename else words
    hint = "make room, then run it again" if error.errno == errno.ENOSPC else None
    return Failure("system", message, hint)
