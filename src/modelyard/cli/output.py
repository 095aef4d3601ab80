"""Where everything that a command says comes out.

The mode is decided once: for people, one JSON document, or ids only. Data goes to stdout; words,
progress and errors go to stderr. Commands hand over a `View` and never print.
"""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, NoReturn, Protocol, TextIO

from modelyard.cli.text import Block, Line, Span, Table, layout, paint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from modelyard.core.version import Progress

__all__ = ["Mode", "NeedsYes", "Output", "ReaderGone", "View"]

Mode = Literal["human", "json", "quiet"]


class View(Protocol):
    """A value as the three modes show it."""

    def json(self) -> object:
        """What JSON is made of: frozen values, dicts, lists, texts, numbers."""

    def lines(self) -> Iterable[Block]:
        """What people read."""

    def ids(self) -> Iterable[str]:
        """What a script loops over."""


class ReaderGone(Exception):
    """Nobody reads our stdout any more, as in `yard log | head -1`."""


class NeedsYes(Exception):
    """A dangerous command ran without a terminal to ask on, and without `--yes`."""


class Output:
    """The two streams and the mode of one call."""

    def __init__(self, mode: Mode = "human") -> None:
        self.mode = mode

    def show(self, view: View) -> None:
        """Write the result of a command: the only thing that goes to stdout."""
        if self.mode == "json":
            self.write(encode(view.json(), pretty=sys.stdout.isatty()))
        elif self.mode == "quiet":
            for text in view.ids():
                self.write(paint(text, colour=False) + "\n")
        else:
            for block in view.lines():
                self._block(block)
        self.flush()

    def painted(self, view: View) -> str:
        """What people would read, as text for a terminal."""
        return "\n".join(line for block in view.lines() for line in self._painted(block))

    def _block(self, block: Block) -> None:
        for line in self._painted(block):
            self.write(line + "\n")

    def _painted(self, block: Block) -> Iterator[str]:
        tall = layout(block, cells=_cells(sys.stdout)) if isinstance(block, Table) else (block,)
        return (paint(line, colour=_colour(sys.stdout)) for line in tall)

    def write(self, text: str) -> None:
        try:
            sys.stdout.write(text)
        except BrokenPipeError as error:
            raise ReaderGone from error

    def write_bytes(self, data: bytes) -> None:
        try:
            sys.stdout.buffer.write(data)
        except BrokenPipeError as error:
            raise ReaderGone from error

    def flush(self) -> None:
        try:
            sys.stdout.flush()
        except BrokenPipeError as error:
            raise ReaderGone from error

    def say(self, line: Line) -> None:
        """Words beside the result."""
        if self.mode != "quiet":
            sys.stderr.write(paint(line, colour=_colour(sys.stderr)) + "\n")

    def warn(self, text: str) -> None:
        """Something to look at before going on; the command did what it should."""
        self.say([Span("warning: ", "bad"), text])

    def hint(self, text: str) -> None:
        """The next command, for people only."""
        if self.mode == "human":
            self.say([Span("hint: ", "dim"), text])

    def fail(self, kind: str, message: str, hint: str | None = None) -> None:
        """Tell an error: on stdout as the one JSON document, or else on stderr."""
        if self.mode == "json":
            error = {"kind": kind, "message": message, "hint": hint}
            self.write(encode({"error": error}, pretty=sys.stdout.isatty()))
            self.flush()
            return
        colour = _colour(sys.stderr)
        sys.stderr.write(paint([Span("error: ", "bad"), message], colour=colour) + "\n")
        if hint:
            sys.stderr.write(paint([Span("  hint: ", "dim"), hint], colour=colour) + "\n")

    def confirm(self, will: Line, *, yes: bool) -> bool:
        """Whether to go on with something dangerous, after saying what will happen."""
        if yes:
            return True
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise NeedsYes(paint(will, colour=False))
        sys.stderr.write(paint(will, colour=_colour(sys.stderr)) + "\nGo on? [y/N] ")
        sys.stderr.flush()
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    @contextmanager
    def progress(self) -> Iterator[Callable[[Progress], None] | None]:
        """A reporter that draws bars, or None where nobody would see them."""
        if self.mode == "quiet" or not sys.stderr.isatty():
            yield None
            return
        from modelyard.cli.progress import Bars

        with Bars() as bars:
            yield bars.report


def encode(value: object, *, pretty: bool) -> str:
    """One JSON document, indented for a terminal."""
    import msgspec.json

    from modelyard.core.wire import builtins

    data = msgspec.json.encode(builtins(value))
    return (msgspec.json.format(data, indent=2) if pretty else data).decode() + "\n"


def quit_quietly() -> NoReturn:
    """End after the reader went away, without Python's complaint about the closed pipe."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise SystemExit(1)


def _colour(stream: TextIO) -> bool:
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return not plain and stream.isatty()


def _cells(stream: TextIO) -> int | None:
    return shutil.get_terminal_size().columns if stream.isatty() else None
